"""How well a prior predicts the noise in pictures, held against what a guess could say."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.level import CLEAN
from sdg.diffusion.schedule import Schedule
from sdg.diffusion.timeline import Step
from sdg.randomness import keyed_generator

SHARES = (0.02, 0.1, 0.25, 0.5, 0.75)
"""Where in the schedule a prior is asked, as shares of its length."""
NOTHING = 0.9
"""A prior whose errors are this large, in units of a guess's, has learned nothing of the pictures."""


class Error(NamedTuple):
    """A prior's error at one noise level."""

    t: float
    mse: float
    """Mean of (ε̂ - ε)²; 1 for a network that gives zeros."""
    guess: float
    """The same for who knows the mean and variance of each pixel and nothing else."""

    @property
    def ratio(self) -> float:
        """The error in units of the guess's."""
        return self.mse / self.guess


@torch.no_grad()
def noise_errors(denoiser: Denoiser, pictures: Tensor, shares: Sequence[float] = SHARES) -> list[Error]:
    """The errors of a prior on pictures (N, 3, S, S) in [-1, 1], at some levels of its own schedule.

    The noise depends on the level and the shape alone, so that two priors are asked the same.
    """
    denoiser = denoiser.eval()
    states = denoiser.codec.encode(pictures)
    variance = states.var(dim=0, correction=0).mean().item()
    found = []
    for step in _steps(denoiser.schedule, shares):
        generator = keyed_generator("noise errors", round(1e6 * step.level.progress), device=states.device)
        noise = torch.randn(states.shape, generator=generator, device=states.device)
        x = step.level.diffuse(states, noise)
        x0 = torch.cat([denoiser.free(part, step).x0 for part in x.split(16)])
        # Not Prediction.eps: the error of ε̂ from that of x̂_0, without a difference of large numbers.
        ratio = step.level.alpha_bar / (1 - step.level.alpha_bar)
        mse = ratio * (x0 - states).double().square().mean().item()
        found.append(Error(step.t, mse, ratio * variance / (1 + ratio * variance)))
    return found


def overall(errors: Sequence[Error]) -> float:
    """The geometric mean of the errors in units of a guess's."""
    ratios = torch.tensor([error.ratio for error in errors], dtype=torch.float64)
    return ratios.clamp(min=1e-12).log().mean().exp().item()


def predicts_nothing(errors: Sequence[Error]) -> bool:
    """Whether even its second-best error is no better than a guess's."""
    return sorted(error.ratio for error in errors)[1] > NOTHING


def _steps(schedule: Schedule, shares: Sequence[float]) -> list[Step]:
    """Steps from these levels straight to a picture."""
    times = schedule.spread(torch.tensor(shares, dtype=torch.float64)).tolist()
    return [Step(0, schedule.level(t).unit, CLEAN, 0.0) for t in times]
