"""The reverse process: from noise to an image, one step of a sampler at a time."""

from collections.abc import Callable

import torch
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.sampler import Sampler, Taken
from sdg.diffusion.timeline import Step, Timeline

Guide = Callable[[Tensor, Step], Tensor | None]
"""(x_t, step) -> the gradient of F at x_t, (B, C, H, W), weights included; None for no guidance."""

Observer = Callable[[Step, Tensor, Prediction], None]
"""Called after every step with the step, x_s and the (guided) prediction at x_t."""


@torch.no_grad()
def generate(
    denoiser: Denoiser,
    sampler: Sampler,
    timeline: Timeline,
    noise: NoiseSource,
    guide: Guide | None = None,
    observe: Observer | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Draw one image per generator of ``noise``: (B, C, S, S), about [-1, 1], not clamped.

    The prior and the guide both look at x_t; neither sees the other, and no gradient passes through the
    prior. A zero gradient gives what no guide would, exactly.
    """
    shape = (denoiser.channels, denoiser.image_size, denoiser.image_size)
    x = noise.normal(shape, device)
    previous = None
    for step in timeline:
        prediction = denoiser(x, step)
        gradient = guide(x, step) if guide is not None else None
        if gradient is not None:
            prediction = sampler.guide(prediction, gradient, step)
        x = sampler.step(x, prediction, step, noise.normal(shape, device), previous)
        previous = Taken(step, prediction)
        if observe is not None:
            observe(step, x, prediction)
    return x
