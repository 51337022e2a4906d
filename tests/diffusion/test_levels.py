"""Levels, schedules of every kind, the change of variables between them, and what networks predict there."""

import math

import pytest
import torch
from torch import Tensor, nn

from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.level import CLEAN, Level
from sdg.diffusion.parameterisation import Conditioning, Parameterisation
from sdg.diffusion.rescaling import Rescaling
from sdg.diffusion.schedule import Flow, NoiseSchedule, Schedule, VarianceExploding
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from tests.diffusion.examples import Fixed, normal

LINEAR, COSINE, EXPLODING, FLOW = (
    NoiseSchedule.linear(),
    NoiseSchedule.cosine(),
    VarianceExploding(),
    Flow(),
)
SCHEDULES = [LINEAR, COSINE, EXPLODING, FLOW]
NAMES = ["linear", "cosine", "exploding", "flow"]
OF_EACH = pytest.mark.parametrize("schedule", SCHEDULES, ids=NAMES)


def times(schedule: Schedule) -> list[float]:
    least, most = schedule.ends
    some = [least + (most - least) * u for u in (0.0, 0.003, 0.25, 0.8, 1.0)]
    return [round(t) for t in some] if isinstance(schedule, NoiseSchedule) else some


# --- levels


def test_a_level_and_its_unit_scale() -> None:
    level = Level(1.0, 2.0, 2.0, 0.5)
    assert level.log_snr == pytest.approx(-math.log(2))
    assert level.scale == pytest.approx(5**0.5)
    assert level.alpha_bar == pytest.approx(0.2)
    assert level.unit == Level(pytest.approx(0.2**0.5), pytest.approx(0.8**0.5), 2.0, 0.5)
    assert CLEAN.log_snr == math.inf
    vp = Level.vp(500, 0.36, 0.5)
    assert vp.unit is vp
    torch.testing.assert_close(vp.diffuse(torch.ones(1), torch.ones(1)), torch.tensor([1.4]))


@OF_EACH
def test_a_schedule_finds_the_time_of_each_of_its_levels(schedule: Schedule) -> None:
    """Exactly, if it counts timesteps; so nothing changes between equal schedules."""
    for t in times(schedule):
        level = schedule.level(t)
        assert schedule.time(level.log_snr) == (t if isinstance(t, int) else pytest.approx(t, rel=1e-9))
        assert schedule.at(level.log_snr).log_snr == pytest.approx(level.log_snr, rel=1e-9)
    assert [schedule.noisiest.progress, schedule.clearest.progress] == [0.0, 1.0]
    assert schedule.at(math.inf) == CLEAN._replace(t=schedule.ends[0])
    assert schedule.at(99.0) == schedule.clearest
    assert schedule.at(-99.0) == schedule.noisiest


@OF_EACH
def test_tables_for_training_are_those_of_the_levels(schedule: Schedule) -> None:
    t = torch.tensor(times(schedule))
    a, sigma = schedule.coefficients(t, torch.zeros(5, 1, 1, 1, dtype=torch.float64))
    levels = [schedule.level(each) for each in t.tolist()]
    assert a.flatten().tolist() == pytest.approx([level.alpha for level in levels], rel=1e-12)
    assert sigma.flatten().tolist() == pytest.approx([level.sigma for level in levels], rel=1e-12)
    found = schedule.times((sigma / a).log().flatten())
    assert found.tolist() == pytest.approx(t.tolist(), abs=1 if isinstance(schedule, NoiseSchedule) else 1e-6)
    u = torch.tensor([0.0, 0.5, 1 - 1e-7], dtype=torch.float64)
    ends = schedule.spread(u).tolist()
    assert [ends[0], ends[-1]] == pytest.approx(schedule.ends, rel=1e-4)


def test_between_two_timesteps_noise_is_interpolated() -> None:
    low, middle, high = (LINEAR.level(t) for t in (400, 400.5, 401))
    assert middle.log_snr == pytest.approx((low.log_snr + high.log_snr) / 2, rel=1e-12)
    assert middle.scale == pytest.approx(1, rel=1e-12)
    assert LINEAR.time(middle.log_snr) == pytest.approx(400.5, abs=1e-9)


def test_the_common_range_of_two_schedules() -> None:
    within = FLOW.within(LINEAR)
    assert isinstance(within, Flow)
    assert within.noisiest.log_snr == pytest.approx(LINEAR.noisiest.log_snr)
    assert within.clearest.log_snr == pytest.approx(LINEAR.clearest.log_snr)
    assert Flow(0.1, 0.2).within(LINEAR) == Flow(0.1, 0.2)


