"""YOLO's text files: detection, segmentation and pose."""
