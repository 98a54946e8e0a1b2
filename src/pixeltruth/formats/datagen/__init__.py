"""Datagen's layouts: `scene_*`, `environment_*`, `datapoint_*` and frame sequences. See docs/datagen.md."""
