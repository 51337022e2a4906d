"""Where a chain stops: against the papers' formulas, and never twice at one timestep."""

import math
from itertools import pairwise
from typing import Any

import pytest

from sdg.diffusion.schedule import Flow, NoiseSchedule, Schedule, VarianceExploding
from sdg.diffusion.spacing import ADM, Karras, LogSNR, Spacing, Trailing, respace, usual
from sdg.errors import SDGError

LINEAR = NoiseSchedule.linear()


def test_karras_levels_are_those_of_the_paper() -> None:
    """Eq. 5: σ_i = (σ_max^(1/ρ) + i/(N-1) (σ_min^(1/ρ) - σ_max^(1/ρ)))^ρ."""
    low, high = 0.002 ** (1 / 7), 80 ** (1 / 7)
    expected = [(high + i / 17 * (low - high)) ** 7 for i in range(18)]
    assert Karras()(VarianceExploding(), 18)[::-1] == pytest.approx(expected)
    assert Karras(rho=3)(VarianceExploding(), 2) == pytest.approx((0.002, 80))


def test_on_any_schedule_karras_spaces_sigma_over_alpha_and_log_snr_lambda() -> None:
    flow = Flow(0.02, 0.98)
    roots = [(t / (1 - t)) ** (1 / 7) for t in Karras()(flow, 9)]
    gaps = [b - a for a, b in pairwise(roots)]
    assert gaps == pytest.approx([gaps[0]] * 8)
    lambdas = [flow.level(t).log_snr for t in LogSNR()(flow, 9)]
    gaps = [b - a for a, b in pairwise(lambdas)]
    assert gaps == pytest.approx([gaps[0]] * 8)
    assert (lambdas[0], lambdas[-1]) == pytest.approx((flow.clearest.log_snr, flow.noisiest.log_snr))


@pytest.mark.parametrize("steps", [1, 3, 10, 50])
def test_trailing_timesteps_are_those_of_lin_et_al(steps: int) -> None:
    """The published code's: round(T, T - T/n, …) - 1."""
    expected = [round(1000 - i * 1000 / steps) - 1 for i in range(steps)]
    assert list(Trailing()(LINEAR, steps))[::-1] == expected


def test_a_flow_is_stopped_in_equal_parts() -> None:
    assert Trailing()(Flow(0.001, 0.8), 4) == pytest.approx((0.2, 0.4, 0.6, 0.8))


@pytest.mark.parametrize("spacing", [Karras(), LogSNR(), Trailing(), ADM()])
@pytest.mark.parametrize("steps", [1, 2, 5, 20, 100, 999, 1000])
def test_timesteps_are_kept_once_and_end_at_the_noisiest(spacing: Spacing, steps: int) -> None:
    kept = spacing(LINEAR, steps)
    assert all(isinstance(t, int) for t in kept)
    assert list(kept) == sorted(set(kept))
    assert (len(kept), kept[-1]) == (steps, 999)
    assert kept[0] >= 0


def test_timesteps_are_those_nearest_in_lambda() -> None:
    wanted = [
        LINEAR.clearest.log_snr + i / 9 * (LINEAR.noisiest.log_snr - LINEAR.clearest.log_snr)
        for i in range(10)
    ]
    kept = LogSNR()(LINEAR, 10)
    for log_snr, t in zip(wanted[1:], kept[1:], strict=True):
        around = {s: abs(LINEAR.level(s).log_snr - log_snr) for s in (t - 1, t, t + 1) if s < 1000}
        assert around[int(t)] <= min(around.values()) + 1e-3 * abs(math.log(2))


@pytest.mark.parametrize("schedule, kind", [(LINEAR, ADM), (VarianceExploding(), Karras), (Flow(), Trailing)])
def test_what_is_usual(schedule: Schedule, kind: type[Spacing]) -> None:
    assert type(usual(schedule)) is kind


def test_adms_is_respacing() -> None:
    assert ADM()(LINEAR, "10,10,20") == respace(1000, "10,10,20")


def test_adms_may_begin_later_and_end_earlier() -> None:
    assert ADM(first=900)(LINEAR, 4) == (0, 300, 600, 900)
    assert ADM(last=99)(LINEAR, 4) == (99, 399, 699, 999)
    assert ADM(first=900, last=40)(LINEAR, 11) == tuple(range(40, 901, 86))
    assert ADM(first=500, last=100)(LINEAR, 1) == (500,)


@pytest.mark.parametrize("first, last, remedy", [
    (1000, 0, r"from timestep 1000 to 0 does not fit 1000 of them.*first <= 999"),
    (300, 300, "from timestep 300 to 300 does not fit"),
    (100, 200, "from timestep 100 to 200 does not fit"),
    (None, 999, "from timestep 999 to 999 does not fit"),
])  # fmt: skip
def test_a_chain_that_goes_nowhere_is_refused(first: int | None, last: int, remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        ADM(first, last)(LINEAR, 2)


@pytest.mark.parametrize("given", [{"first": -1}, {"first": 1.5}, {"last": True}, {"last": "0"}])
def test_an_end_is_a_timestep(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(SDGError, match=rf"sampler\.spacing\.{name}=.* is no timestep: use"):
        ADM(**given)


@pytest.mark.parametrize("spacing, schedule, steps, remedy", [
    (ADM(), Flow(), 10, r"counts timesteps, and a Flow has none: use sampler\.spacing=null"),
    (Karras(), LINEAR, "ddim25", "use for example 20"),
    (LogSNR(), Flow(), 0, "use for example 20"),
    (Trailing(), LINEAR, 1001, "use 1000 or fewer"),
])  # fmt: skip
def test_impossible_steps_name_the_remedy(
    spacing: Spacing, schedule: Schedule, steps: int | str, remedy: str
) -> None:
    with pytest.raises(SDGError, match=remedy):
        spacing(schedule, steps)


def test_an_exponent_that_is_none_is_refused() -> None:
    with pytest.raises(SDGError, match=r"rho=0 is no exponent: use 7"):
        Karras(0)
