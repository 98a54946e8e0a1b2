"""Synthetic ground truth you can prove."""
