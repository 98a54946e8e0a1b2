"""Folders of `<frame>.hdf5` files as BlenderProc writes them. docs/blenderproc.md says which key is which map."""
