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
from sdg.data.toyfaces.siblings import (
    crossed_attributes,
    four_captions,
    pair_captions,
    sibling_attributes,
)
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

    ``family`` says how many neighbours are siblings, 1 by default. With ``siblings``
    (:func:`~sdg.data.toyfaces.siblings.sibling_attributes`) it is 2: each face is followed by its sibling, so
    B is twice the number of indices, and their captions mention what differs. With ``crossed``
    (:func:`~sdg.data.toyfaces.siblings.crossed_attributes`), too, it is 4: this pair is followed by another.

    Raises:
        SDGError: the split has fewer faces, or ``siblings`` or ``crossed`` has no sense.
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
        crossed: Mapping[str, float] | None = None,
    ):
        indices = SPLITS[split]
        if not 0 < count <= len(indices):
            raise SDGError(f"the {split} split of toyfaces has {len(indices)} faces, {count} were asked for")
        self.split, self.captions, self.seed = split, captions, seed
        index = torch.arange(indices.start, indices.start + count)
        nuisances = sample_nuisances(seed, index)
        faces, columns = sample_attributes(seed, index), []
        families = faces[:, None]
        if siblings is not None:
            others, column = sibling_attributes(faces, index, siblings, seed)
            families, columns = torch.stack([faces, others], dim=1), [column]
            if crossed is not None:
                crosses, second = crossed_attributes(families, column, index, crossed, seed)
                families, columns = torch.cat([families, crosses], dim=1), [column, second]
        self.columns = torch.stack(columns, dim=1) if columns else None
        self.family, self.attributes = families.shape[1], families
        self.images = render_all(families.flatten(0, 1), nuisances.repeat_interleave(self.family, 0), size)
        self.images = self.images.unflatten(0, (-1, self.family))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, Sequence[int]]) -> dict:
        step, indices = key
        rows = torch.as_tensor(indices)
        attributes = self.attributes[rows]
        nuisances = sample_nuisances(self.seed, rows + SPLITS[self.split].start)
        batch = {
            "image": self.images[rows].flatten(0, 1),
            "attributes": attributes.flatten(0, 1),
            "nuisances": nuisances.repeat_interleave(self.family, dim=0),
            "step": step,
            "family": self.family,
        }
        if self.captions:
            first = step * len(indices) * self.ranks + self.rank
            batch |= self._words(attributes.tolist(), rows, count(first, self.ranks))
        return batch

    def _words(
        self, families: list[list[list[int]]], rows: Tensor, numbers: Iterator[int]
    ) -> dict[str, list[str]]:
        """Captions and descriptions of the faces of a batch, whose indices are numbered in the whole one."""
        captions, descriptions = [], []
        columns = [[]] * len(rows) if self.columns is None else self.columns[rows].tolist()
        for faces, column, i in zip(families, columns, numbers, strict=False):
            if len(faces) == 1:
                captions.append(caption(faces[0], self.seed, i).text)
            elif len(faces) == 2:
                captions += pair_captions(faces[0], faces[1], column[0], self.seed, i)
            else:
                captions += four_captions(faces, column, self.seed, i)
            first = len(faces) * i
            descriptions += [description(face, self.seed, n) for n, face in enumerate(faces, start=first)]
        return {"captions": captions, "descriptions": descriptions}


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
        crossed: train on fours: each of these pairs comes once more with a second attribute changed, how
            often which, as ``{"beard": 2, "glasses": 1}``. None: on pairs.

    Raises:
        SDGError: ``crossed`` without ``siblings``, or a batch that does not hold whole families.
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
        crossed: Mapping[str, float] | None = None,
    ):
        super().__init__()
        if siblings is None and crossed is not None:
            raise SDGError("data.crossed changes siblings: give data.siblings, too")
        self.family = 1 if siblings is None else 2 if crossed is None else 4
        if batch_size % self.family:
            kind, step = ("pairs", "an even number") if self.family == 2 else ("fours", "a multiple of 4")
            raise SDGError(f"data.batch_size={batch_size} does not hold {kind}: use {step}")
        self.size, self.batch_size, self.captions, self.seed = size, batch_size, captions, seed
        self.siblings, self.crossed = siblings, crossed
        self.counts = {"train": train_count, "validation": val_count}
        self.sets: dict[str, ToyFaces] = {}

    def __str__(self) -> str:
        return (
            f"toyfaces (seed {self.seed}), {self.size} px, {self.counts['train']:,} faces to train on and "
            f"{self.counts['validation']:,} to validate on, {self.batch_size} a step, "
            f"{'with' if self.captions else 'no'} captions{', in pairs' * (self.family == 2)}"
            f"{', in fours' * (self.family == 4)}"
        )

    def setup(self, stage: str) -> None:
        for split in ("train", "validation") if stage == "fit" else ("validation",):
            if split not in self.sets:
                families = (self.siblings, self.crossed) if split == "train" else ()
                self.sets[split] = ToyFaces(
                    split, self.counts[split], self.size, self.captions, self.seed, *families
                )

    def train_dataloader(self) -> DataLoader:
        trainer, faces = self.trainer, self.sets["train"]
        assert trainer is not None, "Lightning gives a data module its trainer before it asks for data"
        faces.ranks, faces.rank = trainer.world_size, trainer.global_rank
        batches = training_batches(trainer, len(faces), self.batch_size // self.family, self.seed)
        return DataLoader(faces, sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader:
        faces = self.sets["validation"]
        starts = range(0, len(faces), self.batch_size)
        batches = [(i, list(range(s, min(s + self.batch_size, len(faces))))) for i, s in enumerate(starts)]
        return DataLoader(faces, sampler=batches, batch_size=None)
