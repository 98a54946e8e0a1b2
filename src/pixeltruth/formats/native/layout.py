"""Names inside a view file, shared by its writer and its reader.

Root: attributes `format` and `format_version`; group `viewpoint`; one dataset for each geometry map; the texts
`instances.json`, `instances.csv` and `metadata.json`; group `lighting/<lighting>` with the maps of each lighting;
group `amodal`, where the job asks for it, with the dataset `masks`; group `keypoints`, where the scene has any, with
the text `keypoints.json`.
A map is called `depth`, or `lighting/<lighting>/rgb`.
"""

FORMAT = "pixeltruth view"
ELEMENT_VERSION = 1
"""Version of every kind of element; raised when the meaning of one changes."""

INSTANCES, INSTANCES_CSV, METADATA = "instances.json", "instances.csv", "metadata.json"
TEXTS = (INSTANCES, INSTANCES_CSV, METADATA)
VIEWPOINT, LIGHTING, AMODAL, KEYPOINTS = "viewpoint", "lighting", "amodal", "keypoints"
MASKS = "masks"
KEYPOINT_TABLE = "keypoints.json"
"""The one text in the group of keypoints."""
SINCE_1_1 = (AMODAL, KEYPOINTS)
"""Groups that 1.0 did not have: there a map might be called so."""
RESERVED = (VIEWPOINT, LIGHTING, *SINCE_1_1, *TEXTS)
"""Names at the root that are no maps, so that no `map_by` key can have them."""

LENS_MODEL = "pinhole"
LENS_SIDES, LENS_NUMBERS = ("width", "height"), ("fx", "fy", "cx", "cy")


def light_map(lighting: str, name: str) -> str:
    """Name in a file of a map of one lighting."""
    return f"{LIGHTING}/{lighting}/{name}"


def split(name: str) -> tuple[str | None, str]:
    """The lighting (None for geometry) and the modality of a map's name in a file."""
    lighting, _, modality = name.removeprefix(f"{LIGHTING}/").rpartition("/")
    return (lighting, modality) if name.startswith(f"{LIGHTING}/") else (None, name)


def check_component(name: str) -> None:
    """Raise ValueError where HDF5 would read a name as a path."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} cannot be a name in a file; rename the key or lighting")
