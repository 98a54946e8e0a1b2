"""How far labels are from closed forms, from the seed's published numbers, and from what Cycles sees."""

from typing import Any

from benchmarks.inside import ask
from benchmarks.measure import show, table


def main() -> None:
    """Numbers, not speed."""
    found = ask("exactness")
    show(_closed_form(found["closed form"]))
    if not found["published"]:
        show("exactness: the seed's scene is not on this machine (PIXELTRUTH_DATA names its folder)")
        return
    show(_published(found["published"]), _cycles(found["cycles"]))
    show("At filter width 1.5, as the published numbers were made, Cycles takes depth some 6e-4 pixels off the centre "
         "of a pixel; where view 2 is deepest, depth changes by 3.4 m a pixel.")  # fmt: skip


def _closed_form(results: list[dict[str, Any]]) -> Any:
    rows = table(
        "exactness: largest errors against closed form in float64, pixels farther than 1e-3 px from an edge",
        "scene", "where", "pixels", "wrong ids", "depth, relative", "distance, relative", "normals",
    )  # fmt: skip
    rows.add_row("[i]required[/i]", "", "", "0", "<= 1e-5", "<= 1e-5", "<= 1e-4", end_section=True)
    for result in results:
        rows.add_row(result["scene"], "10 km away" if result["far"] else "near", f"{result['pixels']:,}",
                     str(result["ids"]), f"{result['depth']:.1e}", f"{result['distance']:.1e}",
                     f"{result['normals']:.1e}")  # fmt: skip
    return rows


def _published(results: list[dict[str, Any]]) -> Any:
    rows = table("exactness: the seed's scene minus its published numbers", "view", "pixels of an object",
                 "least depth", "mean depth", "largest depth")  # fmt: skip
    rows.add_row("[i]required[/i]", "<= 2", "<= 1e-3 m", "<= 1e-3 m", "", end_section=True)
    for result in results:
        rows.add_row(str(result["view"]), str(result["count"]),
                     *(f"{result[key]:+.1e} m" for key in ("min", "mean", "max")))  # fmt: skip
    return rows


def _cycles(results: list[dict[str, Any]]) -> Any:
    rows = table("exactness: the seed's scene against Cycles' IndexOB and Z", "filter width", "view", "ids that differ",
                 "depth, median relative", "depth, largest relative")  # fmt: skip
    rows.add_row("[i]required at 0.01[/i]", "", "<= 5", "<= 1e-6", "", end_section=True)
    for result in results:
        rows.add_row(f"{result['width']:g}", str(result["view"]), str(result["ids"]), f"{result['median']:.1e}",
                     f"{result['max']:.1e}")  # fmt: skip
    return rows
