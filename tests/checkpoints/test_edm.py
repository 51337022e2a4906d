"""The layout of the consistency-models release: ADM's UNet, but for time and attention, in EDM's units."""

from pathlib import Path

import pytest
import torch

from experiments.benchmark.rival import diffusers_unet, rival
from sdg.checkpoints import load_weights, unfilled
from sdg.checkpoints.adm import adm_architecture
from sdg.checkpoints.identify import identify
from sdg.checkpoints.known import PRIORS
from sdg.config import build
from sdg.diffusion.ddim import DDIM
from sdg.diffusion.spacing import Karras
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.networks.unet import ADMUNet, AttentionBlock
from tests.tiny import configure

SIZES = {
    "base_channels": 32,
    "res_blocks": 1,
    "channel_mult": [1, 2],
    "attention_factors": [2],
    "head_channels": 32,
    "out_channels": 3,
    "scale_shift": False,
    "attention_order": "qkv",
}


def released(unet: ADMUNet) -> dict[str, torch.Tensor]:
    """Its weights as the release stores them: attention projects pictures."""
    looks = [name for name, module in unet.named_modules() if isinstance(module, AttentionBlock)]
    flat = {f"{look}.{layer}.weight" for look in looks for layer in ("qkv", "proj_out")}
    return {key: value[..., None] if key in flat else value for key, value in unet.state_dict().items()}


@torch.no_grad()
def test_three_steps_are_those_of_the_release(tmp_path: Path) -> None:
    """By diffusers' UNet, and the release's own formulas (Karras et al. 2022, with 1000 c_noise)."""
    pytest.importorskip("diffusers", reason="there is no diffusers: '.[dev]' brings it")
    torch.manual_seed(0)
    source = ADMUNet(**SIZES)
    for parameter in source.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=parameter[0].numel() ** -0.5)
    torch.save(released(source), tmp_path / "edm_cat256_ema.pt")
    sizes = [f"prior.denoiser.network.{key}={value}".replace(" ", "") for key, value in SIZES.items()]
    words = [
        "prior=edm_lsun_cat",
        f"prior.checkpoint={tmp_path}/edm_cat256_ema.pt",
        "prior.denoiser.image_size=8",
    ]
    with unfilled():
        denoiser = build(configure("sample", [*words, *sizes]).prior.denoiser)
    load_weights(denoiser.network, tmp_path / "edm_cat256_ema.pt")
    denoiser = denoiser.double().eval()
    theirs = rival(source, SIZES, diffusers_unet).double()
    x = 80 * torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = x
    for step in Timeline(denoiser.schedule, 3, spacing=Karras(), scaled=True):
        x = DDIM().step(x, denoiser(x, step), step, torch.zeros(()))
        sigma = torch.tensor(step.sigma, dtype=torch.float64)
        total = sigma**2 + 0.5**2
        output = theirs(y / total.sqrt(), (250 * sigma.log()).float()[None])
        clean = (0.25 / total * y + 0.5 * sigma / total.sqrt() * output).clamp(-1, 1)
        y = y + (step.sigma_s - sigma) * (y - clean) / sigma
        torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-5)


def test_sigmas_are_those_of_karras() -> None:
    schedule = build(configure("sample", ["prior=edm_lsun_bedroom"]).prior.denoiser.schedule)
    sigmas = [step.sigma for step in Timeline(schedule, 40, scaled=True)]
    ramp = [(80 ** (1 / 7) + i / 39 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(40)]
    assert sigmas == pytest.approx(ramp, rel=1e-9)


def test_its_layout_is_recognised() -> None:
    with torch.device("meta"):
        unet = ADMUNet(**PRIORS["edm_lsun_bedroom"])
    state = released(unet)
    assert sum(value.numel() for value in state.values()) == 526_304_771
    found = identify(state)
    assert found is not None
    assert found.fits == "prior=edm_lsun_bedroom prior.checkpoint=FILE (or edm_lsun_cat)"
    assert adm_architecture(unet.state_dict()) == {
        key: value for key, value in PRIORS["edm_lsun_bedroom"].items() if key != "attention_order"
    }


def test_its_order_of_attention_is_another() -> None:
    torch.manual_seed(0)
    block = AttentionBlock(64, 32)
    other = AttentionBlock(64, 32, "qkv")
    other.load_state_dict(block.state_dict())
    for part in (block, other):
        torch.nn.init.normal_(part.proj_out.weight, generator=torch.Generator().manual_seed(1))
    x = torch.randn(1, 64, 4, 4)
    assert not torch.allclose(block(x), other(x), atol=1e-2)
    with pytest.raises(SDGError, match="attention_order=new is unknown"):
        AttentionBlock(64, 32, "new")  # type: ignore[arg-type]
