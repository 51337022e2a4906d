"""Seconds to equal quality: what counts as equal, and that a rival draws the same pictures as we do."""

import pytest
import torch

from experiments.benchmark.chains import DEEPINV, cond_fn, dps
from experiments.benchmark.equal import FREE, MEASURES, WAYS, page
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.guidance.guidance import Guidance
from sdg.guidance.text import Text
from sdg.networks.time_clip import TimeResNet
from sdg.networks.unet import ADMUNet
from sdg.randomness import keyed_generator
from tests.golden.fill import fill_state_dict

PLAIN = {
    "alignment/mentioned": (0.9, 0.85, 0.95),
    "drift/all": (0.2, 0.1, 0.3),
    "distance": (10.0, -5.0, 40.0),
}


def verdict(**changed: float) -> str:
    """Of one way whose measures are those of the plain chain but for these."""
    names = {"mentioned": "alignment/mentioned", "drift": "drift/all", "distance": "distance"}
    other = PLAIN | {names[key]: (value, value, value) for key, value in changed.items()}
    quality = {
        name: found | {"pictures": (8, 8, 8)} for name, found in ((WAYS[0].name, PLAIN), ("other", other))
    }
    long = {WAYS[0].name: [2.0, 4.0], FREE[1].name: [0.5, 0.5], "other": [1.0, 1.0]}
    short = {FREE[1].name: [0.3, 0.5, 0.4], "short": [0.15, 0.5, 0.3]}
    lines = page(quality, {4: [long, short]})
    # 0.75 of the base of its own rounds, which takes 1/4 or 1/8 of the yardstick in the others.
    assert "| short | 0.30 | 0.14 | 0.75 (0.50 … 1.00) |" in "\n".join(lines)
    (row,) = [line for line in lines if line.startswith("| other")]
    cells = row.strip("| ").split(" | ")
    assert cells[1:4] == ["1.00", "0.38 (0.25 … 0.50)", "2.00"], "seconds, of plain, of unguided"
    return cells[-1]


def test_equal_is_what_no_measure_finds_worse_than_the_interval_of_the_plain_chain() -> None:
    assert [*MEASURES] == [*PLAIN]
    assert verdict() == "yes"
    assert verdict(mentioned=0.86, drift=0.29, distance=39.0) == "yes"
    assert verdict(mentioned=0.99, drift=0.0, distance=-9.0) == "yes", "better is not unequal"
    assert verdict(mentioned=0.84) == "no: mentioned right"
    assert verdict(drift=0.31, distance=41.0) == "no: drift, distance"


def networks() -> tuple[ADMUNet, TimeResNet]:
    """A prior of x_0 and an encoder, tiny and frozen."""
    unet = ADMUNet(32, 1, (1, 2), (2,), head_channels=32, out_channels=3)
    encoder = TimeResNet((1, 1, 1, 1), 4, 4, 8, image_size=32, sinusoid_dim=8, time_dim=8)
    for network in (unet, encoder):
        network.load_state_dict(fill_state_dict(network.state_dict()))
        network.eval().requires_grad_(False)
    return unet, encoder


@pytest.mark.slow
def test_deepinvs_dps_goes_back_through_our_prior_towards_what_is_said() -> None:
    pytest.importorskip(DEEPINV, reason="there is no deepinv: '.[dev]' brings it")
    unet, encoder = networks()
    denoiser, target = Denoiser(unet, NoiseSchedule.linear(), 32, parameterisation="x0"), torch.eye(8)[:1]

    def likeness(weight: float) -> float:
        drawn = dps(denoiser, encoder, target, weight, (1, 3, 32, 32), 5)
        assert drawn.shape == (1, 3, 32, 32)
        said = encoder(drawn.float(), torch.zeros(1, dtype=torch.int64)).pooled
        return torch.cosine_similarity(said, target).item()

    # The tiny encoder's gradient is small.
    assert likeness(1e6) > likeness(0.0) + 5e-4


@pytest.mark.slow
def test_diffusers_and_a_cond_fn_draw_what_we_draw() -> None:
    """The same noise, networks, timesteps and mean shift, by their scheduler and by ours."""
    pytest.importorskip("diffusers", reason="there is no diffusers: '.[dev]' brings it")
    unet, encoder = networks()
    target, scale = torch.nn.functional.normalize(torch.ones(1, 8)), 50.0
    schedule, key = NoiseSchedule.linear(), (0, 3)
    guidance = Guidance(encoder, {"text": Text()}, scale)
    ours = generate(
        Denoiser(unet, schedule, 32, parameterisation="x0"),
        DDPM("small"),
        Timeline(schedule, 4),
        NoiseSource([key]),
        lambda x, level: guidance(x, level, {"text": target}, torch.tensor([scale])).gradient,
    )
    theirs = cond_fn(unet, encoder, target, scale, (1, 3, 32, 32), 4, keyed_generator("x_t", *key))
    torch.testing.assert_close(theirs, ours, atol=1e-3, rtol=1e-3)
