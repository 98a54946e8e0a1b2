"""COCO's files of annotations, written from a dataset of any layout."""
