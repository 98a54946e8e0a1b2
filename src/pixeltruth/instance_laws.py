"""Laws of what is said about instances beside what is seen of them."""

from collections.abc import Iterator

import numpy as np

from pixeltruth.evidence import HALF_ULP, Evidence, ids_in, named
from pixeltruth.view import InstanceRow


def amodal_masks_are_those_of_the_table(view: Evidence) -> Iterator[str]:
    """An amodal mask has the area and box of its row, holds every visible pixel, and hides behind those it names."""
    for row in view.table:
        if row.amodal is None or row.amodal.amodal_box is None:
            continue
        mask, (x, y, width, height) = view.amodal[row.id], row.amodal.amodal_box
        seen = view.maps["instance"][y : y + height, x : x + width]
        tight = mask[[0, -1]].any(axis=1).all() and mask[:, [0, -1]].any(axis=0).all()
        if not tight or np.count_nonzero(mask) != row.amodal.amodal_area:
            yield f"{named(row)}: amodal area and box are not those of its mask"
        if np.count_nonzero(mask & (seen == row.id)) != row.area:
            yield f"{named(row)} is seen outside its amodal mask"
        if (others := sorted(set(ids_in(seen[mask])) - {row.id})) != list(row.amodal.occluded_by):
            yield f"{named(row)}: the table says occluded_by {list(row.amodal.occluded_by)}; its mask shows {others}"


def amodal_facts_agree(view: Evidence) -> Iterator[str]:
    """All rows are amodal or none is; fraction = area / amodal area; places in the order of depth are 1, 2, 3, ...

    Instances that are seen wholly lie in that order by their least depth, within ``2**-24``.
    """
    told = [row for row in view.table if row.amodal is not None]
    if 0 < len(told) < len(view.table):
        yield f"{len(told)} of {len(view.table)} instances have amodal facts"
    for row in told:
        whole = row.amodal_area
        if row.visible_fraction != (row.area / whole if whole else None):
            yield f"{named(row)}: visible_fraction is {row.visible_fraction}, area {row.area}, amodal area {whole}"
    placed = sorted((row for row in told if row.amodal_area), key=lambda row: row.depth_order or 0)
    if [row.depth_order for row in placed] != list(range(1, len(placed) + 1)):
        yield f"depth_order is {[row.depth_order for row in placed]}, not 1 to {len(placed)}"
    elif "instance" in view.maps and ("depth" in view.maps or "distance" in view.maps):
        yield from _out_of_order(view, [row for row in placed if row.visible_fraction == 1])


def _out_of_order(view: Evidence, rows: list[InstanceRow]) -> Iterator[str]:
    ids, depth = view.maps["instance"], view.depth
    farthest = 0.0
    for row in rows:
        x, y, width, height = row.box or (0, 0, 0, 0)
        window = np.s_[y : y + height, x : x + width]
        nearest = float(depth[window][ids[window] == row.id].min(initial=np.inf))
        if nearest < farthest * (1 - 4 * HALF_ULP):
            yield f"{named(row)} is {nearest:.9g} m away, but comes after one at {farthest:.9g} m in depth_order"
        farthest = max(farthest, nearest)
