"""Guidance on the predicted clean picture: what the encoder is shown, and how its gradient passes."""

import pytest
import torch
from torch import Tensor, nn

from sdg.baselines.predicted_clean import PredictedClean
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule
from sdg.networks.time_encoder import Features

SCHEDULE = NoiseSchedule.linear()
X = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


class Half(nn.Module):
    """A network that takes half of what it is given for noise."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.share * x_t


class Plain(nn.Module):
    """An encoder of clean pictures: the picture itself. It remembers the timesteps that it was given."""

    image_size = 4

    def __init__(self) -> None:
        super().__init__()
        self.asked = list[Tensor]()

    def forward(self, x: Tensor, t: Tensor) -> Features:
        self.asked.append(t)
        return Features((x,), x.flatten(1))


@pytest.mark.parametrize("t", [0, 400, 999])
def test_the_encoder_sees_the_predicted_picture_and_time_0(t: int) -> None:
    """With ε = x_t / 2, x̂_0 is (1 - σ/2) x_t / a, clamped; its slope is that factor, or 0 where clamped."""
    encoder = Plain()
    clean = PredictedClean(Denoiser(Half(), SCHEDULE, 4), encoder)
    a, sigma = SCHEDULE.alpha_bar[t].sqrt(), (1 - SCHEDULE.alpha_bar[t]).sqrt()
    factor = float((1 - sigma / 2) / a)
    x = (X / factor).requires_grad_()  # so that some of x̂_0 is clamped, and some is not
    features = clean(x, torch.tensor([t]))
    torch.testing.assert_close(features.pooled, X.clamp(-1, 1).flatten(1), rtol=1e-4, atol=1e-5)
    assert features.stages[0].shape == X.shape
    (slope,) = torch.autograd.grad(features.pooled.sum(), x)
    torch.testing.assert_close(slope, torch.where(X.abs() < 1, factor, 0.0), rtol=1e-4, atol=0)
    (asked,) = encoder.asked
    assert asked.tolist() == [0]
    assert asked.dtype == torch.int64
    assert clean.image_size == 4
    assert clean.state_dict().keys() == {"denoiser.network.share"}
