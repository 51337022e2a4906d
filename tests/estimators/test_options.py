"""What official programs can do beyond the chains on file: each a few lines of its own, on the stand-ins."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sdg.diffusion.ddim import DDIM
from sdg.diffusion.timeline import Step
from sdg.estimators.control import Control
from sdg.estimators.estimator import Estimator
from sdg.estimators.mpgd import MPGD
from sdg.estimators.tfg import TFG
from sdg.estimators.universal import Universal
from sdg.guidance.weight import Linear
from tests.estimators.official import (
    Codes,
    Prior,
    Visiting,
    arrays,
    deal,
    distance,
    error,
    logp,
    square,
    walked,
)

PRIOR, CODES = Prior(), Codes()
OwnStep = Callable[[Tensor, Step, list[Tensor]], tuple[Tensor, Tensor]]
"""(x_t, step, the draws for estimates) -> x̂_0 and ε̂ to take DDIM's step with, or x_s and nothing."""


def eps(x: Tensor, step: Step) -> Tensor:
    return PRIOR(x, torch.tensor([step.t]))


def predicted(x: Tensor, step: Step, noise: Tensor) -> Tensor:
    return (x - step.sigma * noise) / step.alpha


def uphill(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(score(x).sum(), x)[0]


def tfg(x: Tensor, step: Step, draws: list[Tensor]) -> tuple[Tensor, Tensor]:
    """μ alone, twice, smoothed over two draws of one radius at all levels; schedules of 1 and of 1 - α."""
    noise, views = eps(x, step), torch.stack([draws.pop(0).double() for _ in range(2)])

    def smooth(x0: Tensor) -> Tensor:
        return torch.stack([logp(x0 + 0.3 * view) for view in views]).logsumexp(0)

    start = predicted(x, step, noise).clamp(-1, 1)
    noise, x0 = (x - step.alpha * start) / step.sigma, start
    for _ in range(2):
        x0 = x0 + 0.2 * uphill(smooth, x0)
    return x0, noise


def ugd(x: Tensor, step: Step, draws: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Forward and two ascents, nothing clamped."""
    noise = eps(x, step)
    forward = uphill(lambda y: logp(predicted(y, step, eps(y, step))), x)
    begun = x0 = predicted(x, step, noise)
    for _ in range(2):
        x0 = x0 + 0.5 * uphill(logp, x0)
    noise = noise - step.sigma * forward - step.alpha / step.sigma * (x0 - begun)
    return predicted(x, step, noise), noise


def resting(x: Tensor, step: Step, draws: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Adam, which leaves those whose loss is below 1.2 where they are."""
    x0 = torch.nn.Parameter(predicted(x, step, eps(x, step)))
    adam = torch.optim.Adam([x0], lr=0.2)
    with torch.enable_grad():
        for _ in range(4):
            x0.data = x0.data.clamp(-1, 1)
            before = x0.data.clone()
            loss = -square(x0)
            adam.zero_grad()
            loss.sum().backward()
            adam.step()
            x0.data = torch.where((loss < 1.2)[:, None, None, None], before, x0.data)
    x0 = x0.data.clamp(-1, 1)
    return x0, (x - step.alpha * x0) / step.sigma


def controlled(trust: Callable[[Step], float], effort: Callable[[Step], float]) -> OwnStep:
    def take(x: Tensor, step: Step, draws: list[Tensor]) -> tuple[Tensor, Tensor]:
        control, base = torch.nn.Parameter(torch.zeros_like(x)), eps(x, step)
        adam = torch.optim.Adam([control], lr=0.05)
        with torch.enable_grad():
            for _ in range(3):
                moved = x + 2 * control
                noise = eps(moved, step)
                cost = (
                    trust(step) * (base - noise).square().sum()
                    + effort(step) * 4 * (2 * control).square().sum()
                )
                adam.zero_grad()
                (cost - 3 * square(predicted(moved, step, noise).clamp(-1, 1)).sum()).backward()
                adam.step()
        moved = x + 2 * control.data
        noise = eps(moved, step)
        return predicted(moved, step, noise).clamp(-1, 1), noise

    return take


def coded(space: str) -> OwnStep:
    """MPGD for linear problems with an autoencoder: of x̂_0 clamped."""

    def take(x: Tensor, step: Step, draws: list[Tensor]) -> tuple[Tensor, Tensor]:
        start = predicted(x, step, eps(x, step)).clamp(-1, 1)
        noise, by = (x - step.alpha * start) / step.sigma, 0.4 / step.alpha_s
        if space == "decoded":
            return start + by * uphill(lambda y: distance(CODES.decode(CODES.encode(y))), start), noise
        code = CODES.encode(start)
        moved = code + by * uphill(lambda c: distance(CODES.decode(c)), code)
        return CODES.decode(moved) + start - CODES.decode(code), noise

    return take


OPTIONS: dict[str, tuple[str, Estimator, OwnStep, Callable[[Tensor], Tensor], float, str, bool]] = {
    # chain of the noises, ours, its few lines, score, η, layout, whether the prior clamps
    "a radius that stays": (
        "tfg_repo.tfg",
        TFG(0.0, 0.2, 2, 2, 0.3, mu_schedule="constant", radius_schedule="constant"),
        *(tfg, logp, 1.0, "mmZ", True),
    ),
    "an ascent from x̂_0 as it is": (
        "tfg_repo.ugd",
        Universal(1.0, 2, 0.5, adam=False, clamp=False, bounded=False),
        *(ugd, logp, 0.5, "Z", False),
    ),
    "an ascent that rests": (
        "ugd_repo.both_recur",
        Universal(0.0, inner=4, rate=0.2, rest=-1.2),
        *(resting, square, 1.0, "z", False),
    ),
    "a control that costs nothing": (
        "ndtm_repo.zero",
        Control(3, 0.05, False, 3.0, 2.0, trust=0.0, effort=0.0, clamp=True),
        *(controlled(lambda step: 0.0, lambda step: 0.0), square, 0.5, "z", False),
    ),
    "a control whose costs change": (
        "ndtm_repo.zero",
        Control(3, 0.05, False, 3.0, 2.0, trust=Linear(1.0, 2.0), effort=Linear(0.5, 0.1), clamp=True),
        *(controlled(lambda s: 1 + s.level.progress, lambda s: 0.5 - 0.4 * s.level.progress), square, 0.5),
        *("z", False),
    ),
    **{
        f"a picture {space}": (
            "mpgd_repo_linear.wo_proj",
            MPGD(0.4, of="x_s", autoencoder=CODES, space=space),  # type: ignore[arg-type]
            *(coded(space), distance, 0.5, "z", True),
        )
        for space in ("decoded", "code")
    },
}


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_of_an_official_program_is_its_few_lines(name: str, count: int) -> None:
    chain, estimator, own, score, eta, layout, clip = OPTIONS[name]
    timeline = Visiting(arrays()[f"{chain}.timesteps"].tolist())
    drawn = len(layout) * len(timeline) - layout.count("Z")
    noise = arrays()[f"{chain}.noise"][:, :drawn]
    streams = deal(noise, arrays()[f"{chain}.x_T"], timeline, DDIM(eta), layout, lambda step: 1, count)
    x, *steps = streams["x_t"]
    for step in timeline:
        x0, e = own(x.double(), step, streams["estimate"])
        v = 0 if step.last else eta**2 * (1 - step.alpha_bar_s) / (1 - step.alpha_bar) * step.beta
        x = step.alpha_s * x0 + max(1 - step.alpha_bar_s - v, 0) ** 0.5 * e
        x = x if step.last else x + v**0.5 * steps.pop(0).double()
    states, _ = walked(chain, estimator, score, DDIM(eta), layout=layout, count=count, clip=clip, noise=noise)
    assert error(states[-1], x) < 1e-10
