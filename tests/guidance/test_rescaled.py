"""Between any prior's states and the encoder's: the same noise level, and the gradient taken through that."""

import math

import pytest
import torch
from torch import Tensor, nn

from sdg.diffusion.ddim import DDIM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.heun import Heun
from sdg.diffusion.level import CLEAN, Level
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.rescaling import Rescaling
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.schedule import Flow, NoiseSchedule, Schedule, VarianceExploding
from sdg.diffusion.spacing import LogSNR
from sdg.diffusion.timeline import Timeline
from sdg.guidance.content import Content
from sdg.guidance.guidance import Guidance
from sdg.guidance.score import Aimed
from sdg.guidance.sight import Curve
from sdg.guidance.targets import Aim, Reference
from sdg.guidance.term import Term
from sdg.guidance.weight import NoiseWindow, Visible
from sdg.networks.time_encoder import Features
from tests.diffusion.examples import normal

LINEAR = NoiseSchedule.linear()
PRIORS: dict[str, Schedule] = {
    "cosine": NoiseSchedule.cosine(), "linear of 300": NoiseSchedule.linear(300),
    "VE": VarianceExploding(0.01, 150), "flow": Flow(0.01, 0.993),
}  # fmt: skip
OF_EACH = pytest.mark.parametrize("schedule", PRIORS.values(), ids=PRIORS)

MEAN, STD = -0.2, 0.5
MEASURED, TAU = 0.9, 0.4
GAIN = STD**2 / (STD**2 + TAU**2)
POSTERIOR = (MEAN + GAIN * (MEASURED - MEAN), STD * (1 - GAIN) ** 0.5)
"""Mean and deviation of x_0 given y = x_0 + TAU n = MEASURED."""


def clean(x: Tensor, level: Level) -> tuple[Tensor, float]:
    """E[x_0 | x] and Var[x_0 | x] of x_0 ~ N(MEAN, STD²)."""
    variance = level.alpha**2 * STD**2 + level.sigma**2
    mean = MEAN + level.alpha * STD**2 / variance * (x - level.alpha * MEAN)
    return mean, STD**2 * level.sigma**2 / variance


class Prior(nn.Module):
    """Perfect, on its own schedule."""

    def __init__(self, schedule: Schedule):
        super().__init__()
        self.schedule = schedule

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return clean(x, self.schedule.level(t.item()))[0]


class Encoder(nn.Module):
    """Knows log p(y | x_t) on the linear schedule, by its t alone; remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor) -> Features:
        self.shown.append((x.detach(), t))
        mean, variance = clean(x, LINEAR.level(t.item()))
        return Features((x,), (-((MEASURED - mean) ** 2) / (2 * (variance + TAU**2))).flatten(1))


class Likelihood(Term):
    """Log p(y | x_t) of a whole picture."""

    reads = "prompt"

    def __call__(self, features: Features, target: Tensor) -> Tensor:
        return features.pooled.sum(dim=1)


def drawn(schedule: Schedule, knows: Schedule | None, sampler: Sampler) -> Tensor:
    """16,384 pixels of the prior, guided by an encoder whose schedule the guidance knows to be ``knows``."""
    guidance = Guidance(Encoder(), {"likelihood": Likelihood()}, 1.0, schedule=knows)
    prior = Denoiser(Prior(schedule), schedule, 64, 1, "x0", clip=False)

    def guide(x: Tensor, level: Level) -> Tensor:
        return guidance(x, level, {"likelihood": torch.zeros(1)}, torch.ones(4)).gradient

    timeline = Timeline(
        schedule, 100 if isinstance(sampler, DDIM) else 40, spacing=LogSNR(), correct=sampler.correct
    )
    return generate(prior, sampler, timeline, NoiseSource([(0, i) for i in range(4)]), guide)


@pytest.mark.parametrize("sampler", [DDIM(1.0), Heun()], ids=["ddim, η = 1", "heun"])
@OF_EACH
def test_an_encoder_of_another_schedule_draws_the_known_posterior(
    schedule: Schedule, sampler: Sampler
) -> None:
    x = drawn(schedule, LINEAR, sampler)
    assert float(x.mean()) == pytest.approx(POSTERIOR[0], abs=0.03)
    assert float(x.std()) == pytest.approx(POSTERIOR[1], abs=0.03)


def test_at_the_priors_own_t_it_would_be_wrong_in_silence() -> None:
    """What came of it while the encoder was told the prior's timestep."""
    x = drawn(PRIORS["cosine"], None, Heun())
    assert abs(float(x.mean()) - POSTERIOR[0]) > 0.1