@pytest.mark.parametrize("make", [
    lambda: VarianceExploding(0.0), lambda: VarianceExploding(2.0, 1.0), lambda: Flow(0.5, 0.5),
    lambda: Flow(0.001, 1.0), lambda: VarianceExploding(1.0, math.nan),
])  # fmt: skip
def test_a_range_of_nothing_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SDGError, match="is no range: use"):
        make()


# --- the change of variables


@pytest.mark.parametrize("own", SCHEDULES, ids=NAMES)
@OF_EACH
def test_a_rescaled_state_holds_the_same_picture_and_noise(schedule: Schedule, own: Schedule) -> None:
    """x_t becomes what the other schedule makes of the same x_0 and ε; where they agree, x_t itself."""
    x0, noise = normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=1)
    rescaled = Rescaling(own)
    for t in times(schedule)[1:4]:
        level = schedule.level(t)
        x = level.diffuse(x0, noise)
        if rescaled.clamped(level):
            continue
        torch.testing.assert_close(rescaled(x, level), rescaled.level(level).diffuse(x0, noise))
        assert rescaled.level(level).log_snr == pytest.approx(level.log_snr, rel=1e-9)
        assert rescaled.level(level).progress == level.progress
        if schedule is own and isinstance(own, NoiseSchedule):
            assert rescaled(x, level) is x
            assert rescaled.level(level) == level


def test_levels_outside_of_the_range_are_known_and_clamped() -> None:
    rescaled = Rescaling(LINEAR)
    loud, quiet, clean = EXPLODING.level(80.0), EXPLODING.level(0.002), CLEAN
    assert [rescaled.clamped(loud), rescaled.clamped(quiet), rescaled.clamped(clean)] == [False, True, False]
    assert rescaled.clamped(EXPLODING.level(60.0)) is False
    assert rescaled.clamped(VarianceExploding(1, 400).level(300)) is True
    assert rescaled.level(quiet)[:3] == LINEAR.clearest[:3]


# --- what networks predict

ON: list[tuple[Parameterisation, Schedule]] = [
    ("eps", LINEAR), ("x0", LINEAR), ("v", COSINE), ("eps", EXPLODING), ("x0", FLOW), ("flow", FLOW),
    ("edm", EXPLODING),
]  # fmt: skip


@pytest.mark.parametrize("parameterisation, schedule", ON)
@pytest.mark.parametrize("chain", SCHEDULES, ids=NAMES)
def test_a_perfect_network_is_read_right_on_the_chain_of_any_schedule(
    parameterisation: Parameterisation, schedule: Schedule, chain: Schedule
) -> None:
    """Its target by the schedule it learned on; asked at a state of another schedule."""
    x0, noise = normal(2, 3, 4, 4).clamp(-1, 1), normal(2, 3, 4, 4, seed=1)
    step = Timeline(chain, 7).steps[3]
    own = schedule.at(step.level.log_snr)
    blank = Denoiser(nn.Identity(), schedule, 4, parameterisation=parameterisation)
    network = Fixed(blank.meaning.target(x0, noise, own.alpha, own.sigma))
    denoiser = Denoiser(network, schedule, 4, parameterisation=parameterisation)
    prediction = denoiser(step.level.diffuse(x0, noise), step)
    torch.testing.assert_close(prediction.x0, x0, rtol=0, atol=1e-9)
    torch.testing.assert_close(prediction.eps(step.level.diffuse(x0, noise), step), noise, rtol=0, atol=1e-8)


def test_flow_and_edm_by_their_papers_formulas() -> None:
    """The velocity, and Karras et al. 2022, table 1, with F such that D = c_skip x + c_out F."""
    x0, noise, sigma, data = normal(1, 3, 2, 2), normal(1, 3, 2, 2, seed=1), 0.7, 0.5
    flow = Denoiser(nn.Identity(), FLOW, 4, parameterisation="flow").meaning
    torch.testing.assert_close(flow.target(x0, noise, 1 - sigma, sigma), noise - x0)
    edm = Denoiser(nn.Identity(), EXPLODING, 4, parameterisation="edm", sigma_data=data).meaning
    x, out = x0 + sigma * noise, normal(1, 3, 2, 2, seed=2)
    c_skip, c_out = data**2 / (sigma**2 + data**2), sigma * data / math.hypot(sigma, data)
    torch.testing.assert_close(edm.clean(out, x, 1.0, sigma), c_skip * x + c_out * out)
    torch.testing.assert_close(edm.target(x0, noise, 1.0, sigma), (x0 - c_skip * x) / c_out)
    torch.testing.assert_close(edm.fed(x, sigma), x / math.hypot(sigma, data))


