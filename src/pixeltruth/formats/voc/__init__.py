"""Pascal VOC 2012: boxes in XML, classes and objects as palette pictures."""
