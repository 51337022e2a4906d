"""Each estimator against a tilted distribution that is known: where more aligned can be more wrong."""

import argparse
from pathlib import Path

from torch import Tensor

from experiments.pages import head, table
from experiments.results import save_page
from experiments.samplers.mixture import ExactNetwork
from experiments.samplers.study import MEASURED, POSTERIOR, PRIOR, SCHEDULE, TAU, closed_form, measured
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.timeline import Timeline
from sdg.estimators.control import Control
from sdg.estimators.dose import Clamp
from sdg.estimators.dps import DPS
from sdg.estimators.dsg import DSG
from sdg.estimators.estimator import Estimator
from sdg.estimators.freedom import FreeDoM
from sdg.estimators.lgd import LGD
from sdg.estimators.mpgd import MPGD
from sdg.estimators.sdg import SDG
from sdg.estimators.sdg_sphere import SDGSphere
from sdg.estimators.spectral import Spectral
from sdg.estimators.steer import Steer
from sdg.estimators.tfg import TFG
from sdg.estimators.universal import Universal
from sdg.guidance.score import OfFunction

STEPS, SIZE = 50, 4
ESTIMATORS: dict[str, list[Estimator]] = {
    # as they are defined, or with the dose of these whose mean comes nearest
    "sdg": [SDG()],
    "sdg_clamped, 0.2": [SDG(Clamp(0.2))],
    "sdg_sphere": [SDGSphere(share) for share in (0.1, 0.2, 0.4, 0.8)],
    "spectral": [Spectral(strength) for strength in (0.1, 0.3, 1.0, 3.0)],
    "clip_x0": [Universal(clamp=False, clamped=True)],
    "universal, 3 inner": [Universal(inner=3, rate=rate) for rate in (0.003, 0.01, 0.03, 0.1)],
    "dps": [DPS(strength) for strength in (0.003, 0.01, 0.03, 0.1, 0.3)],
    "lgd, n = 4": [LGD(4, 1.0, strength) for strength in (0.003, 0.01, 0.03, 0.1, 0.3)],
    "freedom": [FreeDoM(size) for size in (0.01, 0.03, 0.1, 0.3)],
    "dsg": [DSG(share) for share in (0.1, 0.2, 0.4, 0.8)],
    "mpgd": [MPGD(strength) for strength in (0.003, 0.01, 0.03, 0.1, 0.3)],
    "tfg": [TFG(mu, mu, 2, radius=0.0) for mu in (0.003, 0.01, 0.03, 0.1)],
    "control": [Control(2, rate) for rate in (0.01, 0.03, 0.1, 0.3)],
}


def of_state(x: Tensor, level: Level) -> Tensor:
    """log p(y | x_t) up to a constant, summed over pixels: exact at every noise level."""
    ratio = POSTERIOR.noised(level).density(x) / PRIOR.noised(level).density(x)
    return ratio.clamp(min=1e-30).log().sum(dim=(1, 2, 3))


def of_picture(x: Tensor, level: Level) -> Tensor:
    """log p(y | x_0), up to a constant."""
    return -((x - MEASURED) / TAU).square().sum(dim=(1, 2, 3)) / 2


def drawn(estimator: Estimator, images: int, seed: int) -> Tensor:
    """(images, 1, SIZE, SIZE): pixels that the estimator guides towards the measurement."""
    timeline, sampler = Timeline(SCHEDULE, STEPS), DDPM()
    network = ExactNetwork(PRIOR, timeline, learned_variance=True)
    denoiser = Denoiser(network, SCHEDULE, SIZE, channels=1, parameterisation="x0", clip=False)
    estimator.fit(sampler, timeline)
    noise = NoiseSource([(seed, index) for index in range(images)])
    score = OfFunction(of_state if estimator.reads == "noisy" else of_picture)
    return generate(denoiser, sampler, timeline, noise, Steer(estimator, score, noise.other("estimate")))


def study(options: argparse.Namespace) -> Path:
    """Draw with all of them; returns the page."""
    exact, before = closed_form(POSTERIOR), closed_form(PRIOR)
    pixels, rows = options.images * SIZE**2, []
    for name, tried in ESTIMATORS.items():
        print(name, flush=True)
        found = [measured(drawn(one, options.images, options.seed)).minus(exact) for one in tried]
        best = min(range(len(found)), key=lambda i: abs(found[i].mean))
        error = found[best]
        dose = f"{best + 1} of {len(tried)}" if len(tried) > 1 else ""
        rows.append([name, dose, f"{error.mean:+.3f}", f"{error.variance:+.3f}", f"{error.misplaced:.3f}"])
    what = (
        f"Pixels of a mixture of three Gaussians, tilted by a measurement y = {MEASURED} of x_0 + {TAU} n, "
        "as in [samplers](../samplers/README.md): the prior's predictions and log p(y given x_t) are exact, "
        f"and so is what should come out: mean {exact.mean:.3f} and variance {exact.variance:.3f}, where the "
        f"prior has {before.mean:.3f} and {before.variance:.3f}. {STEPS} ancestral steps with the exact "
        f"variance; {pixels} pixels, by which the standard error of a mean is "
        f"{(exact.variance / pixels) ** 0.5:.3f}. "
        "Estimators that read pictures see log p(y given x_0). Those with several doses have that whose mean "
        "comes nearest."
    )
    lines = [
        *head("How far each estimator is from the tilted distribution", options.command, what),
        *table(["estimator", "dose", "mean", "variance", "pixels in a wrong mode"], rows, left=2),
    ]
    return save_page(options.report / "mixture.md", lines, __package__)