class Asked(nn.Module):
    """Gives x back, and remembers what it was given."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.x, self.t = x, t
        return x


def test_what_a_network_is_told() -> None:
    """Timesteps as int64 on its own schedule, numbers elsewhere; EDM's c_noise and c_in by default."""
    x = normal(1, 3, 4, 4)

    def told(chain: Schedule, denoiser: Denoiser, index: int = 50) -> Tensor:
        denoiser(x, Timeline(chain, 100).steps[index])
        network: Asked = denoiser.network  # type: ignore[assignment]
        return network.t

    own = told(LINEAR, Denoiser(Asked(), LINEAR, 4))
    assert (own.dtype, own.tolist()) == (torch.int64, [505])
    from_one = told(LINEAR, Denoiser(Asked(), LINEAR, 4, conditioning=Conditioning(offset=1)))
    assert (from_one.dtype, from_one.tolist()) == (torch.int64, [506])
    share = told(LINEAR, Denoiser(Asked(), LINEAR, 4, conditioning=Conditioning(scale=1 / 1000)))
    assert share.tolist() == pytest.approx([0.505])
    between = told(FLOW, Denoiser(Asked(), LINEAR, 4))
    assert between.dtype == torch.float32
    level = Timeline(FLOW, 100).steps[50].level
    assert between.item() == pytest.approx(LINEAR.time(level.log_snr), rel=1e-6)
    edm = Denoiser(Asked(), EXPLODING, 4, parameterisation="edm")
    c_noise, sigma = told(EXPLODING, edm).item(), Timeline(EXPLODING, 100).steps[50].t
    assert c_noise == pytest.approx(math.log(sigma) / 4, rel=1e-5)
    scaled = x * math.hypot(1, sigma)  # the chain's states are of unit scale, EDM's are x_0 + σ ε
    torch.testing.assert_close(edm.network.x, scaled / math.hypot(sigma, 0.5))  # type: ignore[union-attr]
    for t in (0, 500):  # in training, the same
        a, sigmas = LINEAR.coefficients(torch.tensor([t]), x)
        log_sigma = Conditioning("log_sigma", 0.25).of_each(torch.tensor([t]), a, sigmas)
        assert log_sigma.item() == pytest.approx(-LINEAR.level(t).log_snr / 4)


@pytest.mark.parametrize("make, remedy", [
    (lambda: Denoiser(nn.Identity(), FLOW, 4, parameterisation="v"), "v is defined on a NoiseSchedule"),
    (lambda: Denoiser(nn.Identity(), LINEAR, 4, parameterisation="flow"), "that schedule, or eps or x0"),
    (lambda: Denoiser(nn.Identity(), LINEAR, 4, parameterisation="edm"), "defined on a VarianceExploding"),
    (lambda: Denoiser(nn.Identity(), EXPLODING, 4, parameterisation="edm", sigma_data=0), "use 0.5, EDM's"),
    (lambda: Conditioning("sigma"), "use t or log_sigma"),
])  # fmt: skip
def test_what_has_no_meaning_is_refused(make, remedy: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SDGError, match=remedy):
        make()


@pytest.mark.parametrize("chain", SCHEDULES, ids=NAMES)
def test_steps_of_a_chain_are_of_unit_scale_or_of_the_schedules_own(chain: Schedule) -> None:
    unit, scaled = Timeline(chain, 9), Timeline(chain, 9, scaled=True)
    for one, other in zip(unit, scaled, strict=True):
        assert one.level.scale == pytest.approx(1, rel=1e-12)
        assert one.h == pytest.approx(other.h, rel=1e-9)
        assert other.level == chain.level(other.t)
        # Var[x_t | x_s] by the forward process: α_t x_0 + σ_t ε from α_s x_0 + σ_s ε and new noise.
        ratio = other.alpha / other.alpha_s
        assert other.beta == pytest.approx(other.sigma**2 - (ratio * other.sigma_s) ** 2, rel=1e-8)
        assert other.c1 == pytest.approx(other.alpha_s * other.beta / other.sigma**2, rel=1e-8)
        assert other.c2 == pytest.approx(ratio * other.sigma_s**2 / other.sigma**2, rel=1e-8)
        assert other.beta_tilde == pytest.approx(other.beta * other.sigma_s**2 / other.sigma**2, rel=1e-8)
    assert Prediction(torch.zeros(1)).eps(torch.ones(1), next(iter(scaled))).item() == pytest.approx(
        1 / next(iter(scaled)).sigma
    )
