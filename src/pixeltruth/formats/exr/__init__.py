"""OpenEXR: any file (`read_exr`), folders that Blender rendered into, and datasets exported as such."""
