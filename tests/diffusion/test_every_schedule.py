"""Every sampler on every schedule: exact priors, the order of convergence, the same chain rescaled."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from experiments.samplers.mixture import exact_guide
from experiments.samplers.study import POSTERIOR, PRIOR, closed_form, measured
from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.dpmpp import DPMSolverPP2M
from sdg.diffusion.heun import Heun
from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import Moment, generate, walk
from sdg.diffusion.sampler import Sampler, Taken
from sdg.diffusion.schedule import Flow, NoiseSchedule, Schedule, VarianceExploding
from sdg.diffusion.spacing import LogSNR, Spacing
from sdg.diffusion.timeline import Step, Timeline
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.text import Text
from tests.diffusion.test_process import PROMPTS, NoiseIn, networks  # noqa: F401  (a fixture)

LINEAR = NoiseSchedule.linear()
SCHEDULES = {"VP": LINEAR, "VE": VarianceExploding(), "flow": Flow()}
OF_EACH = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
SAMPLERS: dict[str, Sampler] = {
    "ddpm": DDPM(), "ddim": DDIM(), "ddim, η = 1": DDIM(1.0), "dpmpp_2m": DPMSolverPP2M(reach=1.0),
    "dpmpp_2m_sde": DPMSolverPP2M(reach=1.0, eta=1.0), "heun": Heun(), "heun, churn": Heun(churn=10.0),
}  # fmt: skip
BY_EACH = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
MEAN, STD = 0.3, 0.4


class ExactGaussian(nn.Module):
    """E[x_0 | x] when x_0 ~ N(MEAN, STD²), by a schedule's own time."""

    def __init__(self, schedule: Schedule):
        super().__init__()
        self.schedule = schedule

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        level = self.schedule.level(t.item())
        gain = level.alpha * STD**2 / (level.alpha**2 * STD**2 + level.sigma**2)
        return MEAN + gain * (x - level.alpha * MEAN)


class ExactMixture(ExactGaussian):
    """The same for the mixture of experiments/samplers."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return PRIOR.clean(x, self.schedule.level(t.item()))[0]


def exact(network: type[ExactGaussian], schedule: Schedule, size: int) -> Denoiser:
    return Denoiser(network(schedule), schedule, size, channels=1, parameterisation="x0", clip=False)


def steps(sampler: Sampler) -> int:
    """Enough of them."""
    return 180 if isinstance(sampler, DDPM | DDIM) else 45


def keys(count: int) -> NoiseSource:
    return NoiseSource([(0, index) for index in range(count)])


@BY_EACH
@OF_EACH
def test_a_gaussian_is_kept_by_every_sampler_on_every_schedule(schedule: Schedule, sampler: Sampler) -> None:
    """Evenly in λ; rules of first order in 240 steps. 16,384 pixels: standard errors of 0.003 and 0.002."""
    timeline = Timeline(schedule, 4 * steps(sampler) // 3, spacing=LogSNR(), correct=sampler.correct)
    x = generate(exact(ExactGaussian, schedule, 64), sampler, timeline, keys(4))
    assert float(x.mean()) == pytest.approx(MEAN, abs=0.013)
    assert float(x.std()) == pytest.approx(STD, abs=0.016)


@BY_EACH
@pytest.mark.parametrize("name", ["VE", "flow"])  # tests/diffusion/test_mixture.py has VP
def test_a_guided_mixture_is_its_posterior_on_every_schedule(name: str, sampler: Sampler) -> None:
    """Ancestral steps of Σ = β̃ under the mean shift come least near, as they do on timesteps."""
    schedule, guide = SCHEDULES[name], exact_guide(PRIOR, POSTERIOR)
    timeline = Timeline(schedule, steps(sampler), spacing=LogSNR(), correct=sampler.correct)
    drawn = generate(exact(ExactMixture, schedule, 128), sampler, timeline, keys(1), guide)
    error = measured(drawn).minus(closed_form(POSTERIOR))
    limits = (0.06, 0.015, 0.06) if isinstance(sampler, DDPM) else (0.015, 0.013, 0.017)
    assert all(size < limit for size, limit in zip(error.sizes(), limits, strict=True)), error


# --- the order of convergence


def flown(sampler: Sampler, schedule: Schedule, count: int, spacing: Spacing) -> tuple[Tensor, Tensor]:
    """Where a chain arrives that stops at the schedule's least noise, and where the exact flow does."""
    timeline = Timeline(schedule, count, spacing=spacing, correct=sampler.correct)
    denoiser, x = exact(ExactGaussian, schedule, 4), torch.tensor([[[[-1.2, 0.1], [0.7, 2.0]]]]).double()
    first, origin, previous = timeline.start, x, None
    for step in list(timeline)[:-1]:
        prediction = denoiser(x, step)
        taken = Taken(step, prediction, x)
        x, previous = sampler.step(x, prediction, step, torch.zeros(()), previous), taken
    last = timeline.steps[0].level
    spread = [math.hypot(level.alpha * STD, level.sigma) for level in (first, last)]
    return x, last.alpha * MEAN + spread[1] / spread[0] * (origin - first.alpha * MEAN)


