"""The page of a sampling run: every guided picture beside the unguided one from the same noise."""

import html
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sdg.files import printable, whole_file
from sdg.report.curves import draw_curves
from sdg.report.grid import draw_grid, open_picture
from sdg.report.record import aimed, label

_GRID_ROWS, _GRID_COLUMNS = 24, 8
_TOLD = 24
"""Samples per row whose steps are shown: with thousands, curves blur and the page is too big for browsers."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c20; }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.05rem; font-weight: 600; margin: 2rem 0 .5rem; }
h2 img { display: inline-block; vertical-align: middle; margin-right: .6rem; }
p { color: #555; } .row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; } figure div { display: flex; gap: 3px; }
img { width: 112px; height: 112px; border-radius: 6px; display: block; }
.before img, img.before { opacity: .55; }
figcaption, summary { font-size: .8rem; color: #777; } a { color: inherit; }
details .row { flex-direction: column; } img.strip { width: auto; height: 64px; max-width: 100%; }
details svg { display: block; margin: .4rem 0; }
@media (prefers-color-scheme: dark) {
  body { background: #17171a; color: #eee; } p, figcaption { color: #aaa; }
}
"""


class _Row(NamedTuple):
    """What the guided samples of a row have in common, and the records of the first ones."""

    prompt: str | None
    reference: str | None
    records: list[dict]

    @property
    def label(self) -> str:
        return label(self.records[0])

    @property
    def view(self) -> str | None:
        """The copy of the reference, in the run's folder."""
        return self.records[0].get("reference_file")


def write_page(folder: Path, records: Iterable[dict], title: str) -> Path:
    """Write ``index.html`` and ``grid.png`` for the records of a manifest; returns the page's path.

    The grid shows at most 24 rows and 8 seeds; the page shows all.

    Args:
        records: unguided samples first, then row by row, as in a plan. They may come one at a time: only the
            traces of the row being written and of the rows in the grid are held in memory.
    """
    before: dict[tuple[int, int], dict] = {}
    title = html.escape(printable(title))
    page = folder / "index.html"
    with whole_file(page) as file:
        file.write(
            f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
            f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>\n'
            f"<h1>{title}</h1>\n"
            f"<p>Pale: what the model draws alone. Beside it: the same noise, guided. "
            f'<a href="grid.png">grid.png</a> · <a href="manifest.jsonl">manifest.jsonl</a> · '
            f'<a href="config.yaml">config.yaml</a></p>\n'.encode()
        )
        rows = _write_rows(file, _led(records, before), before)
        if not rows:
            rows, before = _write_rows(file, before.values(), {}), {}
        file.write(b"</html>\n")
        _write_grid(folder, rows, before)
    return page


def _led(records: Iterable[dict], before: dict[tuple[int, int], dict]) -> Iterator[dict]:
    """The guided samples of ``records``; the others go into ``before``, without their traces."""
    for record in records:
        if aimed(record):
            yield record
        else:
            untraced = {name: value for name, value in record.items() if name != "trace"}
            before[record["seed"], record["index"]] = untraced


def _write_rows(file: BinaryIO, records: Iterable[dict], before: dict) -> list[_Row]:
    """Write a section for each row, picture by picture; returns the first rows, for the grid."""
    rows: list[_Row] = []
    for key, group in groupby(records, lambda record: (record["prompt"], record["reference"])):
        row = _Row(*key, list(islice(group, _TOLD)))
        view = f'<img src="{row.view}" alt="the reference">' if row.view else ""
        file.write(f'<h2>{view}{html.escape(row.label)}</h2>\n<div class="row">'.encode())
        for record in chain(row.records, group):
            file.write(_figure(record, row.label, before).encode())
        file.write(f"</div>{_details(row.records)}\n".encode())
        if len(rows) < _GRID_ROWS:
            rows.append(row)
    return rows


def _figure(record: dict, label: str, before: dict) -> str:
    pair = before.get((record["seed"], record["index"]))
    images = f'<img class="before" src="{pair["file"]}" alt="unguided" loading="lazy">' if pair else ""
    images += f'<img src="{record["file"]}" alt="{html.escape(label)}" loading="lazy">'
    scores = "".join(f" · {name} {score:.3g}" for name, score in record["scores"].items())
    caption = f"seed {record['seed']}.{record['index']}{scores}"
    return f"<figure><div>{images}</div><figcaption>{caption}</figcaption></figure>"


def _details(records: Sequence[dict]) -> str:
    """How the pictures of a row came about: predicted clean pictures, and curves over the steps."""
    parts = [f'<img class="strip" src="{r["strip"]}" alt="on the way">' for r in records if "strip" in r]
    guided = [r["trace"]["guided"] for r in records if (r.get("trace") or {}).get("guided")]
    curves: dict[str, list] = {}
    if guided:
        curves = {f"score {name}": [g["scores"][name] for g in guided] for name in guided[0]["scores"]}
        curves["gradient rms"] = [g["gradient_rms"] for g in guided]
        curves["clipped"] = [r["trace"]["clipped"] for r in records if r["trace"].get("guided")]
    losses = [r["trace"]["loss"] for r in records if (r.get("trace") or {}).get("loss")]
    if losses:
        curves["loss"] = losses
    parts += [draw_curves(name, lines) for name, lines in curves.items()]
    if not parts:
        return ""
    return f'<details><summary>on the way</summary><div class="row">{"".join(parts)}</div></details>'


def _write_grid(folder: Path, rows: Sequence[_Row], before: dict) -> None:
    shown: list[tuple[str, list]] = []
    for row in rows:
        files = []
        for record in row.records[:_GRID_COLUMNS]:
            pair = before.get((record["seed"], record["index"]))
            files += [pair["file"], record["file"]] if pair else [record["file"]]
        first = [open_picture(folder / row.view)] if row.view else []
        shown.append((row.label, first + [open_picture(folder / file) for file in files]))
    width = min((len(pictures) for _, pictures in shown), default=0)
    if not width:
        return
    alone = "unguided" if rows[0].label == "unguided" else "guided"
    names = ["unguided", "guided"] if before else [alone]
    lead = ["reference"] if rows[0].view else []
    columns = lead + [names[i % len(names)] for i in range(width - len(lead))]
    cut = [(label, pictures[:width]) for label, pictures in shown]
    grid = draw_grid(cut, columns, group=len(names), lead=len(lead))
    with whole_file(folder / "grid.png") as file:
        grid.save(file, format="png")