@OF_EACH
def test_the_gradient_is_that_of_the_rescaled_state(schedule: Schedule) -> None:
    """∇F(c'/c x) = (c'/c) F', against differences; at the scale of the schedule itself."""
    level = schedule.level(schedule.time(-1.0))
    guidance = Guidance(Encoder(), {"likelihood": Likelihood()}, 1.0, schedule=LINEAR)
    x, targets, one = 3 * normal(1, 1, 2, 2), {"likelihood": torch.zeros(1)}, torch.ones(1)
    gradient = guidance(x, level, targets, one).gradient
    nudge = torch.zeros_like(x)
    nudge[0, 0, 1, 0] = 1e-5
    up, down = (guidance.value(x + sign * nudge, level, targets, one) for sign in (1, -1))
    assert gradient[0, 0, 1, 0].item() == pytest.approx((up - down).item() / 2e-5, rel=1e-6)


def test_on_its_own_schedule_the_encoder_is_shown_the_state_itself() -> None:
    encoder = Encoder()
    guidance = Guidance(encoder, {"likelihood": Likelihood()}, 1.0, schedule=NoiseSchedule.linear())
    level, x = LINEAR.level(505), normal(1, 1, 2, 2)
    guidance(x, level, {"likelihood": torch.zeros(1)}, torch.ones(1))
    shown, t = encoder.shown[0]
    assert torch.equal(shown, x)
    assert (t.dtype, t.tolist()) == (torch.int64, [505])
    assert guidance.seen(level) == level


@OF_EACH
def test_references_are_noised_to_the_encoders_level(schedule: Schedule) -> None:
    """α' x'_0 + σ' ε' of the encoder's schedule, at the λ of the state, seen as they are."""
    encoder = Encoder()
    guidance = Guidance(encoder, {"content": Content()}, 1.0, schedule=LINEAR)
    picture, noise = normal(1, 1, 2, 2).float(), NoiseSource([(0, 0)]).normal((1, 2, 2))
    aim = Aim(guidance.encode, {}, {"content": Reference(picture, NoiseSource([(0, 0)]))})
    level = schedule.level(schedule.time(0.5))
    Aimed(guidance, aim, torch.ones(1)).rise(picture, level)
    own = LINEAR.at(level.log_snr)
    (reference, t), (state, t_state) = encoder.shown
    torch.testing.assert_close(reference, own.alpha * picture + own.sigma * noise)
    torch.testing.assert_close(state, picture / level.scale)
    assert t.item() == t_state.item() == pytest.approx(own.t)


def test_beyond_its_noise_the_encoder_reads_the_nearest_level() -> None:
    """States of too little noise are told as t = 0, and its references have that much."""
    encoder, quiet = Encoder(), VarianceExploding(1e-4, 100)
    guidance = Guidance(encoder, {"content": Content()}, 1.0, schedule=LINEAR)
    level = quiet.level(2e-4)
    assert guidance.clamps(level)
    assert not guidance.clamps(CLEAN)
    assert not guidance.clamps(quiet.level(1.0))
    picture, noise = normal(1, 1, 2, 2).float(), NoiseSource([(0, 0)]).normal((1, 2, 2))
    aim = Aim(guidance.encode, {}, {"content": Reference(picture, NoiseSource([(0, 0)]))})
    Aimed(guidance, aim, torch.ones(1)).rise(picture, level)
    (reference, t), _ = encoder.shown
    assert t.tolist() == [0]
    torch.testing.assert_close(reference, LINEAR.level(0).alpha * picture + 0.01 * noise)


def test_a_window_of_noise_counts_the_encoders_timesteps() -> None:
    """Those of its card, whatever the prior counts."""
    flow = Flow()
    weight = NoiseWindow(2.0, start=600, stop=400)
    guidance = Guidance(Encoder(), {"likelihood": Likelihood(weight)}, 1.0, schedule=LINEAR)
    inside, outside = (flow.level(flow.time(LINEAR.level(t).log_snr)) for t in (500, 700))
    assert not guidance.rests(inside)
    assert guidance.rests(outside)
    assert Rescaling(LINEAR).level(inside).progress == inside.progress
    assert math.isclose(guidance.seen(inside).t, 500, abs_tol=1e-6)


def test_where_the_encoder_sees_nothing_a_term_that_follows_it_rests() -> None:
    """By the encoder's timesteps, and only if no other term is left."""
    flow, curve = Flow(), Curve((0, 600, 999), (1.0, 0.0, 0.0))
    seen, blind = (flow.level(flow.time(LINEAR.level(t).log_snr)) for t in (500, 700))
    terms = {"content": Content(Visible())}
    guidance, both = (
        Guidance(Encoder(), {**terms, **more}, 1.0, schedule=LINEAR)
        for more in ({}, {"likelihood": Likelihood(1.0)})
    )
    for rests, wanted in ((_aimed(guidance, curve).rests, True), (_aimed(both, curve).rests, False)):
        assert not rests(seen)
        assert rests(blind) == wanted


def _aimed(guidance: Guidance, curve: Curve) -> Aimed:
    return Aimed(guidance, Aim(guidance.encode, {}, {}, curves={"content": curve}), torch.ones(1))
