"""The comparison: one prior, one posterior, every sampler, and how far each is from the closed form."""

from typing import NamedTuple

import torch
from torch import Tensor

from experiments.samplers.mixture import ExactNetwork, Mixture, exact_guide
from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.dpmpp import DPMSolverPP2M
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.spacing import Spacing
from sdg.diffusion.timeline import Timeline

PRIOR = Mixture((0.5, 0.3, 0.2), (-0.6, 0.1, 0.7), (0.08, 0.12, 0.08))
MEASURED, TAU = 0.9, 0.7
"""The guide's measurement, y = 0.9 of x_0 + 0.7 n, which favours the rarest mode."""
POSTERIOR = PRIOR.given(MEASURED, TAU)
BORDERS = (-0.25, 0.4)
"""Where one mode ends and the next begins."""

SCHEDULE = NoiseSchedule.linear()


class Method(NamedTuple):
    """A sampler with its settings."""

    name: str
    sampler: Sampler
    learned_variance: bool = False


METHODS = (
    Method("ddpm, small variance", DDPM("small")),
    Method("ddpm, large variance", DDPM("large")),
    Method("ddpm, learned variance", DDPM(), learned_variance=True),
    Method("ddim, η = 0", DDIM(0.0)),
    Method("ddim, η = 0.5", DDIM(0.5)),
    Method("ddim, η = 1", DDIM(1.0)),
    Method("dpmpp_2m, no limit", DPMSolverPP2M()),
    Method("dpmpp_2m, reach 1", DPMSolverPP2M(reach=1.0)),
    Method("dpmpp_2m_sde, reach 1", DPMSolverPP2M(reach=1.0, eta=1.0)),
)
AT_MEAN = (
    Method("ddpm, small variance, at μ", DDPM("small", gradient_at="mean")),
    Method("ddpm, large variance, at μ", DDPM("large", gradient_at="mean")),
    Method("ddpm, learned variance, at μ", DDPM(gradient_at="mean"), learned_variance=True),
)
"""The guided ancestral step again, in its textbook form."""


class Summary(NamedTuple):
    """Statistics of a pixel's distribution, in closed form or measured; or differences of two."""

    mean: float
    variance: float
    shares: tuple[float, ...]

    def minus(self, other: "Summary") -> "Summary":
        shares = tuple(a - b for a, b in zip(self.shares, other.shares, strict=True))
        return Summary(self.mean - other.mean, self.variance - other.variance, shares)

    @property
    def misplaced(self) -> float:
        """Of differences: the share of all pixels that are in a wrong mode (total variation)."""
        return sum(abs(share) for share in self.shares) / 2

    def sizes(self) -> tuple[float, float, float]:
        """Of differences: their sizes, in mean, variance and mode shares."""
        return abs(self.mean), abs(self.variance), self.misplaced


def closed_form(mixture: Mixture) -> Summary:
    return Summary(mixture.mean, mixture.moment(2), tuple(mixture.shares(BORDERS)))


def measured(x: Tensor) -> Summary:
    x = x.double().flatten()
    borders = torch.tensor(BORDERS, dtype=x.dtype, device=x.device)
    counts = torch.bincount(torch.bucketize(x, borders), minlength=len(BORDERS) + 1)
    return Summary(float(x.mean()), float(x.var()), tuple((counts / len(x)).tolist()))


def draw(
    method: Method,
    steps: int,
    guided: bool,
    images: int,
    size: int = 128,
    seed: int = 0,
    spacing: Spacing | None = None,
) -> Tensor:
    """(images, 1, size, size): independent pixels of the prior or, if guided, of the posterior."""
    timeline = Timeline(SCHEDULE, steps, spacing=spacing, correct=method.sampler.correct)
    network = ExactNetwork(PRIOR, timeline, method.learned_variance)
    denoiser = Denoiser(network, SCHEDULE, size, channels=1, parameterisation="x0", clip=False)
    guide = exact_guide(PRIOR, POSTERIOR) if guided else None
    noise = NoiseSource([(seed, index) for index in range(images)])
    return generate(denoiser, method.sampler, timeline, noise, guide)


def error(method: Method, steps: int, guided: bool, images: int, size: int = 128, seed: int = 0) -> Summary:
    """What was drawn minus the closed form."""
    target = closed_form(POSTERIOR if guided else PRIOR)
    return measured(draw(method, steps, guided, images, size, seed)).minus(target)


def chance(mixture: Mixture, pixels: int) -> tuple[float, float, float]:
    """Standard errors of mean and variance for that many exact draws, and half the sum of the shares'."""
    variance = mixture.moment(2)
    shares = [(p * (1 - p) / pixels) ** 0.5 for p in mixture.shares(BORDERS)]
    return (
        (variance / pixels) ** 0.5,
        ((mixture.moment(4) - variance**2) / pixels) ** 0.5,
        sum(shares) / 2,
    )
