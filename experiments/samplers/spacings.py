"""Where few steps should stop: every spacing with every sampler, at equal numbers of evaluations."""

from pathlib import Path
from typing import NamedTuple

from experiments.results import save_page
from experiments.samplers.study import (
    METHODS,
    POSTERIOR,
    PRIOR,
    Method,
    Summary,
    chance,
    closed_form,
    draw,
    measured,
)
from sdg.diffusion.heun import Heun
from sdg.diffusion.spacing import ADM, Karras, LogSNR, Spacing, Trailing

SPACINGS: dict[str, Spacing] = {"adm": ADM(), "trailing": Trailing(), "karras": Karras(), "log_snr": LogSNR()}
RULES = (METHODS[0], METHODS[3], METHODS[7], METHODS[8], Method("heun", Heun()))
EVALUATIONS = (5, 10, 20)


class Cell(NamedTuple):
    """One sampler with one spacing."""

    method: Method
    spacing: str
    evaluations: int
    guided: bool


def compare(images: int, size: int, seed: int) -> dict[Cell, Summary]:
    """What was drawn minus the closed form, of every cell."""
    found = {}
    for method in RULES:
        for name, spacing in SPACINGS.items():
            for evaluations in EVALUATIONS:
                for guided in (False, True):
                    # Heun's rule looks twice at every step but the last.
                    steps = (evaluations + 1) // 2 if method.sampler.correct else evaluations
                    x = draw(method, steps, guided, images, size, seed, spacing)
                    target = closed_form(POSTERIOR if guided else PRIOR)
                    found[Cell(method, name, evaluations, guided)] = measured(x).minus(target)
    return found


def write_spacings(found: dict[Cell, Summary], pixels: int, folder: Path, words: str, machine: str) -> Path:
    """``spacings.md``: per cent of pixels in a wrong mode, and the error of the variance."""
    lines = [
        "# Where few steps should stop",
        "",
        f"`{words}`, on {machine}. {pixels:,} pixels each. In each cell, the pixels in a wrong mode, "
        f"in per cent (chance gives {100 * chance(PRIOR, pixels)[2]:.1f}), and the error of the variance. "
        "Heun's rule looks twice, and so takes half as many steps.",
    ]
    for guided in (False, True):
        for evaluations in EVALUATIONS:
            lines += ["", f"## {'Guided' if guided else 'Unguided'}, {evaluations} evaluations", ""]
            lines += ["| sampler | " + " | ".join(SPACINGS) + " |", "|---|" + "---:|" * len(SPACINGS)]
            for method in RULES:
                cells = [found[Cell(method, name, evaluations, guided)] for name in SPACINGS]
                shown = (f"{100 * cell.misplaced:.1f} · {cell.variance:+.3f}" for cell in cells)
                lines.append(f"| {method.name} | {' | '.join(shown)} |")
    return save_page(folder / "spacings.md", lines, __package__)
