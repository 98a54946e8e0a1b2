"""`stats_of`: what a packed file holds, counted."""

from dataclasses import dataclass

import numpy as np

from pixeltruth.coco.dataset import PackedDataset
from pixeltruth.coco.sample import CompactSample, Sample

_SMALL, _LARGE = 32**2, 96**2
"""Pixels; the bounds of COCO's own evaluation."""


@dataclass(frozen=True)
class Stats:
    """Counts of a packed file.

    Attributes:
        layout: Its layout.
        listed: Pictures that the file of annotations lists; None where that is not told.
        images: Pictures.
        with_keypoints: Of these, those with a labelled keypoint.
        instances: Instances, crowds not among them.
        labelled: Of these, those with a labelled keypoint.
        crowds: Annotations that are a crowd; pictures with a crowd in a classic file.
        small, medium, large: Instances by their area: below 32 x 32 pixels, below 96 x 96, and the rest, as COCO counts
            them. In a classic file the area is what is seen of them.
        hidden: Instances without a pixel of their own: all of it lies below earlier ones, or outside the picture.
        covered: Pixels of instances.
        overlap: Of these, those of two or more; None where the layout does not tell.
        most: The most instances of one picture.
        joints: Name of each joint, how often it is hidden, how often visible.
    """

    layout: str
    listed: int | None
    images: int
    with_keypoints: int
    instances: int
    labelled: int
    crowds: int
    small: int
    medium: int
    large: int
    hidden: int
    covered: int
    overlap: int | None
    most: int
    joints: tuple[tuple[str, int, int], ...]

    def lines(self) -> list[str]:
        """As the command prints it."""
        share = "" if self.overlap is None or not self.covered else f"{self.overlap / self.covered:.2%} of their pixels"
        rows = {
            "layout": self.layout,
            "images listed": "not known" if self.listed is None else self.listed,
            "images": self.images,
            "images with keypoints": self.with_keypoints,
            "instances": self.instances,
            "with keypoints": self.labelled,
            "without keypoints": self.instances - self.labelled,
            "crowds": self.crowds,
            "small, medium, large": f"{self.small}, {self.medium}, {self.large}",
            "wholly hidden": self.hidden,
            "overlap": share or "not known in this layout",
            "most in one image": self.most,
        }
        lines = [f"{name:<22} {fact}" for name, fact in rows.items()]
        return lines + [f"{name:<22} {seen} visible, {hidden} hidden" for name, hidden, seen in self.joints]


def stats_of(packed: PackedDataset) -> Stats:
    """Count what a packed file holds, one picture in memory at a time.

    Raises:
        FormatError: It is damaged.
    """
    counts = dict.fromkeys(
        ("with_keypoints", "instances", "labelled", "crowds", "small", "medium", "large", "hidden", "covered", "most"),
        0,
    )
    overlap = 0
    flags: np.ndarray | None = None
    for sample in packed:
        for name, value in _of_one(sample).items():
            counts[name] = max(counts[name], value) if name == "most" else counts[name] + value
        overlap += 0 if sample.overlap is None else int(np.count_nonzero(sample.overlap))
        if len(sample.ids):
            here = np.stack([(sample.facts.keypoints[..., 2] == flag).sum(axis=0) for flag in (1, 2)], axis=-1)
            flags = here if flags is None else flags + here
    names = packed.joints or tuple(f"keypoint {n + 1}" for n in range(0 if flags is None else len(flags)))
    found = np.zeros((len(names), 2), np.int64) if flags is None else flags
    joints = tuple((name, int(hidden), int(seen)) for name, (hidden, seen) in zip(names, found, strict=True))
    known = packed.layout == "compact" or packed.overlap
    listed = packed.contents.report.listed if packed.contents else None
    return Stats(packed.layout, listed, len(packed), overlap=overlap if known else None, joints=joints, **counts)


def _of_one(sample: Sample) -> dict[str, int]:
    labelled = int((sample.facts.keypoints[..., 2] > 0).any(axis=1).sum())
    seen = np.bincount(sample.index.reshape(-1), minlength=len(sample.ids) + 1)[1 : len(sample.ids) + 1]
    if isinstance(sample, CompactSample):
        areas, crowds = sample.rows.area[~sample.rows.crowd], int(sample.rows.crowd.sum())
    else:
        areas, crowds = seen, int(sample.crowd.any())
    return {
        "with_keypoints": int(labelled > 0),
        "instances": len(areas),
        "labelled": labelled,
        "crowds": crowds,
        "small": int((areas < _SMALL).sum()),
        "medium": int(((areas >= _SMALL) & (areas < _LARGE)).sum()),
        "large": int((areas >= _LARGE).sum()),
        "hidden": int((seen == 0).sum()),
        "covered": int(seen.sum()),
        "most": len(areas),
    }
