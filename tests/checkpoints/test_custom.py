"""Anyone's network predicts through our Denoiser what it predicts by its authors' own arithmetic."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sdg.checkpoints import load_weights, unfilled
from sdg.checkpoints.custom import custom_denoiser, custom_prior, custom_schedule
from sdg.checkpoints.tables import read_alpha_bar
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError

BETAS = [0.01 * (i + 1) for i in range(12)]
MEAN, SPREAD = 0.3, 0.2
"""Of the pixels of Gaussian pictures, on a network's own scale."""


class Known(nn.Module):
    """The exact posterior of Gaussian pixels on their own scale, told of time as one convention has it."""

    def __init__(self, kind: str = "eps", time: str = "index", shape: tuple[int, ...] = (2,)):
        super().__init__()
        self.kind, self.time, self.shape = kind, time, shape
        self.asked: list[Tensor] = []

    def forward(self, y_t: Tensor, t: Tensor) -> Tensor:
        assert t.shape == self.shape
        self.asked.append(y_t.detach())
        steps = len(BETAS)
        index = {"index": t, "index+1": t - 1, "fraction": t * steps - 1, "index/T": t * steps}[self.time]
        alpha_bar = (1 - torch.tensor(BETAS, dtype=torch.float64)).cumprod(0)[
            index.flatten()[0].round().long()
        ]
        a, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
        gain = a * SPREAD**2 / (alpha_bar * SPREAD**2 + sigma**2)
        y = MEAN + gain * (y_t - a * MEAN)
        if self.kind == "x0":
            return y
        eps = (y_t - a * y) / sigma
        return eps if self.kind == "eps" else a * eps - sigma * y


def prior(net: nn.Module, **options: Any) -> Denoiser:
    return custom_prior(net, **{"size": 4, "channels": 1, "betas": BETAS, "clip": False} | options).double()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["eps", "x0", "v"])
@pytest.mark.parametrize("low, high", [(-1.0, 1.0), (0.0, 1.0), (-0.5, 0.5), (0.0, 255.0)])
def test_another_range_is_an_exact_change_of_variables(kind: Any, low: float, high: float) -> None:
    """The posterior mean in closed form, at our noise level, of pictures on our scale."""
    denoiser = prior(Known(kind), pixel_range=[low, high], parameterisation=kind)
    half, middle = (high - low) / 2, (high + low) / 2
    mean, spread = (MEAN - middle) / half, SPREAD / half
    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for step in Timeline(denoiser.schedule, 4):
        own = (1 - torch.tensor(BETAS, dtype=torch.float64)).cumprod(0)[int(step.t)].item()
        assert step.alpha_bar / (1 - step.alpha_bar) == pytest.approx(half**2 * own / (1 - own), rel=1e-9)
        a = step.alpha_bar**0.5
        gain = a * spread**2 / (step.alpha_bar * spread**2 + 1 - step.alpha_bar)
        torch.testing.assert_close(denoiser(x, step).x0, mean + gain * (x - a * mean), rtol=1e-7, atol=1e-7)


@torch.no_grad()
@pytest.mark.parametrize("time", ["index", "index+1", "fraction", "index/T"])
@pytest.mark.parametrize("told, shape", [("()", ()), ("(B,)", (2,)), ("(B, 1)", (2, 1))])
def test_time_is_told_as_its_authors_do(time: Any, told: str, shape: tuple[int, ...]) -> None:
    by_index = prior(Known())
    denoiser = prior(Known(time=time, shape=shape), time=time, time_shape=told)
    x = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for step in Timeline(by_index.schedule, 3):
        torch.testing.assert_close(denoiser(x, step).x0, by_index(x, step).x0, rtol=1e-6, atol=1e-6)


def test_the_ancestral_chain_is_theirs_in_their_own_units() -> None:
    """Ho et al.'s loop on pixels in [0, 1], written out, with the noise of ours."""
    denoiser, net = prior(Known(), pixel_range=[0, 1]), Known(shape=(2,))
    timeline, key = Timeline(denoiser.schedule, len(BETAS)), [(0, 0), (0, 1)]
    ours = generate(denoiser.float(), DDPM(), timeline, NoiseSource(key))
    source = NoiseSource(key)
    y = source.normal((1, 4, 4), "cpu").double()
    beta = torch.tensor(BETAS, dtype=torch.float64)
    bar = (1 - beta).cumprod(0)
    # Our first state has unit variance; theirs begins at the scale and the mean of theirs.
    n, a = (bar[-1] * 0.25 + 1 - bar[-1]).sqrt(), bar[-1].sqrt()
    y = n * y + a * 0.5
    for i in reversed(range(len(beta))):
        before = bar[i - 1] if i else torch.ones(())
        eps = net(y, torch.full((2,), i))
        mean = (y - beta[i] / (1 - bar[i]).sqrt() * eps) / (1 - beta[i]).sqrt()
        z = source.normal((1, 4, 4), "cpu").double() if i else torch.zeros(())
        y = mean + (beta[i] * (1 - before) / (1 - bar[i])).sqrt() * z
    torch.testing.assert_close(ours.double(), 2 * y - 1, rtol=2e-4, atol=2e-4)


