"""Where encoded pictures come from: a folder, a zip archive or an LMDB, all read the same way."""

import io
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from PIL import Image

from sdg.data.picture import open_picture

Handle = TypeVar("Handle")


class PictureSource(ABC):
    """An ordered collection of encoded pictures, which worker processes may share."""

    place: Path
    """Where the collection is."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of pictures."""

    @abstractmethod
    def path_inside(self, index: int) -> str:
        """A picture's path in the collection, with / between folders."""

    @abstractmethod
    def name(self, index: int) -> str:
        """A picture's name in errors and warnings, which can be printed."""

    @abstractmethod
    def read(self, index: int) -> bytes:
        """A picture's bytes; raises SDGError if they cannot be read."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of the collection, found without reading a picture; a cache of another hash does not fit."""

    def open(self, index: int) -> Image.Image:
        """The decoded picture, upright and in RGB; raises SDGError if it is damaged."""
        return open_picture(io.BytesIO(self.read(index)), self.name(index))


class PerProcess(Generic[Handle]):
    """A file handle that every process opens for itself when it first needs it.

    A handle inherited through a fork would share its position in the file with the parent's.
    """

    def __init__(self, open_handle: Callable[[], Handle]):
        self._open = open_handle
        self._process: int | None = None
        self._handle: Handle | None = None

    def get(self) -> Handle:
        """This process's handle."""
        if self._handle is None or self._process != os.getpid():
            self._handle, self._process = self._open(), os.getpid()
        return self._handle

    def __getstate__(self) -> dict:
        return {"_open": self._open, "_process": None, "_handle": None}
