"""The rows of the table: method, kind of target, number of steps, and the paper's numbers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from experiments.baselines.contenders import CONTENDERS, PROMPTS, REFERENCES, STEPS

PAPER = "arXiv 2112.05744"
FEW = ("sampler=dpmpp_2m_sde", "sampler.steps=20")
UNGUIDED, UNTOUCHED, SHUFFLED = "unguided", "stylegan", "shuffled"
_PUBLISHED = {
    "sdg_text": ("guidance.scale=160",),
    "sdg_image": ("guidance.scale=100",),
    "sdg_mix": (
        *("guidance.scale=1", "guidance.clamp=null"),
        *("guidance.terms.text.weight=160", "guidance.terms.content.weight=100"),
    ),
}
"""Scales that the authors published, for 256 px."""
_KINDS = ("text", "image", "mix")
BY_PICTURE = "sdg_mix_20_by_picture"
"""The pictures of ``sdg_mix_20``, with their references as the targets to be found."""


class Size(NamedTuple):
    """How much is drawn."""

    prompts: int
    references: int
    samples: int
    """Per target."""
    parts: int
    """Runs that a row is split into, each with its own seed: samples of one noise are too much alike. With
    one target each, all rows have as many noises as pictures, and the same ones."""
    steps: int
    """For ddpm's chains."""
    search_steps: int
    """For StyleGAN+CLIP."""
    renders: int
    """Toy faces that samples are compared with."""


SIZES = {
    "quick": Size(24, 24, 6, parts=24, steps=20, search_steps=18, renders=2000),
    "full": Size(100, 100, 10, parts=100, steps=50, search_steps=100, renders=5000),
}


class Row(NamedTuple):
    """One line of the table."""

    title: str
    contender: str
    """A key of ``CONTENDERS``."""
    kind: str
    """What it aims at."""
    steps: int
    settings: tuple[str, ...]
    """For ``sample.py``, without the targets."""
    seconds: float
    """Approximate, per step and picture on one core; the progress bar is scaled by it."""
    paper: Mapping[str, float] = MappingProxyType({})
    """Column -> its number in the paper's table."""
    paired: bool = False
    """Whether the samples of a prompt also aim at the references of its part."""
    alone: bool = False
    """Whether it aims at nothing, and is measured as if it had aimed at the prompts."""
    beside: str = UNGUIDED
    """The row drawn from the same noises without aiming at anything."""

    @property
    def guide(self) -> str | None:
        return None if self.alone else CONTENDERS[self.contender].guide


def rows(size: Size, data: str, search: Sequence[str] = ()) -> dict[str, Row]:
    """Name -> row, in the order of the table.

    Args:
        data: a key of ``DATA`` in ``worlds``.
        search: settings of StyleGAN+CLIP that a sweep found.
    """
    text, image, mix = (() if data == "toyfaces" else _PUBLISHED[f"sdg_{kind}"] for kind in _KINDS)
    factor = () if data == "toyfaces" else ("constraint.factor=32",)

    def row(
        title: str, contender: str, kind: str, steps: int, seconds: float, *more: str, **rest: Any
    ) -> Row:
        given = CONTENDERS[contender].settings[kind]
        return Row(title, contender, kind, steps, (*given, *more), seconds, **rest)

    few = "SDG, words beside a picture, 20 steps of dpmpp_2m_sde"
    searched, unsearched = (f"{STEPS}={steps}" for steps in (size.search_steps, 0))
    return {
        # the paper's own table
        "stylegan_clip": row(
            "StyleGAN+CLIP, text", "stylegan_clip", PROMPTS, size.search_steps, 0.031, *search, searched,
            paper=_paper(57.45, 0.578, 0.749, 0.934, 0.974, 0.996), beside=UNTOUCHED,
        ),
        "ilvr": row(
            "ILVR, image", "ilvr", REFERENCES, size.steps, 0.015, *factor,
            paper=_paper(17.15, 0.439, 0.205, 0.416, 0.556, 0.727),
        ),
        "sdg_text": row(
            "SDG, text", "sdg", PROMPTS, size.steps, 0.025, *text,
            paper=_paper(28.38, 0.610, 0.553, 0.795, 0.878, 0.947),
        ),
        "sdg_image": row(
            "SDG, image", "sdg", REFERENCES, size.steps, 0.028, *image,
            paper=_paper(14.37, 0.583, 0.520, 0.742, 0.816, 0.906),
        ),
        # fewer steps, and words beside a picture
        "sdg_text_20": row(
            "SDG, text, 20 steps of dpmpp_2m_sde", "sdg", PROMPTS, 20, 0.025, *text, *FEW
        ),
        "sdg_mix_20": Row(few, "sdg", PROMPTS, 20, ("guidance=mix", *mix, *FEW), 0.028, paired=True),
        # what the models draw without aiming at anything
        UNGUIDED: row(
            "unguided, as if towards the prompts", "unguided", PROMPTS, size.steps, 0.015, alone=True
        ),
        UNTOUCHED: row(
            "StyleGAN2 unsearched, as if towards the prompts", "stylegan_clip", PROMPTS, 0, 0.0,
            "prompts=[a face]", unsearched, alone=True,
        ),
    }  # fmt: skip


def _paper(distance: float, diversity: float, *found: float) -> dict[str, float]:
    tops = zip((1, 5, 10, 20), found, strict=True)
    return {"distance": distance, "diversity": diversity} | {f"top_{k}": value for k, value in tops}
