"""From relative doses to strengths: how long the pushes of an arm are, and what makes them as long as asked.

All arms are given the same relative doses, whatever their strength is called and whatever port they push
through: so no ladder is chosen by hand, and none has more rungs than another.
"""

import argparse
import json
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor

from experiments.front.arms import ARMS, Way
from experiments.running import configuration, some
from experiments.text_alignment.prompts import TUNING
from sdg.diffusion.pilot import Push
from sdg.errors import SDGError
from sdg.estimators.dose import relative
from sdg.estimators.estimator import Estimator, Found, Here
from sdg.files import write_whole
from sdg.sampling.build import build_method
from sdg.sampling.networks import Networks
from sdg.sampling.plan import PlanEntry

PROMPTS = 4
"""Chains that a strength is measured on, one for each of as many prompts."""
ROUNDS = 4
CLOSE = 0.05
"""A strength is found when its relative dose is this near, as a share; or after so many rounds."""


class Watch:
    """Notes the relative dose of every push of an estimator, by standing in for its ``push``."""

    def __init__(self, estimator: Estimator):
        self.given, self.seen = estimator.push, list[Tensor]()
        estimator.push = self  # type: ignore[method-assign]

    def __call__(self, found: Found, here: Here) -> Push:
        push = self.given(found, here)
        self.seen.append(relative(push, here.look, here.noise))
        return push

    @property
    def middle(self) -> float:
        """The median of all that push at all: spikes and rests do not move it."""
        every = torch.cat(self.seen)
        return float(every[every > 0].median()) if bool((every > 0).any()) else 0.0


class Strengths:
    """Finds the strengths of arms, and keeps them in a file, so that a killed run goes on with the same.

    Args:
        options: of the command line.
    """

    def __init__(self, options: argparse.Namespace):
        self.file: Path = options.output / "strengths.json"
        self.sample, self.seed = options.sample, options.seed
        self.networks = Networks("cuda" if torch.cuda.is_available() else "cpu")
        self.found = self._kept()

    def __call__(self, arm: str, steps: int, dose: float) -> Way:
        """The way that pushes by ``dose`` a step."""
        key = f"{arm}, {steps} steps, {dose:g}"
        if key not in self.found:
            own = self._search(arm, steps, dose)
            self.found = self._kept() | {key: own}  # another process may have written to it
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.file, json.dumps(self.found, indent=1) + "\n")
        return Way(arm, steps, dose, tuple(self.found[key]))

    def _kept(self) -> dict[str, list[str]]:
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}

    def _search(self, arm: str, steps: int, dose: float) -> list[str]:
        """By multiplying what is configured, from a little of it on: short pushes are as long as strengths,
        and long ones lead where the prior no longer knows what it sees."""
        times, best = 0.1, (float("inf"), [""])
        for _ in range(ROUNDS):
            settings = self._times(arm, steps, times)
            reached = self.dose(arm, steps, settings)
            if reached == 0:
                raise SDGError(f"{arm} pushes nothing in {steps} steps: leave it out of --arms")
            best = min(best, (abs(reached / dose - 1), settings))
            if best[0] < CLOSE:
                break
            times *= dose / reached
        return best[1]

    def _times(self, arm: str, steps: int, times: float) -> list[str]:
        config = configuration("sample", [*self.sample, *ARMS[arm].settings, f"sampler.steps={steps}"])
        return [f"{knob}={times * OmegaConf.select(config, knob):.4g}" for knob in ARMS[arm].knobs]

    def dose(self, arm: str, steps: int, strength: list[str]) -> float:
        """The relative dose that a strength gives, on prompts that no result is measured on."""
        words = [*self.sample, *Way(arm, steps, 0.0, tuple(strength)).settings]
        method = build_method(configuration("sample", words), self.networks)
        prompts = some(TUNING, PROMPTS)
        method.check(prompts, [])
        watch = Watch(method.estimator)  # type: ignore[attr-defined, arg-type]
        entries = [PlanEntry(i, p, None, self.seed, i, method.scale) for i, p in enumerate(prompts)]
        for first in range(0, len(entries), method.group):
            method.draw(entries[first : first + method.group])
        return watch.middle
