"""What is drawn: every way to guide the prior of photographs, and which of its numbers is its strength.

The prior and the encoder are new, so no strength chosen for toy faces means anything here: each way gets the
same ladder of multiples of its configured strength, and one rule says which rung is taken.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from omegaconf import OmegaConf

from experiments.front.arms import ARMS
from experiments.grid import Point
from experiments.running import configuration
from sdg.errors import SDGError

RUNGS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Multiples of a configured strength."""
FRONT = ("sdg_sphere", "mpgd")
"""Arms of ``experiments.front`` beside the paper's own: the cheapest that did well of either guide."""
Kind = Literal["prompts", "references", "pairs"]
RIGHT, IDENTITY, LAYOUT, PALETTE = "alignment/all", "kept/identity", "layout", "kept/palette"
FEWER = (IDENTITY, LAYOUT, PALETTE)
"""Goals of which less is better."""
DIVERSITY = "diversity_judge"
KEEP: dict[Kind, float] = {"prompts": 0.8, "references": 0.5, "pairs": 0.5}
"""Of the unguided samples' diversity: what a way may not fall below. Pictures towards one face are alike."""


class Control(NamedTuple):
    """A way to guide, whatever its strength."""

    title: str
    kind: Kind
    """What it aims at; pairs: prompts and references at once."""
    words: tuple[str, ...]
    """Settings of ``sample.py``."""
    goal: str
    """The measure that says how well it does; see :data:`FEWER`."""
    knobs: tuple[str, ...] = ("guidance.scale",)
    """The settings that are its strength, multiplied together; none: it has none that is looked for."""
    guide: Literal["guide", "clip_guide"] = "guide"
    """The features of the network that guides."""

    def settings(self, times: float, sample: Sequence[str]) -> list[str]:
        """At ``times`` the strength that is configured for ``sample``, settings of ``sample.py``."""
        if not self.knobs or times == 1:
            return [*self.words]
        config = configuration("sample", [*sample, *self.words])
        return [*self.words, *(f"{knob}={times * OmegaConf.select(config, knob):.4g}" for knob in self.knobs)]


def controls(arms: Sequence[str]) -> dict[str, Control]:
    """Name -> control, in the order of the page.

    Args:
        arms: of ``experiments.front``.
    """
    plain = ("method=clip_x0", "guidance=text_paper")
    return {
        "text": Control("words", "prompts", ("guidance=text_paper",), RIGHT),
        "clip_x0": Control("words, clip_x0", "prompts", plain, RIGHT, guide="clip_guide"),
        **{f"text_{name}": _of_front(name) for name in arms},
        "content": Control("content", "references", ("guidance=content",), IDENTITY),
        "structure": Control("structure", "references", ("guidance=structure",), LAYOUT),
        "style": Control("style", "references", ("guidance=style",), PALETTE),
        **{f"ilvr_{factor}": _ilvr(factor) for factor in (4, 8, 16)},
        "mix": Control("words beside a picture", "pairs", ("guidance=mix",), RIGHT),
    }


def _of_front(name: str) -> Control:
    arm = ARMS[name]
    guide: Literal["guide", "clip_guide"] = "guide" if arm.guide == "encoder" else "clip_guide"
    return Control(f"words, {name}", "prompts", tuple(arm.settings), RIGHT, arm.knobs, guide)


def _ilvr(factor: int) -> Control:
    words = ("method=ilvr", f"constraint.factor={factor}")
    return Control(f"ILVR, N = {factor}", "references", words, IDENTITY, knobs=())


class Way(NamedTuple):
    """A control at one strength."""

    name: str
    control: Control
    times: float
    settings: Sequence[str]

    @property
    def told(self) -> list[str]:
        """Its control, and how many times the configured strength it has."""
        return [self.control.title, f"{self.times:g}" if self.control.knobs else "–"]


def read_rungs(path: Path) -> dict[str, float]:
    """What ``strengths`` chose: control -> multiple of its configured strength; empty if it has not run.

    Raises:
        SDGError: the file says something else.
    """
    if not path.is_file():
        return {}
    try:
        found: Mapping[str, float] = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(times) for name, times in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise SDGError(f"{path} does not hold strengths of ways: write it anew with strengths") from error


def choose(points: Sequence[Point[Way]]) -> Point[Way]:
    """Of the rungs of one control that keep enough diversity, that with the best of its goal; if none keeps
    enough, the lowest."""
    control = points[0].way.control
    sign = -1 if control.goal in FEWER else 1
    wide = [point for point in points if kept(point) >= KEEP[control.kind]]
    if not wide:
        return min(points, key=lambda point: point.way.times)
    return max(wide, key=lambda point: sign * point.value(control.goal))


def kept(point: Point[Way]) -> float:
    """The diversity of a target's samples, as a share of that of unguided ones."""
    measure = point.measures[DIVERSITY]
    assert measure.beside is not None, "studies draw unguided samples, too"
    return measure.value / measure.beside[1]
