"""SampleStore: the folder of a sampling run. A picture that exists is whole, and its record exists."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from torch import Tensor

from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.sampling.plan import PlanEntry

_FIRST = re.compile(r'\{"id": (\d+),')


class SampleStore:
    """Writes each finished sample at once, knows what is done, and refuses a folder of other settings.

    A sample's record is appended to the manifest before its picture takes its final name, so after a kill a
    sample is either done or will be drawn again; ``finish`` leaves one line per picture, in the plan's order.

    Several processes may fill one folder, each with entries of its own: each appends to a manifest of its
    own, and the first makes one of them all at the end.

    Args:
        folder: pictures go to ``folder/samples``.
        settings: text that describes everything the samples depend on, kept as ``config.yaml``.
        rank: of this process; the first checks the folder and describes it.

    Raises:
        SDGError: the folder is in use by other settings, or is not a folder of ours, or cannot be written.
    """

    def __init__(self, folder: str | Path, settings: str, rank: int = 0):
        self.folder = Path(folder)
        self.samples = self.folder / "samples"
        self.manifest = self.folder / (f"manifest-{rank}.jsonl" if rank else "manifest.jsonl")
        try:
            # The others make nothing: where a cluster starts all at once they may be here before the first,
            # which would find its folder in use.
            if rank == 0:
                self._describe(settings)
                self.samples.mkdir(exist_ok=True)
                self.manifest.touch()
            if self.manifest.exists():
                _mend(self.manifest)
        except OSError as error:
            raise SDGError(
                f"cannot write to {self.folder} ({error.strerror}): choose another output_dir"
            ) from error
        self.done = self._drawn() & {_id(line) for line in self._lines()}

    def _describe(self, settings: str) -> None:
        record = self.folder / "config.yaml"
        if record.exists() and record.read_text() != settings:
            raise SDGError(f"{self.folder} holds samples of other settings: choose another output_dir")
        if not record.exists() and self.folder.exists() and any(self.folder.iterdir()):
            raise SDGError(f"{self.folder} is not empty: choose another output_dir")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(record, settings)

    def write(self, entry: PlanEntry, image: Tensor, record: dict, strip: Tensor | None = None) -> None:
        """Keep one sample: ``image`` (3, H, W) uint8, and what the manifest says of it besides its entry.

        ``strip`` (3, H, n W) shows how it came about, and is kept beside it.

        Raises:
            SDGError: the disk is full, or does not want to.
        """
        files = {"file": f"samples/{entry.file}"}
        if strip is not None:
            files["strip"] = f"strips/{entry.file}"
        if entry.reference is not None:
            files["reference_file"] = reference_file(entry.reference)
        path = self.samples / entry.file
        part = path.with_suffix(".part")
        try:
            if strip is not None:
                self.write_picture(files["strip"], strip)
            _save(image, part)
            self._note(entry.record() | files | record)
            os.replace(part, path)
        except OSError as error:
            raise SDGError(
                f"cannot write {path} ({error.strerror or error}): mend that and give the command again; "
                f"the {len(self.done)} samples that are done are kept"
            ) from error
        self.done.add(entry.id)

    def lose(self, entry: PlanEntry, step: int) -> None:
        """Note that a sample became worth nothing at ``step``, from 1; it will be drawn again."""
        self._note(entry.record() | {"lost": step})

    def write_picture(self, name: str, image: Tensor) -> None:
        """Keep another picture, (3, H, W) uint8, as ``folder/name``."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        _save(image, part)
        os.replace(part, path)

    def finish(self) -> tuple[list[dict], list[dict]]:
        """One manifest with the record of every picture once, in order of id, whoever drew it.

        Returns:
            These records, and those of the samples that were lost.
        """
        records, drawn = self._records(), self._drawn()
        kept = [records[i] for i in sorted(drawn & records.keys())]
        lost = [record for i, record in sorted(records.items()) if i not in drawn and "lost" in record]
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept)
        write_whole(self.folder / "manifest.jsonl", lines)
        for leftover in (*self.folder.glob("*/*.part"), *self.folder.glob("manifest-*.jsonl")):
            leftover.unlink()
        return kept, lost

    def _note(self, record: dict) -> None:
        with self.manifest.open("a", encoding="utf-8") as manifest:
            manifest.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _drawn(self) -> set[int]:
        return {int(name.stem) for name in self.samples.glob("*.png")}

    def _records(self) -> dict[int, dict]:
        """The last record of every sample, by id; a picture's goes before that of an attempt that failed."""
        records: dict[int, dict] = {}
        for record in map(json.loads, self._lines()):
            if "lost" not in record or record["id"] not in records:
                records[record["id"]] = record
        return records

    def _lines(self) -> Iterator[str]:
        """The whole lines of all manifests, without one that a kill cut short or that is being written."""
        for path in sorted(self.folder.glob("manifest*.jsonl")):
            with path.open(encoding="utf-8") as file:
                yield from (line for line in file if line.endswith("\n"))


def reference_file(path: str) -> str:
    """The name, in the folder of a run, of the copy of a reference: its own, made unambiguous.

    Of letters, digits, dashes and underscores, so that any page and any disk takes it.
    """
    stem = re.sub(r"[^\w-]", "_", Path(path).stem, flags=re.ASCII)[:64]
    return f"references/{stem}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}.png"


def _save(image: Tensor, path: Path) -> None:
    Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(path, format="png")


def _mend(manifest: Path) -> None:
    """Cut off a last line that a kill left unfinished."""
    with manifest.open("rb") as file:
        whole = sum(len(line) for line in file if line.endswith(b"\n"))
    os.truncate(manifest, whole)


def _id(line: str) -> int:
    """Of a record, most of which is its trace: a long manifest is not parsed to know who is in it."""
    match = _FIRST.match(line)
    return int(match[1]) if match else json.loads(line)["id"]
