"""toyfaces as training data: rendered once into memory, read in an order that a resumed run repeats."""

from collections.abc import Sequence
from itertools import count

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sdg.data.picture_data import PictureData
from sdg.data.shard import training_batches
from sdg.data.toyfaces.attributes import SPLITS, sample_nuisances
from sdg.data.toyfaces.captions import caption, description
from sdg.data.toyfaces.render import faces
from sdg.errors import SDGError
from sdg.pixels import to_bytes
from sdg.progress import Bar


def render_split(
    split: str, count: int, size: int, seed: int = 0, progress: bool = True
) -> tuple[Tensor, Tensor]:
    """The first ``count`` faces of a split: images (N, 3, size, size) uint8 and attributes (N, 8) int64."""
    indices = SPLITS[split]
    if not 0 < count <= len(indices):
        raise SDGError(f"the {split} split of toyfaces has {len(indices)} faces, {count} were asked for")
    images = torch.empty(count, 3, size, size, dtype=torch.uint8)
    attributes = torch.empty(count, 8, dtype=torch.int64)
    chunks = range(0, count, 512)
    for start in Bar(chunks, desc=f"rendering {count} {split} faces", disable=not progress, leave=False):
        index = torch.arange(indices[start], indices[min(start + 512, count) - 1] + 1)
        pixels, attributes[start : start + 512] = faces(seed, index, size)
        images[start : start + 512] = to_bytes(pixels)
    return images, attributes


class ToyFaces(Dataset):
    """Batches of the first ``count`` faces of a split, addressed by ``(step, indices)``.

    A batch is a dict of ``image`` (B, 3, size, size) uint8, ``attributes`` (B, 8) int64,
    ``nuisances`` (B, 11) float32, ``step`` int and, if ``captions`` is set, B ``captions`` and
    ``descriptions``, new ones at every step: a caption mentions some attributes, a description all that is
    visible. Captions are numbered as in the whole batch, of which ``rank`` of ``ranks`` gets its part.
    """

    ranks, rank = 1, 0

    def __init__(self, split: str, count: int, size: int, captions: bool = False, seed: int = 0):
        self.split, self.captions, self.seed = split, captions, seed
        self.images, self.attributes = render_split(split, count, size, seed)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, Sequence[int]]) -> dict:
        step, indices = key
        rows = torch.as_tensor(indices)
        attributes = self.attributes[rows]
        batch = {
            "image": self.images[rows],
            "attributes": attributes,
            "nuisances": sample_nuisances(self.seed, rows + SPLITS[self.split].start),
            "step": step,
        }
        if self.captions:
            numbers = count(step * len(indices) * self.ranks + self.rank, self.ranks)
            numbered = list(zip(numbers, attributes.tolist(), strict=False))
            batch["captions"] = [caption(row, self.seed, i).text for i, row in numbered]
            batch["descriptions"] = [description(row, self.seed, i) for i, row in numbered]
        return batch


class ToyFacesData(PictureData):
    """Procedural faces: no files, no network.

    Args:
        size: side of the pictures in pixels.
        batch_size: pictures per step, on all devices together.
        train_count, val_count: how many faces of each split are held in memory.
        captions: also give a caption and a description for every picture.
        seed: seed of the faces, the order and the captions.
    """

    def __init__(
        self,
        size: int = 64,
        batch_size: int = 32,
        train_count: int = 32768,
        val_count: int = 1024,
        captions: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.size, self.batch_size, self.captions, self.seed = size, batch_size, captions, seed
        self.counts = {"train": train_count, "validation": val_count}
        self.sets: dict[str, ToyFaces] = {}

    def __str__(self) -> str:
        return (
            f"toyfaces (seed {self.seed}), {self.size} px, {self.counts['train']:,} faces to train on and "
            f"{self.counts['validation']:,} to validate on, {self.batch_size} a step, "
            f"{'with' if self.captions else 'no'} captions"
        )

    def setup(self, stage: str) -> None:
        for split in ("train", "validation") if stage == "fit" else ("validation",):
            if split not in self.sets:
                self.sets[split] = ToyFaces(split, self.counts[split], self.size, self.captions, self.seed)

    def train_dataloader(self) -> DataLoader:
        trainer, faces = self.trainer, self.sets["train"]
        assert trainer is not None, "Lightning gives a data module its trainer before it asks for data"
        faces.ranks, faces.rank = trainer.world_size, trainer.global_rank
        batches = training_batches(trainer, len(faces), self.batch_size, self.seed)
        return DataLoader(faces, sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader:
        faces = self.sets["validation"]
        starts = range(0, len(faces), self.batch_size)
        batches = [(i, list(range(s, min(s + self.batch_size, len(faces))))) for i, s in enumerate(starts)]
        return DataLoader(faces, sampler=batches, batch_size=None)
