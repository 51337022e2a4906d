"""What is shown of drawings, as HTML: pairs of the same noise, curves' numbers, settings in words."""

import base64
import io
import itertools
from collections.abc import Iterable
from dataclasses import fields
from functools import lru_cache
from typing import Any

from PIL import Image

from sdg.pages import template
from sdg.play.folder import paired
from sdg.play.line import Drawing
from sdg.play.wish import Wish
from sdg.studio import Step

_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#bab0ac")
"""Apart from each other on light and on dark."""


def pairs(drawing: Drawing, number: int | None = None, said: str = "") -> str:
    """A drawing after one of its steps: each guided picture beside what the prior draws alone of its noise.

    Args:
        number: of the step, from 1; None: the last there is.
        said: a line below it, instead of the one that names the step.
    """
    if not drawing.steps:
        return template("sdg.play", "pairs.html").render(pairs=[], said=said, shown=None, of=0)
    step = drawing.steps[-1 if number is None else min(number, len(drawing.steps)) - 1]
    urls = [_url(image) for image in paired(step.images)]
    scores = [_scores(scores) for scores in step.scores[len(step.scores) // 2 :]]
    columns = zip(urls[::2], urls[1::2], scores, strict=True)
    where = f"step {step.number} of {step.of} · t = {step.t:.4g}"
    return template("sdg.play", "pairs.html").render(
        pairs=list(columns), said=said or where, shown=step.number, of=step.of
    )


def pinned(drawings: Iterable[Drawing | None]) -> str:
    """Two drawings side by side, and the settings in which they differ."""
    two = [drawing for drawing in drawings if drawing is not None]
    names = [field.name for field in fields(Wish)]
    differ = [name for name in names if len({getattr(drawing.wish, name) for drawing in two}) > 1]
    shown = [
        {
            "images": [_url(image) for image in guided(drawing)],
            "prompt": drawing.wish.prompt or "a picture",
            "settings": [(name, _word(getattr(drawing.wish, name))) for name in differ],
        }
        for drawing in two
    ]
    return template("sdg.play", "pinned.html").render(pins=shown)


def guided(drawing: Drawing) -> list[Image.Image]:
    """The guided pictures of a drawing, as far as they have come."""
    images = drawing.steps[-1].images
    return images[len(images) // 2 :]


def colours(points: Iterable[tuple[float, float, str]]) -> dict[str, str]:
    """A colour for each curve."""
    return dict(zip(dict.fromkeys(which for _, _, which in points), itertools.cycle(_COLOURS), strict=False))


def curves(steps: Iterable[Step]) -> dict[str, list[tuple[float, float, str]]]:
    """For each kind of curve its points: (timestep, value, which curve)."""
    points: dict[str, list[tuple[float, float, str]]] = {"score": [], "gradient": [], "clipped": []}
    for step in steps:
        half = len(step.images) // 2
        for i in range(half):
            which = f" {i}" if half > 1 else ""
            for name, value in step.scores[half + i].items():
                points["score"].append((step.t, value, f"{name}{which}"))
            if (size := step.gradient_rms[half + i]) is not None:
                points["gradient"].append((step.t, size, f"guided{which}"))
            for kind, j in (("alone", i), ("guided", half + i)):
                if (share := step.clipped[j]) is not None:
                    points["clipped"].append((step.t, share, f"{kind}{which}"))
    return points


def _scores(scores: dict[str, float]) -> str:
    return " · ".join(f"{name} {value:.3g}" for name, value in scores.items())


def _word(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _url(image: Image.Image) -> str:
    return _encoded(image.tobytes(), image.size)


@lru_cache(maxsize=64)
def _encoded(pixels: bytes, size: tuple[int, int]) -> str:
    """The picture inside of an address: nothing is written, and nothing fetched."""
    stream = io.BytesIO()
    Image.frombytes("RGB", size, pixels).save(stream, format="png")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
