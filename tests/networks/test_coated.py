"""A network of pictures in the coat of a flow's or EDM's: the same prior."""

from typing import Literal

import pytest
import torch

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.parameterisation import Conditioning
from sdg.diffusion.schedule import Flow, NoiseSchedule, Schedule, VarianceExploding
from sdg.diffusion.spacing import LogSNR
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.networks.coated import CoatedUNet, timestep
from sdg.networks.refined import RefinedUNet
from sdg.networks.unet import ADMUNet
from tests.golden.fill import fill_state_dict

LINEAR = NoiseSchedule.linear()
ARGUMENTS = {"base_channels": 32, "res_blocks": 1, "channel_mult": (1,), "attention_factors": (), "patch": 2}


def unet() -> ADMUNet:
    return ADMUNet(**ARGUMENTS, head_channels=32, out_channels=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("t", [0, 1, 10, 100, 500, 900, 999])
def test_timesteps_are_found_in_closed_form(t: int) -> None:
    noise = torch.tensor([-LINEAR.level(t).log_snr])
    assert float(timestep(noise)) == pytest.approx(t, abs=4)


@pytest.mark.parametrize("coat, schedule", [("flow", Flow(0.02, 0.99)), ("edm", VarianceExploding(0.02, 80))])
def test_the_same_weights_in_a_coat_are_the_same_prior(
    coat: Literal["flow", "edm"], schedule: Schedule
) -> None:
    plain, coated = RefinedUNet(unet(), width=8), CoatedUNet(unet(), width=8, coat=coat)
    state = fill_state_dict(plain.state_dict())
    plain.load_state_dict(state)
    coated.load_state_dict(state)
    denoiser = Denoiser(coated, schedule, 8, 3, coat, clip=False, conditioning=Conditioning("log_sigma"))
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for step in Timeline(schedule, 4, spacing=LogSNR()):
            expected = plain(x, timestep(torch.tensor([-step.level.log_snr])))
            torch.testing.assert_close(denoiser(x, step).x0, expected, rtol=0, atol=2e-3)


def test_another_coat_is_refused() -> None:
    with pytest.raises(SDGError, match="use flow or edm"):
        CoatedUNet(unet(), coat="v")  # type: ignore[arg-type]
