"""Laws of what is said about instances beside what is seen of them."""

from collections.abc import Iterator

import numpy as np

from pixeltruth.laws import FLOAT64_NOISE, HALF_ULP, Evidence, Law, ids_in, listed_ids, named, pixels
from pixeltruth.view import Box3d, InstanceRow


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


def boxes_hold_what_is_seen(view: Evidence) -> Iterator[str]:
    """A 3D box is placed by a rotation and holds every visible point of its instance; `nocs` is the place in it.

    A point follows from the stored depth, so it is off by up to ``2**-24`` of its distance, and `nocs` by that over the
    box's diagonal, and by its own rounding.
    """
    for row in view.table:
        if row.box3d is None:
            continue
        turn = row.box3d.world_from_box[:3, :3]
        rotation = np.allclose(turn @ turn.T, np.eye(3), atol=1e-9) and np.linalg.det(turn) > 0
        if not (rotation and np.array_equal(row.box3d.world_from_box[3], [0, 0, 0, 1])):
            yield f"{named(row)}: world_from_box is not a rotation and a translation"
        elif row.box is not None:
            yield from _seen_in_box(view, row, row.box3d)


def _seen_in_box(view: Evidence, row: InstanceRow, box: Box3d) -> Iterator[str]:
    x, y, width, height = row.box or (0, 0, 0, 0)
    window = np.s_[y : y + height, x : x + width]
    seen = view.maps["instance"][window] == row.id
    points = view.rays[window][seen] * view.depth[window][seen][:, None]
    pose, turn = view.viewpoint.world_from_camera, box.world_from_box[:3, :3]
    apart = pose[:3, 3] - box.world_from_box[:3, 3]
    places = points @ pose[:3, :3].T @ turn + apart @ turn
    far = np.abs(points).sum(axis=1) + np.abs(apart).sum()
    slack = (2 * HALF_ULP * np.abs(points).sum(axis=1) + FLOAT64_NOISE * far + 1e-300)[:, None]
    if (np.abs(places) > box.size / 2 + slack).any():
        yield f"{named(row)} is seen outside its 3D box"
    diagonal = float(np.linalg.norm(box.size))
    if "nocs" in view.maps and diagonal > 0:
        found = view.maps["nocs"][window][seen].astype(np.float64)
        wrong = ~(np.abs(found - places / diagonal - 0.5) <= slack / diagonal + 2 * HALF_ULP * np.abs(found))
        if wrong.any():
            yield f"{named(row)}: nocs is not the place in its 3D box at {wrong.any(axis=1).sum()} pixels"


def parts_belong_to_their_instances(view: Evidence) -> Iterator[str]:
    """Every id in `part` is in scene.json, and belongs to the pixel's instance."""
    owners = {entry.id: entry.instance for entry in view.scene.parts}
    part = view.maps["part"].astype(np.uint64)
    yield from listed_ids("part map holds", sorted(set(ids_in(part)) - owners.keys()), "that scene.json lacks")
    wrong = [
        pair >> 32
        for pair in ids_in(part << np.uint64(32) | view.maps["instance"].astype(np.uint64))
        if owners.get(pair >> 32, pair & 0xFFFFFFFF) != pair & 0xFFFFFFFF
    ]
    yield from listed_ids("parts", sorted(set(wrong)), "lie on instances that they do not belong to")


def boundaries_are_where_something_farther_begins(view: Evidence) -> Iterator[str]:
    """`occlusion_boundary`: a neighbour sees another instance that is farther in float32; never one that is nearer."""
    ids, depth = view.maps["instance"], view.depth
    farther, as_far = (np.zeros(ids.shape, dtype=bool) for _ in range(2))
    for here, there in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        other = ids[here] != ids[there]
        for one, two in ((here, there), (there, here)):
            farther[one] |= other & (depth[two] > depth[one] * (1 + 4 * HALF_ULP))
            as_far[one] |= other & (depth[two] >= depth[one] * (1 - 4 * HALF_ULP))
    found = view.maps["occlusion_boundary"]
    yield from pixels(
        (farther & ~found) | (found & ~as_far), "occlusion_boundary is not where something farther begins"
    )


def uvs_are_two_numbers_or_none(view: Evidence) -> Iterator[str]:
    """`uv` is NaN in both coordinates or finite in both, and NaN where nothing is hit."""
    missing = np.isnan(view.maps["uv"])
    yield from pixels(missing.any(axis=-1) != missing.all(axis=-1), "uv is NaN in one coordinate")
    yield from pixels(np.isinf(view.maps["uv"]).any(axis=-1), "uv is not finite")
    for name, hit in view.hits.items():
        yield from pixels(~hit & ~missing.all(axis=-1), f"uv and {name} differ on whether anything is hit")
        break


INSTANCE_LAWS: tuple[Law, ...] = (
    Law("amodal", amodal_facts_agree),
    Law("amodal masks", amodal_masks_are_those_of_the_table, ("instance",)),
    Law("box3d", boxes_hold_what_is_seen, ("instance", ("depth", "distance"))),
    Law("parts", parts_belong_to_their_instances, ("part", "instance")),
    Law("boundaries", boundaries_are_where_something_farther_begins,
        ("occlusion_boundary", "instance", ("depth", "distance"))),
    Law("uv", uvs_are_two_numbers_or_none, ("uv",)),
)  # fmt: skip
