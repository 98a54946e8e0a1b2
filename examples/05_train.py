"""Train: a small network that tells categories from shape alone, on what example 01 rendered.

One camera's views are for training, the other's for validation. Needs PyTorch: pip install 'pixeltruth[torch]'

    python examples/01_render_and_load.py FOLDER
    python examples/05_train.py FOLDER
"""

import sys
from pathlib import Path

import torch
from torch.nn import Conv2d, ReLU, Sequential
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

import pixeltruth
from pixeltruth.torch import TorchDataset

STEPS = 60


def prepare(sample: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Normals and inverse depth (5, h, w), which is 0 where nothing is hit; the category of each pixel (h, w)."""
    nearness = 1 / sample["depth"][None]
    return torch.cat([sample["normals"], nearness, nearness.log1p()]), sample["category_id"]


def main(folder: Path) -> None:
    """Reads ``folder/dataset`` and prints how many pixels of unseen views are told rightly, before and after."""
    torch.manual_seed(0)
    dataset = pixeltruth.load(folder / "dataset")
    parts = dataset.split({"train": 0.5, "val": 0.5}, by="camera", exact=True)
    (row,) = [row for row in dataset[0].modalities if row.name == "category_id"]
    values = torch.tensor(sorted({row.background, *dataset.stats().categories}))
    print("categories:", ", ".join(dataset.categories.get(int(value), str(int(value))) for value in values))

    names = ("normals", "depth", "category_id")
    served = {name: TorchDataset(part, names, transform=prepare) for name, part in parts.items()}
    train, val = (DataLoader(part, batch_size=2, shuffle=True, num_workers=1) for part in served.values())
    hidden = [Conv2d(5, 32, 7, padding=3), ReLU(), Conv2d(32, 32, 5, padding=2), ReLU()]
    net = Sequential(*hidden, Conv2d(32, len(values), 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def right() -> float:
        with torch.no_grad():
            return torch.cat([(values[net(maps).argmax(dim=1)] == ids).flatten() for maps, ids in val]).float().mean()

    print(f"before: {right():.1%} of the pixels of {parts['val']}")
    batches = list(train)
    for step in range(STEPS):
        maps, ids = batches[step % len(batches)]
        optimizer.zero_grad()
        cross_entropy(net(maps), torch.searchsorted(values, ids.long())).backward()
        optimizer.step()
    print(f"after {STEPS} steps: {right():.1%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