@pytest.mark.parametrize(
    "sampler, order", [(DDIM(), 1), (Heun(), 2), (DPMSolverPP2M(), 2)], ids=["euler", "heun", "2m"]
)
@OF_EACH
def test_order_of_convergence_to_the_exact_flow(schedule: Schedule, sampler: Sampler, order: int) -> None:
    """Fitted to four numbers of steps; a Gaussian's probability flow is affine, so its end is known."""
    wide = NoiseSchedule.linear(20_000) if isinstance(schedule, NoiseSchedule) else schedule
    counts = [40, 80, 160, 320]
    errors = []
    for count in counts:
        x, end = flown(sampler, wide, count, LogSNR())
        errors.append(float((x - end).abs().max()))
    logs = torch.tensor([counts, errors], dtype=torch.float64).log()
    centred = logs - logs.mean(dim=1, keepdim=True)
    slope = float((centred[0] * centred[1]).sum() / centred[0].square().sum())
    assert -slope == pytest.approx(order, abs=0.4), errors


# --- the same chain, rescaled


class Same(Spacing):
    """Stops at given λ, ascending in noise."""

    def __init__(self, log_snrs: Sequence[float]):
        self.log_snrs = log_snrs

    def __call__(self, schedule: Schedule, steps: int | str) -> tuple[float, ...]:
        return tuple(schedule.time(log_snr) for log_snr in self.log_snrs)


WIDE = {"VE": VarianceExploding(1e-3, 1e3), "flow": Flow(1e-4, 1 - 1e-4)}


@BY_EACH
@pytest.mark.parametrize("name", WIDE)
def test_a_guided_chain_and_the_same_chain_rescaled_give_the_same_pictures(
    networks: tuple[Denoiser, Guidance],  # noqa: F811
    sampler: Sampler,
    name: str,
) -> None:
    """A prior and an encoder that learned on timesteps, driven along another schedule at its own scale."""
    prior, encoder = deepcopy(networks[0]).double(), deepcopy(networks[1].encoder).double()
    guidance = Guidance(encoder, {"text": Text()}, scale=200.0, schedule=LINEAR)
    aim, scale = {"text": PROMPTS[:1].double()}, torch.tensor([200.0])

    def noise() -> NoiseSource:
        return NoiseIn(torch.float64, [(0, 0)])

    def guide(x: Tensor, level: Level) -> Tensor:
        return guidance(x, level, aim, scale).gradient

    own = Timeline(LINEAR, 3, correct=sampler.correct)
    levels = [LINEAR.level(t).log_snr for t in own.timesteps]
    other = Timeline(WIDE[name], 3, spacing=Same(levels), scaled=True, correct=sampler.correct)
    plain, rescaled = (generate(prior, sampler, chain, noise(), guide) for chain in (own, other))
    assert other.start.scale != pytest.approx(1, rel=1e-3) or name == "flow"
    torch.testing.assert_close(rescaled, plain, rtol=0, atol=1e-4)
    assert float((plain - generate(prior, sampler, own, noise())).abs().max()) > 0.01  # it was guided


