"""The page of a sampling run: every guided picture beside the unguided one of the same noise."""

import html
from collections.abc import Sequence
from pathlib import Path

from sdg.files import write_whole
from sdg.report.grid import draw_grid, open_picture

_GRID_ROWS, _GRID_COLUMNS = 24, 8

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c20; }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.05rem; font-weight: 600; margin: 2rem 0 .5rem; }
p { color: #555; } .row { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; } figure div { display: flex; gap: 3px; }
img { width: 112px; height: 112px; border-radius: 6px; display: block; }
.before img, img.before { opacity: .55; }
figcaption { font-size: .8rem; color: #777; } a { color: inherit; }
@media (prefers-color-scheme: dark) {
  body { background: #17171a; color: #eee; } p, figcaption { color: #aaa; }
}
"""


def write_page(folder: Path, records: Sequence[dict], title: str) -> Path:
    """Write ``index.html`` and ``grid.png`` for the records of a manifest; returns the page's path.

    The grid shows at most 24 prompts and 8 seeds; the page shows them all.
    """
    before = {(r["seed"], r["index"]): r for r in records if r["prompt"] is None}
    prompts = list(dict.fromkeys(r["prompt"] for r in records if r["prompt"] is not None))
    rows = [(prompt, [r for r in records if r["prompt"] == prompt]) for prompt in prompts]
    _write_grid(folder, rows, before)
    sections = "\n".join(_section(prompt, row, before) for prompt, row in rows)
    page = folder / "index.html"
    write_whole(
        page,
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>\n'
        f"<h1>{html.escape(title)}</h1>\n"
        f"<p>{len(records)} pictures. Pale: the prior alone. "
        f"Beside it: the same noise, guided by the sentence. "
        f'<a href="grid.png">grid.png</a> · <a href="manifest.jsonl">manifest.jsonl</a> · '
        f'<a href="config.yaml">config.yaml</a></p>\n{sections}\n</html>\n',
    )
    return page


def _section(prompt: str, row: Sequence[dict], before: dict) -> str:
    return (
        f'<h2>{html.escape(prompt)}</h2>\n<div class="row">{"".join(_figure(r, before) for r in row)}</div>'
    )


def _figure(record: dict, before: dict) -> str:
    pair = before.get((record["seed"], record["index"]))
    images = f'<img class="before" src="{pair["file"]}" alt="unguided" loading="lazy">' if pair else ""
    images += f'<img src="{record["file"]}" alt="{html.escape(record["prompt"])}" loading="lazy">'
    caption = f"seed {record['seed']}.{record['index']} · score {record['score']:.2f}"
    return f"<figure><div>{images}</div><figcaption>{caption}</figcaption></figure>"


def _write_grid(folder: Path, rows: Sequence[tuple[str, Sequence[dict]]], before: dict) -> None:
    shown: list[tuple[str, list]] = []
    for prompt, records in rows[:_GRID_ROWS]:
        files = []
        for record in records[:_GRID_COLUMNS]:
            pair = before.get((record["seed"], record["index"]))
            files += [pair["file"], record["file"]] if pair else [record["file"]]
        shown.append((prompt, [open_picture(folder / file) for file in files]))
    width = min((len(pictures) for _, pictures in shown), default=0)
    if not width:
        return
    group = 2 if before else 1
    names = ["unguided", "guided"] if before else ["guided"]
    columns = [names[i % group] for i in range(width)]
    draw_grid([(prompt, pictures[:width]) for prompt, pictures in shown], columns, group=group).save(
        folder / "grid.png"
    )
