"""Every figure of ``experiments/`` that has been drawn, on one page."""

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from sdg.files import write_whole
from sdg.pages import template


class Exhibit(NamedTuple):
    """A figure."""

    file: str
    """Within ``experiments/``."""
    caption: str
    command: str
    """Draws it with the default settings."""
    found: str | None = None
    """The page written beside it, within ``experiments/``; it quotes the command that was run."""


def _like_the_paper(name: str, caption: str) -> Exhibit:
    return Exhibit(f"figures/{name}.png", caption, f"python -m experiments.figures {name}")


def _part(folder: str, name: str, caption: str) -> Exhibit:
    command = f"python -m experiments.{folder} {name}"
    return Exhibit(f"{folder}/{name}.png", caption, command, f"{folder}/{name}.md")


def _study(name: str, figure: str, caption: str) -> Exhibit:
    return Exhibit(f"{name}/{figure}", caption, f"python -m experiments.{name}", f"{name}/results.md")


GALLERY = {
    "Figures like the paper's": (
        _like_the_paper("controls", "Every control: each guided picture beside its noise, unguided."),
        _like_the_paper("content", "References, one of them no face, and six samples of each."),
        _like_the_paper("structure", "Structure keeps the place of things; content keeps what they show."),
        _like_the_paper("style", "The same noise, unguided and painted five ways."),
        _like_the_paper("mix", "Words and a picture together."),
        _like_the_paper("weights", "One noise for each sentence under growing guidance."),
    ),
    "Measured": (
        _study("retrieval", "curve.png", "What fine-tuning buys: finding the clean picture of a noised one."),
        _study("text_alignment", "curve.png", "How well faces follow their prompts, against the scale."),
        _study("controls", "blend.png", "Words and a picture that disagree, as the weight moves."),
        _study("few_steps", "curve.png", "What fewer steps cost in quality."),
        _study("samplers", "curve.png", "Every sampler against a posterior known in closed form."),
    ),
    "Other people's methods": (
        _part("baselines", "methods", "One sample of each method for each prompt and reference."),
        _part("baselines", "ilvr", "ILVR: the larger N, the less of a reference is kept."),
    ),
    "Ablations": (
        _part("ablations", "encoder", "The time-dependent encoder against plain CLIP as the guide."),
        _part("ablations", "mean", "The gradient at x_t, as in the paper's code, against that at μ."),
        _part("ablations", "gram", "Gram matrices of each sample against those of the whole batch."),
    ),
}
"""Heading -> figures, in the order of the page."""

_COMMAND = r"^`(python -m experiments\.[^`]+)`"


def write_gallery(page: Path, experiments: Path) -> Path:
    """Write ``page`` with relative links to every figure found in ``experiments``; returns it."""
    sections, absent = [], []
    for heading, exhibits in GALLERY.items():
        there = [exhibit for exhibit in exhibits if (experiments / exhibit.file).is_file()]
        absent += [exhibit for exhibit in exhibits if exhibit not in there]
        if there:
            sections.append((heading, [_shown(exhibit, page, experiments) for exhibit in there]))
    page.parent.mkdir(parents=True, exist_ok=True)
    content = template("experiments.figures", "gallery.html").render(
        title="Figures", sections=sections, absent=absent
    )
    write_whole(page, content)
    return page


def _shown(exhibit: Exhibit, page: Path, experiments: Path) -> dict[str, str | None]:
    """What the page says of a figure."""
    command, numbers = exhibit.command, None
    if exhibit.found and (found := experiments / exhibit.found).is_file():
        given = re.search(_COMMAND, found.read_text(encoding="utf-8"), re.MULTILINE)
        command, numbers = given[1] if given else command, _link(found, page)
    picture = _link(experiments / exhibit.file, page)
    return {"picture": picture, "caption": exhibit.caption, "command": command, "numbers": numbers}


def _link(file: Path, page: Path) -> str:
    """Relative link from the page to a file."""
    return quote(Path(os.path.relpath(file.resolve(), page.parent.resolve())).as_posix())