def test_eulers_rule_for_a_flow_is_ddims() -> None:
    """x_s = x_t + (t_s - t)(ε - x̂_0) at the flow's own scale, as flow models are drawn."""
    step = list(Timeline(Flow(), 5, scaled=True))[2]
    x, velocity = torch.linspace(-1, 1, 12).view(1, 3, 2, 2).double(), torch.full((1, 3, 2, 2), 0.7).double()
    x0 = x - step.sigma * velocity
    expected = x + (step.sigma_s - step.sigma) * velocity
    torch.testing.assert_close(DDIM().step(x, Prediction(x0), step, torch.zeros(())), expected)


# --- steps that correct


def test_heun_looks_twice_but_at_the_end() -> None:
    timeline = Timeline(VarianceExploding(), 4, correct=Heun().correct)
    steps = list(timeline)
    assert [step.corrects for step in steps] == [False, True, False, True, False, True, False]
    assert [step.index for step in steps] == [6, 5, 4, 3, 2, 1, 0]
    for predictor, corrector in zip(steps[:-1:2], steps[1::2], strict=True):
        assert predictor.level_s == corrector.level
        assert corrector.level_s == pytest.approx(corrector.level)
        assert (corrector.c1, corrector.beta) == (0, pytest.approx(0, abs=1e-12))
    half = Timeline(VarianceExploding(), 4, strength=0.5, correct=Heun().correct)
    assert half.steps == timeline.steps[:3]


def test_churn_noises_a_corrected_state_to_where_the_next_step_begins() -> None:
    """Karras et al. 2022, algorithm 2, line by line, beside a walk of ours with the same noise."""
    schedule, rule = VarianceExploding(0.01, 10.0), Heun(churn=2.0, low=0.05, high=3.0, noise=1.01)
    timeline = Timeline(schedule, 5, scaled=True, correct=rule.correct)
    denoiser, drawn = exact(ExactGaussian, schedule, 4), keys(2)
    moments: list[Moment] = []
    for moment in walk(denoiser, rule, timeline, keys(2)):
        moments.append(moment)

    def noise() -> Tensor:
        return drawn.normal((1, 4, 4)).double()

    def slope(x: Tensor, sigma: float) -> Tensor:
        return (x - ExactGaussian(schedule)(x, torch.tensor(sigma, dtype=torch.float64))) / sigma

    sigmas = [*sorted(timeline.timesteps, reverse=True), 0.0]
    x = timeline.start.scale * noise()
    raised = sigmas[0]
    for i, following in enumerate(sigmas[1:]):
        d = slope(x, raised)
        noise()  # a step that is corrected adds none
        ahead = x + (following - raised) * d
        if not following:
            x = ahead
            break
        x = x + (following - raised) * (d + slope(ahead, following)) / 2
        gamma = min(2.0 / 5, 2**0.5 - 1) if 0.05 <= following <= 3.0 else 0.0
        raised, before = following * (1 + gamma), following
        x = x + 1.01 * (raised**2 - before**2) ** 0.5 * noise()
        assert moments[2 * i + 1].step.level_s.sigma == pytest.approx(raised)
    torch.testing.assert_close(moments[-1].x_s.double(), x, rtol=1e-4, atol=1e-4)


def test_a_rule_that_corrects_refuses_a_timeline_of_single_steps() -> None:
    denoiser = exact(ExactGaussian, LINEAR, 4)
    with pytest.raises(SDGError, match=r"make its Timeline with correct=sampler\.correct"):
        generate(denoiser, Heun(), Timeline(LINEAR, 3), keys(1))


@pytest.mark.parametrize("make, remedy", [
    (lambda: Heun(churn=-1), r"use 0 \(deterministic\)"),
    (lambda: Heun(low=2, high=1), "use 0 <= low < high"),
    (lambda: Heun(noise=0), "use 1, or a little more"),
])  # fmt: skip
def test_churn_that_is_none_is_refused(make: Callable[[], Heun], remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        make()


def test_where_every_second_step_adds_nothing_there_are_no_parting_copies() -> None:
    assert Heun(churn=5).stochastic
    assert not Heun(churn=5).parts
    assert [Heun().stochastic, DDIM(0.5).parts, DDPM().correct] == [False, True, None]
    step: Step = next(iter(Timeline(LINEAR, 3)))
    assert not step.corrects
