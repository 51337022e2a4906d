"""Batches of pictures in files, where some may be damaged."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sdg.data.captions import Words
from sdg.data.squares import Squares
from sdg.errors import SDGError
from sdg.randomness import keyed_generator

TRIES = 64
"""Pictures tried in a row; if all of them are damaged, the data set is broken."""


class FilePictures(Dataset):
    """Batches of squares, addressed by ``(step, indices)``; indices count the ``places`` that are used.

    A batch is a dict of ``image`` (B, 3, size, size) uint8; ``index`` (B,) int64 and ``flipped``
    (B,) bool, which identify each image; ``step`` int; and ``skipped``, a message for every picture that
    could not be read and was replaced by the next; with ``words``, also B ``captions`` and ``descriptions``.
    If a replacement is not allowed, or fails, the batch holds only ``failure``, a message: an exception
    raised in a worker process would carry the worker's traceback.

    Args:
        places: of the pictures, among all squares.
        flip: mirror each image with probability 1/2, by (seed, step, index).
        on_corrupt: ``skip`` or ``fail``.
        words: what is said of the pictures, if anything.
    """

    def __init__(
        self,
        squares: Squares,
        places: Sequence[int],
        flip: bool,
        on_corrupt: str = "fail",
        seed: int = 0,
        words: Words | None = None,
    ):
        self.squares, self.places, self.flip, self.seed, self.words = squares, places, flip, seed, words
        self.tries = TRIES if on_corrupt == "skip" else 1

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: tuple[int, Sequence[int]]) -> dict:
        step, indices = key
        skipped: list[str] = []
        try:
            places, squares = zip(*(self._find(index, skipped) for index in indices), strict=True)
        except SDGError as error:
            return {"failure": str(error)}
        images = torch.stack(squares)
        flipped = torch.tensor([self.flip and self._mirrored(step, index) for index in indices])
        images[flipped] = images[flipped].flip(-1)
        index = torch.tensor(places)
        batch = {"image": images, "index": index, "flipped": flipped, "step": step, "skipped": skipped}
        if self.words is not None:
            batch["captions"] = [self.words.caption(step, place) for place in places]
            batch["descriptions"] = [self.words.description(step, place) for place in places]
        return batch

    def _find(self, index: int, skipped: list[str]) -> tuple[int, Tensor]:
        """The square at ``index``, or the next readable one, with its place among all squares."""
        message = ""
        for candidate in range(index, index + self.tries):
            place = self.places[candidate % len(self.places)]
            try:
                return place, self.squares[place]
            except SDGError as error:
                message = str(error)
                skipped.append(message)
        if self.tries == 1:
            raise SDGError(f"{message} (data.on_corrupt=skip passes over it)")
        raise SDGError(f"{self.tries} pictures in a row cannot be read, the last because: {message}")

    def _mirrored(self, step: int, index: int) -> bool:
        return bool(torch.rand((), generator=keyed_generator("flip", self.seed, step, index)) < 0.5)
