"""What packing did: counts that can be held against the published ones, and everything that was wrong."""

from collections.abc import Iterable

from pixeltruth.records import Record


class Report(Record):
    """Counts of a packing, or of a part of it.

    Attributes:
        listed: Pictures that the file of annotations lists.
        packed: Pictures in the file that was written.
        without_annotations: Pictures that nothing of the category is in; they are not packed.
        missing: Pictures whose file is not there.
        left_out: Pictures left out for a reason that `remarks` gives.
        instances: Annotations packed that are no crowd; the seed of this layout calls them keypoint poses.
        labelled: Of these, those with a labelled keypoint.
        crowds: Annotations packed that are a crowd.
        no_area: Annotations whose area is 0; they are dropped.
        packed_labelled: Pictures with a labelled keypoint.
        most: The most instances of one picture.
        missing_files: Names of the pictures whose file is not there.
        remarks: What was wrong, a line each.
    """

    listed: int = 0
    packed: int = 0
    without_annotations: int = 0
    missing: int = 0
    left_out: int = 0
    instances: int = 0
    labelled: int = 0
    crowds: int = 0
    no_area: int = 0
    packed_labelled: int = 0
    most: int = 0
    missing_files: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @classmethod
    def total(cls, parts: Iterable["Report"]) -> "Report":
        """Of several parts together."""
        values: dict[str, object] = {}
        found = list(parts)
        for name in cls.model_fields:
            each = [getattr(part, name) for part in found]
            if name == "most":
                values[name] = max(each, default=0)
            else:
                values[name] = sum(each, () if name in ("missing_files", "remarks") else 0)
        return cls.model_validate(values)

    def lines(self) -> list[str]:
        """As the command prints it."""
        rows = {
            "images listed": self.listed,
            "images packed": self.packed,
            "without annotations": self.without_annotations,
            "files missing": self.missing,
            "images left out": self.left_out,
            "instances": self.instances,
            "with keypoints": self.labelled,
            "without keypoints": self.instances - self.labelled,
            "crowds": self.crowds,
            "area 0, dropped": self.no_area,
            "images with keypoints": self.packed_labelled,
            "most in one image": self.most,
        }
        return [f"{name:<22} {count}" for name, count in rows.items()]
