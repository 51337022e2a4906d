"""Pictures in files as training data, read in an order that a resumed run repeats."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch.utils.data import DataLoader

from sdg.data.cache import CachedSquares, cache_place
from sdg.data.captions import Words
from sdg.data.file_pictures import FilePictures
from sdg.data.fitting import fitting_size
from sdg.data.likeness import check_count, places
from sdg.data.locate import find_source
from sdg.data.picture_data import PictureData
from sdg.data.prepare import check_cache, write_cache
from sdg.data.shard import Batches, Shard, training_batches
from sdg.data.squares import SourceSquares, Squares
from sdg.data.workers import loader
from sdg.errors import SDGError
from sdg.progress import Bar


class FileData(PictureData):
    """Pictures from a folder, a zip archive or an LMDB, or from their cache if ``write_cache`` has made one.

    Args:
        root: the folder, archive or LMDB.
        name: name of the data set, for messages and the cache.
        inside: folders below ``root``, or in the archive; the first that exists is used instead of it.
        size: side of the pictures in pixels; ``auto``: see ``fitting_size``.
        batch_size: pictures per step, on all devices together.
        train_count: how many pictures, in the order of their names, to train on; the rest validate. None:
            all of them.
        validation_share: how large a part of the pictures validates, instead of ``train_count``; pictures
            that look alike are on one side, see ``likeness``.
        preparation, enlarge: see ``SourceSquares``.
        flip: mirror each training picture with probability 1/2.
        on_corrupt: what an unreadable picture does: ``fail`` ends the run, ``skip`` reports it once and uses
            the next one instead.
        workers: processes that decode, limited to the number of cores.
        pin_memory: put batches in page-locked memory, if there is a GPU.
        cache: folder for prepared pictures and lists of keys.
        seed: seed of the order and the mirroring.
    """

    def __init__(
        self,
        root: str | None,
        name: str = "pictures",
        inside: Sequence[str] = (),
        size: int | Literal["auto"] = 256,
        batch_size: int = 32,
        train_count: int | None = None,
        validation_share: float | None = None,
        preparation: str = "adm",
        enlarge: bool = False,
        flip: bool = True,
        on_corrupt: Literal["skip", "fail"] = "fail",
        workers: int = 4,
        pin_memory: bool = True,
        cache: str = "~/.cache/sdg",
        seed: int = 0,
    ):
        super().__init__()
        if root is None:
            raise SDGError(f"data.root is not set: say where {name} is, data.root=PATH")
        if size == "auto":
            size = fitting_size(root, inside, cache)
        least = {"size": (size, 1), "batch_size": (batch_size, 1), "workers": (workers, 0)}
        if train_count is not None:
            least["train_count"] = (train_count, 1)
        for setting, (value, low) in least.items():
            if not isinstance(value, int) or value < low:
                raise SDGError(f"data.{setting}={value} makes no sense: use a whole number from {low} on")
        if validation_share is not None and not 0 <= validation_share < 1:
            raise SDGError(f"data.validation_share={validation_share} makes no sense: use 0 to below 1")
        if validation_share is not None and train_count is not None:
            raise SDGError("data.train_count and data.validation_share both split the pictures: use one")
        if on_corrupt not in ("skip", "fail"):
            raise SDGError(f"data.on_corrupt={on_corrupt} is unknown: use skip or fail")
        self.root, self.title, self.size, self.batch_size = root, name, size, batch_size
        self.train_count, self.validation_share = train_count, validation_share
        self.flip, self.on_corrupt, self.seed = flip, on_corrupt, seed
        self.workers = min(workers, _cores())
        self.pin_memory = pin_memory and torch.cuda.is_available()
        self.folder = Path(cache).expanduser()
        self.source = SourceSquares(find_source(root, self.folder, inside, size), size, preparation, enlarge)
        if validation_share is not None:
            check_count(len(self.source))
        self.cache = cache_place(self.source, self.folder / "squares", name)
        self.squares: Squares = CachedSquares(self.cache) if self.cache.exists() else self.source
        self.words: Words | None = None
        self.notes: list[str] = []
        self.sets: dict[str, FilePictures] = {}
        self._reported: set[str] = set()
        self._fingerprint = ""

    def __str__(self) -> str:
        counts = " and ".join(f"{len(pictures):,} to {use}" for use, pictures in self.sets.items())
        return f"{self.title}, {self.size} px ({self.source.preparation}), {counts}, {self.batch_size} a step"

    def write_cache(self) -> None:
        """Prepare all pictures for faster reading, or check the cache if there is one."""
        if self.cache.exists():
            check_cache(CachedSquares(self.cache))
        else:
            write_cache(self.source, self.cache, self.workers, self.on_corrupt)

    def setup(self, stage: str) -> None:
        if self.sets:
            return
        training, validation = self._split(self.usable())
        if not len(training):
            raise SDGError(f"no picture of {self.title} is left to train on: use a smaller validation_share")
        self.sets = {
            "train on": self._pictures(training, self.flip),
            "validate on": self._pictures(validation, False),
        }
        self._fingerprint = self.fingerprint()
        if self.trainer is None or self.trainer.is_global_zero:
            for note in self.notes:
                print(f"note: {note}")
            print(f"data: {self}{'' if self.squares is self.source else f', prepared in {self.cache}'}")

    def fingerprint(self) -> str:
        """A hash of all that the settings do not say about the pictures."""
        return self.source.source.fingerprint()

    def state_dict(self) -> dict[str, str]:
        """Which pictures a training began with, for its checkpoints."""
        return {"fingerprint": self._fingerprint}

    def load_state_dict(self, state_dict: dict[str, str]) -> None:
        """Raises SDGError if a checkpoint's training began with other pictures."""
        if state_dict["fingerprint"] != self._fingerprint:
            raise SDGError(
                f"data.root={self.root} holds other pictures than this training began with: put those back, "
                "or choose another output_dir"
            )

    def usable(self) -> Sequence[int]:
        """The places of the pictures to use, among all squares."""
        return range(len(self.squares))

    def _split(self, usable: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
        """The places of the pictures to train and to validate on."""
        if self.validation_share is None:
            count = len(usable) if self.train_count is None else self.train_count
            return usable[:count], usable[count:]
        apart = places(self.source.source, self.folder, self.workers) < self.validation_share
        return [place for place in usable if not apart[place]], [place for place in usable if apart[place]]

    def _pictures(self, places: Sequence[int], flip: bool) -> FilePictures:
        return FilePictures(self.squares, places, flip, self.on_corrupt, self.seed, self.words)

    def train_dataloader(self) -> DataLoader:
        trainer, pictures = self.trainer, self.sets["train on"]
        assert trainer is not None, "Lightning gives a data module its trainer before it asks for data"
        return self._loader(pictures, training_batches(trainer, len(pictures), self.batch_size, self.seed))

    def val_dataloader(self) -> DataLoader | list:
        """The same on every device, so that results do not depend on how many there are."""
        pictures = self.sets["validate on"]
        if not len(pictures):
            # Lightning would warn of what ``setup`` has already printed.
            warnings.filterwarnings("ignore", message="Total length of .* across ranks is zero")
            return []
        total, parts = len(pictures), -(-len(pictures) // self.batch_size)
        batches = [(i, list(range(total * i // parts, total * (i + 1) // parts))) for i in range(parts)]
        return self._loader(pictures, batches)

    def on_before_batch_transfer(self, batch: dict, dataloader_idx: int) -> dict:
        """Report in the main process what workers could not read."""
        if "failure" in batch:
            raise SDGError(batch["failure"])
        for message in batch.pop("skipped"):
            if message not in self._reported:
                self._reported.add(message)
                Bar.write(f"warning: skipped: {message}")
        return batch

    def _loader(self, pictures: FilePictures, batches: Batches | Shard) -> DataLoader:
        return loader(pictures, batches, self.workers, self.pin_memory)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
