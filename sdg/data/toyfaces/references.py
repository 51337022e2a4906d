"""Reference pictures: faces that no network was trained on, and painted styles."""

import json
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from sdg.data.toyfaces import ATTRIBUTES, SPLITS, faces
from sdg.data.toyfaces.styles import STYLES, draw_style
from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.pixels import to_bytes


def write_references(folder: Path, count: int, size: int = 64, seed: int = 0) -> None:
    """Write the first ``count`` test faces and every style as PNGs; ``faces.jsonl`` describes the faces.

    Raises:
        SDGError: ``count`` is negative or too large, or the folder cannot be written to.
    """
    if not 0 <= count <= len(SPLITS["test"]):
        raise SDGError(f"--faces {count} is out of range: use 0 to {len(SPLITS['test'])}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        index = torch.arange(count) + SPLITS["test"].start
        pictures, attributes = faces(seed, index, size) if count else (torch.empty(0), torch.empty(0))
        lines = []
        for i, (picture, row) in enumerate(zip(pictures, attributes.tolist(), strict=True)):
            _save(picture, folder / f"face_{i:03d}.png")
            named = {name: values[v] for (name, values), v in zip(ATTRIBUTES.items(), row, strict=True)}
            record = {"file": f"face_{i:03d}.png", "seed": seed, "index": int(index[i]), "attributes": named}
            lines.append(json.dumps(record) + "\n")
        write_whole(folder / "faces.jsonl", "".join(lines))
        for name in STYLES:
            _save(draw_style(name, size), folder / f"style_{name}.png")
    except OSError as error:
        raise SDGError(f"cannot write to {folder} ({error.strerror}): choose another folder") from error


def _save(picture: Tensor, path: Path) -> None:
    pixels = to_bytes(picture).permute(1, 2, 0)
    Image.fromarray(pixels.contiguous().numpy()).save(path)
