"""toyfaces as training data: rendered once into memory, read in an order that a resumed run repeats."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sdg.data.picture_data import PictureData
from sdg.data.shard import training_batches
from sdg.data.toyfaces.attributes import SPLITS, sample_attributes, sample_nuisances
from sdg.data.toyfaces.captions import caption, description
from sdg.data.toyfaces.render import render
from sdg.data.toyfaces.siblings import pair_captions, sibling_attributes
from sdg.errors import SDGError
from sdg.pixels import to_bytes
from sdg.progress import Bar


def render_all(attributes: Tensor, nuisances: Tensor, size: int, progress: bool = True) -> Tensor:
    """Faces (N, 3, size, size) uint8 with these attributes (N, 8) and nuisances (N, 11)."""
    images = torch.empty(len(attributes), 3, size, size, dtype=torch.uint8)
    starts = range(0, len(images), 512)
    for start in Bar(starts, desc=f"rendering {len(images)} faces", disable=not progress, leave=False):
        rows = slice(start, start + 512)
        images[rows] = to_bytes(render(attributes[rows], nuisances[rows], size))
    return images


class ToyFaces(Dataset):
    """Batches of the first ``count`` faces of a split, addressed by ``(step, indices)``.

    A batch is a dict of ``image`` (B, 3, size, size) uint8, ``attributes`` (B, 8) int64,
    ``nuisances`` (B, 11) float32, ``step`` int and, if ``captions`` is set, B ``captions`` and
    ``descriptions``, new ones at every step: a caption mentions some attributes, a description all that is
    visible. Captions are numbered as in the whole batch, of which ``rank`` of ``ranks`` gets its part.

    With ``siblings`` (:func:`~sdg.data.toyfaces.siblings.sibling_attributes`), each face is followed by its
    sibling, so B is twice the number of indices, their captions mention what differs, and ``paired`` is true.

    Raises:
        SDGError: the split has fewer faces, or ``siblings`` has no sense.
    """

    ranks, rank = 1, 0

    def __init__(
        self,
        split: str,
        count: int,
        size: int,
        captions: bool = False,
        seed: int = 0,
        siblings: Mapping[str, float] | None = None,
    ):
        indices = SPLITS[split]
        if not 0 < count <= len(indices):
            raise SDGError(f"the {split} split of toyfaces has {len(indices)} faces, {count} were asked for")
        self.split, self.captions, self.seed = split, captions, seed
        index = torch.arange(indices.start, indices.start + count)
        nuisances = sample_nuisances(seed, index)
        self.attributes, self.columns = sample_attributes(seed, index), None
        self.images = render_all(self.attributes, nuisances, size)
        if siblings is not None:
            others, self.columns = sibling_attributes(self.attributes, index, siblings, seed)
            self.images = torch.stack([self.images, render_all(others, nuisances, size)], dim=1)
            self.attributes = torch.stack([self.attributes, others], dim=1)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, Sequence[int]]) -> dict:
        step, indices = key
        rows = torch.as_tensor(indices)
        images, attributes = self.images[rows], self.attributes[rows]
        nuisances = sample_nuisances(self.seed, rows + SPLITS[self.split].start)
        if self.columns is not None:
            images, attributes = images.flatten(0, 1), attributes.flatten(0, 1)
            nuisances = nuisances.repeat_interleave(2, dim=0)
        batch = {
            "image": images,
            "attributes": attributes,
            "nuisances": nuisances,
            "step": step,
            "paired": self.columns is not None,
        }
        if self.captions:
            first = step * len(indices) * self.ranks + self.rank
            batch |= self._words(attributes.tolist(), rows, count(first, self.ranks))
        return batch

    def _words(
        self, attributes: list[list[int]], rows: Tensor, numbers: Iterator[int]
    ) -> dict[str, list[str]]:
        """Captions and descriptions of the faces of a batch, whose indices are numbered in the whole one."""
        if self.columns is None:
            numbered = list(zip(attributes, numbers, strict=False))
            texts = [caption(row, self.seed, i).text for row, i in numbered]
        else:
            pairs = zip(attributes[::2], attributes[1::2], self.columns[rows].tolist(), numbers, strict=False)
            numbered, texts = [], []
            for face, sibling, column, i in pairs:
                texts += pair_captions(face, sibling, column, self.seed, i)
                numbered += [(face, 2 * i), (sibling, 2 * i + 1)]
        return {
            "captions": texts,
            "descriptions": [description(row, self.seed, i) for row, i in numbered],
        }


class ToyFacesData(PictureData):
    """Procedural faces: no files, no network.

    Args:
        size: side of the pictures in pixels.
        batch_size: pictures per step, on all devices together.
        train_count, val_count: how many faces of each split are held in memory.
        captions: also give a caption and a description for every picture.
        seed: seed of the faces, the order and the captions.
        siblings: train on pairs of faces that differ in one attribute: how often in which, relative to the
            others, as ``{"expression": 2, "hat": 1}``; None: on unrelated faces. Validation always is.

    Raises:
        SDGError: pairs in a batch of an odd number of pictures.
    """

    def __init__(
        self,
        size: int = 64,
        batch_size: int = 32,
        train_count: int = 32768,
        val_count: int = 1024,
        captions: bool = False,
        seed: int = 0,
        siblings: Mapping[str, float] | None = None,
    ):
        super().__init__()
        if siblings is not None and batch_size % 2:
            raise SDGError(f"data.batch_size={batch_size} does not hold pairs: use an even number")
        self.size, self.batch_size, self.captions, self.seed = size, batch_size, captions, seed
        self.siblings = siblings
        self.counts = {"train": train_count, "validation": val_count}
        self.sets: dict[str, ToyFaces] = {}

    def __str__(self) -> str:
        return (
            f"toyfaces (seed {self.seed}), {self.size} px, {self.counts['train']:,} faces to train on and "
            f"{self.counts['validation']:,} to validate on, {self.batch_size} a step, "
            f"{'with' if self.captions else 'no'} captions{', in pairs' if self.siblings else ''}"
        )

    def setup(self, stage: str) -> None:
        for split in ("train", "validation") if stage == "fit" else ("validation",):
            if split not in self.sets:
                siblings = self.siblings if split == "train" else None
                self.sets[split] = ToyFaces(
                    split, self.counts[split], self.size, self.captions, self.seed, siblings
                )

    def train_dataloader(self) -> DataLoader:
        trainer, faces = self.trainer, self.sets["train"]
        assert trainer is not None, "Lightning gives a data module its trainer before it asks for data"
        faces.ranks, faces.rank = trainer.world_size, trainer.global_rank
        each = self.batch_size if self.siblings is None else self.batch_size // 2
        batches = training_batches(trainer, len(faces), each, self.seed)
        return DataLoader(faces, sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader:
        faces = self.sets["validation"]
        starts = range(0, len(faces), self.batch_size)
        batches = [(i, list(range(s, min(s + self.batch_size, len(faces))))) for i, s in enumerate(starts)]
        return DataLoader(faces, sampler=batches, batch_size=None)
