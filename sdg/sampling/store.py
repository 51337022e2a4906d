"""SampleStore: the folder of a sampling run. Every picture in it is complete and has a record."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from torch import Tensor

from sdg.errors import SDGError
from sdg.files import whole_file, write_whole
from sdg.locks import LOCK
from sdg.report.traces import trace_bytes
from sdg.sampling.plan import PlanEntry
from sdg.sampling.provenance import png

RECORD = "config.yaml"
"""The file of a run's settings."""
_ID, _LOST = re.compile(rb'\{"id": (\d+),'), re.compile(rb'"lost": (\d+)\}\n\Z')
"""How a record begins, and how a lost sample's record ends."""


class SampleStore:
    """Writes each sample once it is finished, tracks what is done, and refuses a folder of something else.

    A sample's record is appended to the manifest before its picture gets its final name, so after a kill a
    sample is either done or will be drawn again; ``finish`` leaves one line per picture, in the plan's order.

    Several processes may fill one folder, each with its own entries: each appends to its own manifest, and
    the first merges them at the end. Only the positions of records in the manifests are held in memory.

    Args:
        folder: pictures go to ``folder/samples``.
        settings: text that describes everything the samples depend on, kept as ``config.yaml``;
            :mod:`~sdg.sampling.recorded` has compared it with that of an earlier run.
        rank: of this process; rank 0 checks the folder and writes ``config.yaml``.
        describe: what a picture's file says about how it was made; see :class:`~.provenance.Origin`.

    Raises:
        SDGError: the folder holds unrelated files, or cannot be written.
    """

    def __init__(
        self,
        folder: str | Path,
        settings: str,
        rank: int = 0,
        describe: Callable[[PlanEntry], str | None] = lambda entry: None,
    ):
        self.describe = describe
        self.folder = Path(folder)
        self.samples = self.folder / "samples"
        self.manifest = self.folder / (f"manifest-{rank}.jsonl" if rank else "manifest.jsonl")
        try:
            # The others create nothing: if a cluster starts all at once, they may get here before the first,
            # which would then find its folder in use.
            if rank == 0:
                self._describe(settings)
                self.samples.mkdir(exist_ok=True)
                self.manifest.touch()
            if self.manifest.exists():
                _mend(self.manifest)
        except OSError as error:
            raise SDGError(
                f"cannot write to {self.folder} ({error.strerror}): mend that, or choose another output_dir"
            ) from error
        self.done = self._drawn() & self._find()[0].keys()

    def _describe(self, settings: str) -> None:
        record = self.folder / RECORD
        strange = self.folder.exists() and any(path.name != LOCK for path in self.folder.iterdir())
        if not record.exists() and strange:
            raise SDGError(f"{self.folder} is not empty: choose another output_dir")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(record, settings)

    def write(self, entry: PlanEntry, image: Tensor, record: dict, strip: Tensor | None = None) -> None:
        """Store one sample: ``image`` (3, H, W) uint8, and ``record``, its manifest data besides the entry.

        The record's ``trace`` gets a file of its own, and so does ``strip`` (3, H, n W), which shows how the
        sample came about.
        """
        files = {"file": f"samples/{entry.file}"}
        if (trace := record.get("trace")) is not None:
            files["trace"] = f"traces/{entry.id:06d}.safetensors"
            self._write_whole(files["trace"], trace_bytes(trace))
        if strip is not None:
            files["strip"] = f"strips/{entry.file}"
            self.write_picture(files["strip"], strip)
        if entry.reference is not None:
            files["reference_file"] = reference_file(entry.reference)
        with whole_file(self.samples / entry.file) as picture:
            picture.write(png(image, self.describe(entry)))
            self._note(entry.record() | record | files)
        self.done.add(entry.id)

    def lose(self, entry: PlanEntry, step: int) -> None:
        """Note that a sample was lost at ``step``, counted from 1; the next run draws it again."""
        self._note(entry.record() | {"lost": step})

    def write_picture(self, name: str, image: Tensor) -> None:
        """Store another picture, (3, H, W) uint8, as ``folder/name``."""
        self._write_whole(name, png(image))

    def finish(self, ids: Iterable[int]) -> dict[int, int]:
        """Merge all processes' manifests into one, with one record per picture.

        Args:
            ids: of the plan's entries, in order.

        Returns:
            The step at which each lost sample was lost, by id.
        """
        places, lost = self._find()
        self.done = self._drawn() & places.keys()
        with ExitStack() as opened, whole_file(self.folder / "manifest.jsonl") as whole:
            manifests = [opened.enter_context(path.open("rb")) for path in self._manifests()]
            for i in (i for i in ids if i in self.done):
                number, offset = places[i]
                manifests[number].seek(offset)
                whole.write(manifests[number].readline())
        for leftover in (*self.folder.glob("*/*.part"), *self.folder.glob("manifest-*.jsonl")):
            leftover.unlink()
        return {i: lost[i] for i in sorted(lost.keys() - self.done)}

    def records(self) -> "Records":
        """The records in the manifest of a finished run."""
        return Records(self.folder / "manifest.jsonl")

    def _write_whole(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        write_whole(path, content)

    def _note(self, record: dict) -> None:
        # A reference's name need not be UTF-8: in JSON, the replacement reads back as what was replaced.
        with self.manifest.open("a", encoding="utf-8", errors="backslashreplace") as manifest:
            manifest.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _drawn(self) -> set[int]:
        return {int(name.stem) for name in self.samples.glob("*.png") if name.stem.isdecimal()}

    def _find(self) -> tuple[dict[int, tuple[int, int]], dict[int, int]]:
        """Manifest and offset of every sample's last record, and the steps at which some were lost.

        A line cut short by a kill, or still being written, is not a record.
        """
        places: dict[int, tuple[int, int]] = {}
        lost: dict[int, int] = {}
        for number, path in enumerate(self._manifests()):
            offset = 0
            with path.open("rb") as manifest:
                for line in manifest:
                    if line.endswith(b"\n") and (start := _ID.match(line)):
                        if end := _LOST.search(line[-40:]):
                            lost[int(start[1])] = int(end[1])
                        else:
                            places[int(start[1])] = number, offset
                    offset += len(line)
        return places, lost

    def _manifests(self) -> list[Path]:
        return sorted(self.folder.glob("manifest*.jsonl"))


class Records(Iterable[dict]):
    """The records of a manifest: read from the file, one at a time, each time they are gone through."""

    def __init__(self, manifest: Path):
        self.manifest = manifest

    def __iter__(self) -> Iterator[dict]:
        with self.manifest.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def reference_file(path: str) -> str:
    """Where a run's folder keeps its copy of a reference: under the picture's name, made unambiguous.

    The name has only letters, digits, dashes and underscores, which any page and any disk accepts.
    """
    stem = re.sub(r"[^\w-]", "_", Path(path).stem, flags=re.ASCII)[:64]
    return f"references/{stem}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}.png"


def _mend(manifest: Path) -> None:
    """Cut off a last line that a kill left unfinished."""
    with manifest.open("rb") as file:
        whole = sum(len(line) for line in file if line.endswith(b"\n"))
    os.truncate(manifest, whole)
