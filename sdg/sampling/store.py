"""SampleStore: the folder of a sampling run. A picture that exists is whole, and its record exists."""

import hashlib
import json
import os
from pathlib import Path

from PIL import Image
from torch import Tensor

from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.sampling.plan import PlanEntry


class SampleStore:
    """Writes each finished sample at once, knows what is done, and refuses a folder of other settings.

    A sample's record is appended to the manifest before its picture takes its final name, so after a kill a
    sample is either done or will be drawn again; ``finish`` leaves one line per picture, in the plan's order.

    Args:
        folder: pictures go to ``folder/samples``.
        settings: text that describes everything the samples depend on, kept as ``config.yaml``.

    Raises:
        SDGError: the folder is in use by other settings, or is not a folder of ours, or cannot be written.
    """

    def __init__(self, folder: str | Path, settings: str):
        self.folder = Path(folder)
        self.samples = self.folder / "samples"
        self.manifest = self.folder / "manifest.jsonl"
        record = self.folder / "config.yaml"
        try:
            if record.exists() and record.read_text() != settings:
                raise SDGError(f"{self.folder} holds samples of other settings: choose another output_dir")
            if not record.exists() and self.folder.exists() and any(self.folder.iterdir()):
                raise SDGError(f"{self.folder} is not empty: choose another output_dir")
            self.samples.mkdir(parents=True, exist_ok=True)
            write_whole(record, settings)
            write_whole(self.manifest, "".join(_whole_lines(self.manifest)))
        except OSError as error:
            raise SDGError(
                f"cannot write to {self.folder} ({error.strerror}): choose another output_dir"
            ) from error
        drawn = {int(name.stem) for name in self.samples.glob("*.png")}
        self.done = drawn & self._records().keys()

    def write(self, entry: PlanEntry, image: Tensor, record: dict, strip: Tensor | None = None) -> None:
        """Keep one sample: ``image`` (3, H, W) uint8, and what the manifest says of it besides its entry.

        ``strip`` (3, H, n W) shows how it came about, and is kept beside it.
        """
        path = self.samples / entry.file
        part = path.with_suffix(".part")
        files = {"file": f"samples/{entry.file}"}
        if strip is not None:
            self.write_picture(files.setdefault("strip", f"strips/{entry.file}"), strip)
        _save(image, part)
        if entry.reference is not None:
            files["reference_file"] = reference_file(entry.reference)
        line = json.dumps(entry.record() | files | record, ensure_ascii=False)
        with self.manifest.open("a", encoding="utf-8") as manifest:
            manifest.write(line + "\n")
        os.replace(part, path)
        self.done.add(entry.id)

    def write_picture(self, name: str, image: Tensor) -> None:
        """Keep another picture, (3, H, W) uint8, as ``folder/name``."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        _save(image, part)
        os.replace(part, path)

    def finish(self) -> list[dict]:
        """Rewrite the manifest: the record of every picture once, in order of id; returns the records."""
        records = self._records()
        kept = [records[i] for i in sorted(self.done)]
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept)
        write_whole(self.manifest, lines)
        for part in self.folder.glob("*/*.part"):
            part.unlink()
        return kept

    def _records(self) -> dict[int, dict]:
        """The last record of every sample, by id."""
        return {record["id"]: record for record in map(json.loads, _whole_lines(self.manifest))}


def reference_file(path: str) -> str:
    """The name, in the folder of a run, of the copy of a reference: its own, made unambiguous."""
    return f"references/{Path(path).stem}-{hashlib.sha256(path.encode()).hexdigest()[:8]}.png"


def _save(image: Tensor, path: Path) -> None:
    Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(path, format="png")


def _whole_lines(path: Path) -> list[str]:
    """The lines of a file; a last one cut short by a kill is left out."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
