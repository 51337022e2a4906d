"""Batches of pictures in files, where some may be damaged."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sdg.data.squares import Squares
from sdg.errors import SDGError
from sdg.pixels import from_bytes
from sdg.randomness import keyed_generator

TRIES = 64
"""Damaged pictures in a row that are passed over; more are a broken data set."""


class FilePictures(Dataset):
    """Batches of a range of squares, addressed by ``(step, indices)``, indices counting from its start.

    A batch is a dict of ``image`` (B, 3, size, size) float32 in [-1, 1]; ``index`` (B,) int64 and ``flipped``
    (B,) bool, which tell what each image is; ``step`` int; and ``skipped``, a message for every picture that
    could not be read, for which the next one stands in. Where that is not to be, a batch is only ``failure``,
    a message: raised in a worker process, it would bring the worker's traceback.

    Args:
        flip: mirror every other image, by (seed, step, index).
        on_corrupt: ``skip`` or ``fail``.
    """

    def __init__(self, squares: Squares, span: range, flip: bool, on_corrupt: str = "fail", seed: int = 0):
        self.squares, self.span, self.flip, self.seed = squares, span, flip, seed
        self.tries = TRIES if on_corrupt == "skip" else 1

    def __len__(self) -> int:
        return len(self.span)

    def __getitem__(self, key: tuple[int, Sequence[int]]) -> dict:
        step, indices = key
        skipped: list[str] = []
        try:
            places, squares = zip(*(self._find(index, skipped) for index in indices), strict=True)
        except SDGError as error:
            return {"failure": str(error)}
        images = from_bytes(torch.stack(squares))
        flipped = torch.tensor([self.flip and self._mirrored(step, index) for index in indices])
        images[flipped] = images[flipped].flip(-1)
        index = torch.tensor(places)
        return {"image": images, "index": index, "flipped": flipped, "step": step, "skipped": skipped}

    def _find(self, index: int, skipped: list[str]) -> tuple[int, Tensor]:
        """The square at ``index``, or the next that can be read, with its place among all squares."""
        message = ""
        for candidate in range(index, index + self.tries):
            place = self.span[candidate % len(self.span)]
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
