"""Networks whose output is known, for the tests of this folder."""

import math

import torch
from torch import Tensor, nn

from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Fixed(nn.Module):
    """A network that always returns ``output``, and remembers the timesteps that it was given."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output, self.asked = output, list[Tensor]()

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        self.asked.append(t)
        return self.output


class Gaussian(nn.Module):
    """The perfect prior of pixels that are independent N(mean, std²): its output is exact.

    Every state of such a process is Gaussian, with mean √ᾱ ``mean`` and :meth:`variance`; so is every step
    back, with the slope and the variance of :meth:`regression`.
    """

    def __init__(self, timeline: Timeline, mean: float, std: float, learn_variance: bool) -> None:
        super().__init__()
        self.steps = {step.t: step for step in timeline}
        self.mean, self.std, self.learn_variance = mean, std, learn_variance

    def variance(self, alpha_bar: float) -> float:
        """Var[x_t]."""
        return alpha_bar * self.std**2 + 1 - alpha_bar

    def regression(self, alpha_bar_t: float, alpha_bar_s: float) -> tuple[float, float]:
        """d E[x_s | x_t] / d x_t and Var[x_s | x_t], for x_s less noisy than x_t."""
        slope = math.sqrt(alpha_bar_t / alpha_bar_s) * self.variance(alpha_bar_s) / self.variance(alpha_bar_t)
        return slope, self.variance(alpha_bar_s) - slope**2 * self.variance(alpha_bar_t)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        step = self.steps[int(t)]
        slope, _ = self.regression(step.alpha_bar, 1.0)
        x0 = self.mean + slope * (x_t - step.alpha_bar**0.5 * self.mean)
        eps = Prediction(x0).eps(x_t, step)
        if not self.learn_variance:
            return eps
        _, variance = self.regression(step.alpha_bar, step.alpha_bar_s)
        fraction = (math.log(variance) - step.log_beta_tilde) / (step.log_beta - step.log_beta_tilde)
        return torch.cat([eps, torch.full_like(eps, 2 * fraction - 1)], dim=1)


def gaussian_denoiser(
    steps: int, mean: float, std: float, learn_variance: bool
) -> tuple[Denoiser, Timeline, Gaussian]:
    """The perfect prior behind a denoiser for 16-px images of one channel, with a timeline to sample on."""
    schedule = NoiseSchedule.linear()
    timeline = Timeline(schedule, steps)
    network = Gaussian(timeline, mean, std, learn_variance)
    return Denoiser(network, schedule, 16, channels=1, clip=False), timeline, network
