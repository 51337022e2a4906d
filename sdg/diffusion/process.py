"""The reverse process: from noise to an image, one step of a sampler at a time."""

from collections.abc import Callable, Generator
from typing import NamedTuple

import torch
from torch import Tensor

from sdg.diffusion.branches import branches
from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.look import Look
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.pilot import ByGradient, Guide, Pilot, Push
from sdg.diffusion.recurrence import back
from sdg.diffusion.sampler import Sampler, Taken
from sdg.diffusion.timeline import Step, Timeline
from sdg.errors import SDGError

Constraint = Callable[[Tensor, Step], Tensor]
"""(x_s, the step just taken) -> the x_s to continue with, (B, C, H, W)."""


class Moment(NamedTuple):
    """One step, as an observer sees it."""

    step: Step
    x_s: Tensor
    prior: Prediction
    """The denoiser's prediction at x_t."""
    guided: Prediction
    """The prediction the step used."""
    x_t: Tensor
    noise: Tensor
    """What the step was taken with, (B, C, H, W); means nothing at the last step."""
    previous: Taken | None
    """The step before."""


Observer = Callable[[Moment], None]


@torch.no_grad()
def walk(
    denoiser: Denoiser,
    sampler: Sampler,
    timeline: Timeline,
    noise: NoiseSource,
    guide: Guide | Pilot | None = None,
    *,
    start: Tensor | None = None,
    constrain: Constraint | None = None,
    device: torch.device | str = "cpu",
    side_by_side: bool = False,
) -> Generator[Moment, Tensor | None]:
    """The chain of :func:`generate`, one step at a time; closing the iterator ends it.

    The ``x_s`` of the last moment is the finished image. Sent rows of the batch, (N,) int64, the chain goes
    on with these samples, in this order; whoever sends them tells guide and constraint.

    Args:
        side_by_side: whether the prior looks at x_t while the guide does (:mod:`sdg.diffusion.branches`).
    """
    if sampler.correct is not None and not timeline.corrected:
        raise SDGError("this rule corrects its steps: make its Timeline with correct=sampler.correct")
    pilot = guide if guide is None or isinstance(guide, Pilot) else ByGradient(guide)
    shape = (denoiser.channels, denoiser.image_size, denoiser.image_size)
    x, extra = noise.normal(shape, device), noise.other("recurrence")
    if start is not None:
        x = timeline.start.diffuse(start, x)
    elif (scale := timeline.start.scale) != 1:
        x = scale * x
    previous, none = None, torch.zeros((), device=device)
    with branches(device, side_by_side) as apart:
        for step in timeline:
            needed = sampler.stochastic and not step.last
            # One draw for each step, whatever guides it: so a picture keeps the noise of its unguided twin.
            own = noise.normal(shape, device) if needed else none
            for left in reversed(range(pilot.turns(step) if pilot else 1)):
                z = extra.normal(shape, device) if left and needed else own
                with apart.step():
                    look = Look(denoiser, x, step, pilot is not None and pilot.pulls(step), apart)
                    push = (pilot(look, sampler, z) if pilot else None) or Push()
                    prior = look.prediction
                    guided = push.prediction or prior
                origin, z = x if push.x_t is None else push.x_t, z if push.noise is None else push.noise
                x_s = sampler.step(origin, guided, step, z, previous)
                if push.shift is not None:
                    x_s = x_s + push.shift
                if constrain is not None:
                    x_s = constrain(x_s, step)
                if left:
                    again = back(x_s, step, extra.normal(shape, device))
                    active = None if pilot is None else pilot.active
                    x = again if active is None else torch.where(active, again, x)
            rows = yield Moment(step, x_s, prior, guided, look.x_t, z, previous)
            if rows is not None:
                x_s, guided, noise, extra = x_s[rows], guided.keep(rows), noise.keep(rows), extra.keep(rows)
                origin = origin[rows]
            x, previous = x_s, Taken(step, guided, origin)


def generate(
    denoiser: Denoiser,
    sampler: Sampler,
    timeline: Timeline,
    noise: NoiseSource,
    guide: Guide | Pilot | None = None,
    *,
    start: Tensor | None = None,
    constrain: Constraint | None = None,
    observe: Observer | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Draw one image per generator of ``noise``: (B, C, S, S), about [-1, 1], not clamped.

    Args:
        guide: a function that gives the gradient of F at x_t, or at another state if the sampler chooses one,
            without a gradient through the prior; or a :class:`Pilot`. A zero gradient gives exactly the
            unguided result.
        start: clean images (B or 1, C, S, S) in [-1, 1] to begin from, noised to the timeline's first level;
            by default the chain begins from pure noise.
        constrain: has the last word on every x_s, the finished image included.
        observe: called after every step.
    """
    chain = walk(denoiser, sampler, timeline, noise, guide, start=start, constrain=constrain, device=device)
    for moment in chain:
        if observe is not None:
            observe(moment)
    return moment.x_s