def test_grey_padded_pictures(tmp_path: Path) -> None:
    denoiser = prior(Known(), size=6, padding=1)
    assert (denoiser.image_size, denoiser.picture_size) == (8, 6)
    pictures = torch.rand(2, 1, 6, 6).expand(-1, 3, -1, -1) * 2 - 1
    states = denoiser.codec.encode(pictures)
    assert states.shape == (2, 1, 8, 8)
    assert torch.equal(denoiser.codec.decode(states), pictures)
    assert torch.equal(states[:, 0, 0, 1:-1], pictures[:, 0, 0])


class Touchy(nn.Module):
    """Its constructor reads and replaces its weights."""

    def __init__(self, width: int = 2):
        super().__init__()
        self.net = nn.Conv2d(1, width, 1)
        self.net.weight.data = self.net.weight.data / self.net.weight.data.norm().item()
        self.out = nn.Conv2d(width, 1, 1)
        self.register_buffer("seen", self.net.weight.detach().sum(), persistent=False)

    def forward(self, x: Tensor, t: Tensor) -> dict[str, Tensor]:
        return {"noise": self.out(self.net(x))}


def test_networks_that_touch_their_weights_are_built_and_filled(tmp_path: Path) -> None:
    net, path = Touchy(3), tmp_path / "net.pt"
    others = {"judge.weight": torch.zeros(2), "betas": torch.tensor(BETAS)}
    torch.save({f"denoise.{key}": value for key, value in net.state_dict().items()} | others, path)
    with unfilled():
        made = custom_denoiser(
            f"{__name__}.Touchy", custom_schedule(str(path), first=2), 4, {"width": 3}, GREY
        )
    load_weights(made.network, f"{path}@denoise")
    for key, value in made.network.network.state_dict().items():
        assert torch.equal(value, net.state_dict()[key])
    flat = tmp_path / "flat.pt"
    torch.save(net.state_dict() | {"betas": torch.tensor(BETAS)}, flat)
    with pytest.raises(SDGError, match="betas is left over"):
        load_weights(made.network, flat)
    load_weights(made.network, flat, ignore=["beta*"])


@pytest.mark.parametrize("ending", [".txt", ".json", ".npy", ".pt"])
def test_tables_from_files(tmp_path: Path, ending: str) -> None:
    path, table = tmp_path / f"table{ending}", np.array(BETAS)
    if ending == ".txt":
        path.write_text("\n".join(map(str, BETAS)))
    elif ending == ".json":
        path.write_text(json.dumps(BETAS))
    elif ending == ".npy":
        np.save(path, table)
    else:
        torch.save({"net": {"w": torch.zeros(3, 3)}, "noise": {"betas": torch.tensor(table)}}, path)
    expected = (1 - torch.tensor(BETAS, dtype=torch.float64)).cumprod(0)
    torch.testing.assert_close(read_alpha_bar(str(path)), expected)
    torch.testing.assert_close(
        read_alpha_bar("checkpoint", str(path)) if ending == ".pt" else expected, expected
    )


def test_tables_of_more_entries_and_of_products() -> None:
    bar = (1 - torch.tensor(BETAS, dtype=torch.float64)).cumprod(0)
    assert torch.equal(read_alpha_bar([0.0, *BETAS], first=1), bar)
    assert torch.equal(read_alpha_bar(bar.tolist()), bar)
    assert torch.equal(read_alpha_bar(None), NoiseSchedule.linear().alpha_bar)
    learned = custom_prior(Known(), 4, 1, betas=BETAS, first=3)
    assert torch.equal(learned.schedule.alpha_bar, bar[3:])
    x = torch.zeros(2, 1, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        for step in Timeline(learned.schedule, 2):  # a network that is told i + 3
            torch.testing.assert_close(
                learned.free(x, step).x0, prior(Known()).free(x, _at(int(step.t) + 3)).x0
            )


def _at(t: int) -> Any:
    return Timeline(custom_schedule(BETAS), len(BETAS)).steps[t]


GREY = custom_prior(Known(), 4, 1, betas=BETAS).codec


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"pixel_range": [1, 0]}, "pixel_range=.* is no range"),
        ({"time": "step"}, "time=step is unknown: use index"),
        ({"time_shape": "(2,)"}, "time_shape=.* is unknown"),
        ({"size": None}, "prior.size=SIDE"),
        ({"channels": 2}, "1 if they are grey"),
        ({"padding": -1}, "padding=-1"),
        ({"betas": [0.0, 0.1]}, "add prior.first=1"),
        ({"betas": [0.1, 1.2]}, "outside of 0 … 1"),
        ({"betas": {"begin": 0.1}}, "betas has no begin"),
        ({"betas": "checkpoint"}, "give prior.checkpoint=PATH"),
        ({"betas": "/nowhere.txt"}, "there is no /nowhere.txt"),
        ({"channels": 3}, "does not take states of 3x4x4"),
    ],
)
def test_what_means_nothing_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(SDGError, match=reason):
        custom_prior(Touchy(), **{"size": 4, "channels": 1, "betas": BETAS} | change)


@pytest.mark.parametrize(
    "path, reason",
    [
        (None, "give prior.network=package.module.Class"),
        ("nowhere.Net", "not on Python's path"),
        (f"{__name__}.Nothing", "not on Python's path"),
        ("builtins.dict", "makes a dict"),
        (f"{__name__}.Touchy", "takes other arguments"),
    ],
)
def test_networks_that_cannot_be_made(path: str | None, reason: str) -> None:
    arguments = {"depth": 3} if path and path.endswith("Touchy") else {}
    with pytest.raises(SDGError, match=reason):
        custom_denoiser(path, NoiseSchedule.linear(), 4, arguments)
