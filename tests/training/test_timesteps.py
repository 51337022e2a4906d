"""Which timesteps a prior is trained on: the density that is asked for, stratified."""

import pytest
import torch

from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.training.timesteps import LogNormal, Uniform

SCHEDULE = NoiseSchedule.linear()
U = (torch.arange(20_000) + 0.5) / 20_000


def test_uniform_is_every_timestep_as_often() -> None:
    assert torch.bincount(Uniform()(U, SCHEDULE)).tolist() == [20] * 1000


def test_the_noise_is_log_normal_relative_to_the_picture() -> None:
    t = LogNormal(mean=-0.3, std=0.8, uniform=0.0)(U, SCHEDULE)
    alpha_bar = SCHEDULE.alpha_bar[t]
    level = 0.5 * ((1 - alpha_bar) / alpha_bar).log()
    assert float(level.mean()) == pytest.approx(-0.3, abs=0.02)
    assert float(level.std()) == pytest.approx(0.8, abs=0.02)


def test_a_share_stays_uniform() -> None:
    t = LogNormal(mean=-0.3, std=0.2, uniform=0.25)(U, SCHEDULE)
    assert torch.bincount(t, minlength=1000)[900:].sum() == 20_000 * 0.25 * 0.1
    assert 0 <= int(t.min()) <= int(t.max()) <= 999


@pytest.mark.parametrize("settings", [{"std": 0}, {"uniform": 1}, {"uniform": -0.1}])
def test_what_cannot_be_drawn_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(SDGError, match="cannot be drawn"):
        LogNormal(**settings)
