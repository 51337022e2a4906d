"""Pictures of ways to draw, side by side."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from experiments.grid import Point
from sdg.metrics.folder import read_manifest
from sdg.report.grid import draw_grid, open_picture


def side_by_side(points: Sequence[Point], names: Sequence[str], targets: Sequence[str], file: Path) -> None:
    """A row for each target, a prompt or a reference; a column for each way; all from one noise."""
    found = [_first(point.folder) for point in points]
    alone, shown = found[0][None], [Path(target).is_file() for target in targets]
    rows = []
    for target, picture in zip(targets, shown, strict=True):
        lead = [open_picture(target)] if picture else []
        drawn = [alone, *(own.get(target, alone) for own in found)]
        rows.append(("" if picture else target, [*lead, *map(open_picture, drawn)]))
    titles = [*(["reference"] if all(shown) else []), "prior alone", *names]
    save(draw_grid(rows, titles, lead=int(all(shown)), group=len(names) + 1), file)


def save(figure: Image.Image, file: Path) -> None:
    """With a palette: a third of the file's size."""
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.quantize(192, dither=Image.Dither.NONE).save(file, optimize=True)


def _first(folder: Path) -> dict[str | None, Path]:
    """Target -> its sample of index 0; the key of what aims at nothing is None."""
    records = [record for record in read_manifest(folder) if record["index"] == 0]
    return {record["prompt"] or record.get("reference"): folder / record["file"] for record in records}
