"""The ways to draw that are compared: a sampler, its steps, and how often the encoder is called."""

import argparse
from typing import NamedTuple

from sdg.errors import SDGError


class Way(NamedTuple):
    """One way to draw the same samples."""

    sampler: str
    """With a spacing after a colon, if it is not the usual one."""
    steps: int
    scale: float
    less: str = ""
    """How the encoder is called less often than at every step, in words."""
    more: tuple[str, ...] = ()
    """Settings of sample.py that do so."""

    @property
    def name(self) -> str:
        return f"{self.sampler}, {self.steps} steps" + (f", {self.less}" if self.less else "")

    @property
    def told(self) -> list[str]:
        return [self.sampler, str(self.steps), self.less, f"{self.scale:g}"]

    @property
    def settings(self) -> list[str]:
        """The settings of ``sample.py`` that draw this way."""
        sampler, _, spacing = self.sampler.partition(":")
        chosen = [f"sampler={sampler}", f"sampler.steps={self.steps}", f"guidance.scale={self.scale:g}"]
        chosen += [f"sampler/spacing={spacing}"] if spacing else []
        return [*chosen, "guidance=text", *self.more]


def ways(options: argparse.Namespace) -> list[Way]:
    """All the ways; the first is the one that the others are compared with.

    Raises:
        SDGError: the sampler that is to call the encoder less often is not among the samplers.
    """
    scales = options.samplers
    if options.less not in scales:
        raise SDGError(f"--less {options.less} has no guidance scale: name one of {', '.join(scales)}")
    grid = [Way(name, n, scale) for name, scale in scales.items() for n in sorted(set(options.steps))]
    first = max((way for way in grid if way.sampler == grid[0].sampler), key=lambda way: way.steps)
    start, stop = options.interval
    window = f"{{_target_: sdg.guidance.weight.Window, start: {start:g}, stop: {stop:g}}}"
    rarer = [(f"every {k} steps", f"guidance.every={k}") for k in options.every]
    rarer.append((f"progress {start:g} to {stop:g}", f"guidance.terms.text.weight={window}"))
    fewer = [
        Way(options.less, n, scales[options.less], words, (setting,))
        for n in options.less_steps
        for words, setting in rarer
    ]
    return [first, *(way for way in grid if way != first), *fewer]
