"""Where a prior's errors count most: a weight of the same loss, whose minimiser stays."""

import math

import pytest
import torch

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.loss import diffusion_loss
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.training.emphasis import Spot
from tests.diffusion.examples import Fixed, normal

SPOT = Spot(y=0.25, x=0.75, height=0.1, width=0.2, gain=8.0)


def test_the_centre_counts_most_and_one_is_the_average() -> None:
    weights = SPOT(torch.zeros(1, 3, 32, 64))
    assert weights.shape == (32, 64)
    assert float(weights.mean()) == pytest.approx(1)
    assert divmod(int(weights.argmax()), 64) in {(y, x) for y in (7, 8) for x in (47, 48)}
    assert float(weights.max() / weights.min()) == pytest.approx(9, rel=0.05)
    at_radius = (weights[7, 48 + 13] / weights.min() - 1) / 8  # 0.2 of 64 columns away: one radius
    assert float(at_radius) == pytest.approx(math.exp(-0.5), abs=0.05)


def test_an_error_counts_as_its_pixels_weight() -> None:
    x0, noise, t = normal(1, 3, 8, 8).clamp(-1, 1), normal(1, 3, 8, 8, seed=1), torch.tensor([500])
    weights = SPOT(x0)
    for y, x in ((2, 6), (7, 0)):
        error = torch.zeros_like(x0)
        error[:, :, y, x] = 1
        denoiser = Denoiser(Fixed(noise + error), NoiseSchedule.linear(), 8, parameterisation="eps")
        loss = diffusion_loss(denoiser, x0, t, noise, weights)
        torch.testing.assert_close(loss, (weights[y, x] / 64).view(1), check_dtype=False)
    denoiser = Denoiser(Fixed(noise), NoiseSchedule.linear(), 8, parameterisation="eps")
    assert float(diffusion_loss(denoiser, x0, t, noise, weights)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("settings", [{"height": 0.0}, {"width": -1.0}, {"gain": -0.5}])
def test_what_cannot_be_drawn_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(SDGError, match="cannot be drawn"):
        Spot(**{"y": 0.5, "x": 0.5, "height": 0.1, "width": 0.1, "gain": 1.0, **settings})
