"""The only folder that sees Blender."""
