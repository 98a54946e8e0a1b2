"""Small COCO sets for tests: people of boxes, ellipses in run lengths and crowds, whose masks have a closed form."""

import json
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (48, 64)
JOINTS = ("head", "hand", "foot")
PERSON = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(JOINTS), "skeleton": [[1, 2], [2, 3]]}


def box_polygon(x, y, width, height):
    """A polygon that COCO's rule draws as exactly the pixels x..x + width - 1, y..y + height - 1."""
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def box_mask(x, y, width, height, size=SIZE):
    mask = np.zeros(size, bool)
    mask[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = True
    return mask


def counts_of(mask):
    """Run lengths, column by column, by counting pixel after pixel."""
    counts, value = [0], 0
    for pixel in mask.T.reshape(-1).astype(int).tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def rle(mask):
    return {"size": list(mask.shape), "counts": counts_of(mask)}


def judged(segmentation):
    """The mask that pycocotools decodes; what it does with NumPy's newest rules is not ours to judge."""
    from pycocotools import mask

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return mask.decode(segmentation).astype(bool)


def person(number, image_id, segmentation, **more):
    """An annotation with its three joints labelled."""
    row = {
        "id": number, "image_id": image_id, "category_id": 1, "iscrowd": 0, "area": 100.0, "bbox": [1, 2, 3.5, 4],
        "segmentation": segmentation, "num_keypoints": 3, "keypoints": [number, 2, 2, 5, 6, 1, 7, 8, 2],
    }  # fmt: skip
    return row | more


def nameless(number, image_id, segmentation, **more):
    """An annotation without labelled joints."""
    return person(number, image_id, segmentation, num_keypoints=0, keypoints=[0] * 9, **more)


def crowd(number, image_id, mask):
    return nameless(number, image_id, rle(mask), iscrowd=1)


class CocoSet:
    """A set that is being made: pictures of noise in a folder, and their annotations."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.images, self.annotations = folder, [], []
        self.pictures = folder / "images"
        self.pictures.mkdir(parents=True)

    def picture(self, number, *, size=SIZE, name=None, written=True):
        name = name or f"{number:012d}.{'png' if number % 2 else 'jpg'}"
        self.images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})
        if written:
            pixels = np.random.default_rng(number).integers(0, 255, (*size, 3), np.uint8)
            Image.fromarray(pixels).save(self.pictures / name)
        return number

    def add(self, *rows):
        self.annotations.extend(rows)

    def write(self, categories=(PERSON,)):
        path = self.folder / "annotations.json"
        said = {"categories": list(categories), "images": self.images, "annotations": self.annotations}
        path.write_text(json.dumps(said), encoding="utf-8")
        return path


def example(folder: Path) -> CocoSet:
    """Five pictures: people that overlap; a crowd and one without joints; only a crowd; nothing; one inside another."""
    made = CocoSet(folder)
    for number in (9, 100, 8, 7, 12):
        made.picture(number)
    made.add(
        person(31, 9, [box_polygon(4, 5, 20, 30)]),
        person(30, 9, [box_polygon(14, 10, 20, 30)]),
        person(40, 100, [box_polygon(2, 2, 10, 10), box_polygon(40, 2, 10, 10)]),
        nameless(41, 100, rle(box_mask(8, 6, 12, 12))),
        crowd(42, 100, box_mask(10, 10, 30, 20)),
        person(43, 100, [box_polygon(50, 30, 5, 5)], area=0),
        crowd(50, 8, box_mask(1, 1, 5, 40)),
        person(60, 12, [box_polygon(10, 10, 30, 30)]),
        person(61, 12, [box_polygon(15, 15, 5, 5)]),
    )
    return made


def expected_planes():
    """Index, crowd and unannotated of `example`'s pictures, from their boxes."""
    none = np.zeros(SIZE, np.uint8)
    no = none.astype(bool)
    first, second = box_mask(4, 5, 20, 30), box_mask(14, 10, 20, 30)
    two = box_mask(2, 2, 10, 10) | box_mask(40, 2, 10, 10)
    third = box_mask(8, 6, 12, 12)
    return {
        9: (np.where(first, 1, np.where(second, 2, none)), no, no, first & second),
        100: (np.where(two, 1, np.where(third, 2, none)), box_mask(10, 10, 30, 20), third, two & third),
        8: (none, box_mask(1, 1, 5, 40), no, no),
        12: (np.where(box_mask(10, 10, 30, 30), 1, none), no, no, box_mask(15, 15, 5, 5)),
    }


def packed(made, name="out.h5", **options):
    """The report of packing a set, and the file."""
    from pixeltruth.coco import pack

    output = made.folder / name
    return pack(made.write(), made.pictures, output, **options), output
