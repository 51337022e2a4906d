"""Noise schedules: their ends, their precision, what they refuse."""

import math

import pytest
import torch
from torch import Tensor

from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError


def betas(schedule: NoiseSchedule) -> Tensor:
    before = torch.cat([torch.ones(1, dtype=torch.float64), schedule.alpha_bar[:-1]])
    return 1 - schedule.alpha_bar / before


def test_linear_runs_over_adms_betas() -> None:
    schedule = NoiseSchedule.linear()
    beta = betas(schedule)
    assert len(schedule) == 1000
    assert beta[[0, -1]].tolist() == pytest.approx([1e-4, 0.02], rel=1e-10)
    assert beta.diff().tolist() == pytest.approx([(0.02 - 1e-4) / 999] * 999, rel=1e-6)
    assert float(schedule.alpha_bar[-1]) == pytest.approx(4.0358e-5, rel=1e-4)


def test_linear_of_another_length_ends_as_noisy() -> None:
    short, long = NoiseSchedule.linear(250), NoiseSchedule.linear(1000)
    assert betas(short)[-1] == pytest.approx(0.08, rel=1e-10)
    assert math.log(short.alpha_bar[-1]) == pytest.approx(math.log(long.alpha_bar[-1]), rel=0.03)


def test_cosine_follows_its_formula_until_the_largest_beta() -> None:
    schedule = NoiseSchedule.cosine()

    def formula(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    for t in (0, 1, 250, 499, 998):
        assert float(schedule.alpha_bar[t]) == pytest.approx(formula((t + 1) / 1000) / formula(0), rel=1e-9)
    beta = betas(schedule)
    assert float(beta.max()) == pytest.approx(0.999, rel=1e-9)
    assert (beta.diff() > 0).all()


@pytest.mark.parametrize(
    "alpha_bar",
    [
        torch.tensor([0.9, 0.5]),
        torch.tensor([[0.9, 0.5]], dtype=torch.float64),
        torch.tensor([0.5, 0.9], dtype=torch.float64),
        torch.tensor([0.9, 0.9], dtype=torch.float64),
        torch.tensor([1.0, 0.5], dtype=torch.float64),
        torch.tensor([0.5, 0.0], dtype=torch.float64),
        torch.tensor([0.5, math.nan], dtype=torch.float64),
    ],
    ids=["float32", "matrix", "rising", "flat", "one", "zero", "nan"],
)
def test_what_is_no_schedule_is_refused(alpha_bar: Tensor) -> None:
    with pytest.raises(SDGError, match="float64 vector that falls"):
        NoiseSchedule(alpha_bar)


def test_diffuse_mixes_image_and_noise_by_each_samples_own_t() -> None:
    schedule = NoiseSchedule.linear()
    x0, noise = torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), 2.0)
    x_t = schedule.diffuse(x0, torch.tensor([0, 999]), noise)
    assert x_t.dtype == torch.float32
    for row, alpha_bar in zip(x_t, schedule.alpha_bar[[0, 999]].tolist(), strict=True):
        assert row.flatten().tolist() == pytest.approx(
            [0.5 * alpha_bar**0.5 + 2 * (1 - alpha_bar) ** 0.5] * 48
        )


def test_diffuse_keeps_the_small_noise_of_the_first_step() -> None:
    """1 - ᾱ_0 = 1e-4, formed in float32, would be off by 5e-5 of its value."""
    nothing, ones = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    x_t = NoiseSchedule.linear().diffuse(nothing, torch.tensor([0]), ones)
    assert x_t.item() == pytest.approx(0.01, rel=1e-7)
