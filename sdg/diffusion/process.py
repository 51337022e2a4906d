"""The reverse process: from noise to an image, one step of a sampler at a time."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.sampler import Sampler, Taken
from sdg.diffusion.timeline import Level, Step, Timeline

Guide = Callable[[Tensor, Level], Tensor | None]
"""(x, its noise level) -> the gradient of F at x, (B, C, H, W), weights included; None for no guidance."""

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


Observer = Callable[[Moment], None]


@torch.no_grad()
def walk(
    denoiser: Denoiser,
    sampler: Sampler,
    timeline: Timeline,
    noise: NoiseSource,
    guide: Guide | None = None,
    *,
    start: Tensor | None = None,
    constrain: Constraint | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[Moment]:
    """The chain of :func:`generate`, one step at a time; closing the iterator ends it.

    The ``x_s`` of the last moment is the finished image.
    """
    shape = (denoiser.channels, denoiser.image_size, denoiser.image_size)
    x = noise.normal(shape, device)
    if start is not None:
        x = timeline.start.diffuse(start, x)
    previous, none = None, torch.zeros((), device=device)
    for step in timeline:
        prior = guided = denoiser(x, step)
        if guide is not None:
            gradient = guide(*sampler.guided_at(x, prior, step))
            if gradient is not None:
                guided = sampler.guide(prior, gradient, step)
        fresh = noise.normal(shape, device) if sampler.stochastic and not step.last else none
        x = sampler.step(x, guided, step, fresh, previous)
        if constrain is not None:
            x = constrain(x, step)
        previous = Taken(step, guided)
        yield Moment(step, x, prior, guided)


def generate(
    denoiser: Denoiser,
    sampler: Sampler,
    timeline: Timeline,
    noise: NoiseSource,
    guide: Guide | None = None,
    *,
    start: Tensor | None = None,
    constrain: Constraint | None = None,
    observe: Observer | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Draw one image per generator of ``noise``: (B, C, S, S), about [-1, 1], not clamped.

    The guide looks at x_t, or at another state if the sampler chooses one; no gradient passes through the
    prior here. A zero gradient gives exactly the unguided result.

    Args:
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
