"""A prior by others is measured against a guess, and the conventions that fit are found."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from sdg.checkpoints.custom import custom_prior
from sdg.checkpoints.tables import read_alpha_bar
from sdg.diffusion.codec import Codec
from sdg.priors.__main__ import main
from sdg.priors.conventions import conventions
from sdg.priors.measure import noise_errors, predicts_nothing
from sdg.priors.run import _codes

SIZE = 6
PRIOR = {
    "size": SIZE,
    "channels": 1,
    "padding": 0,
    "betas": {"steps": 200},
    "checkpoint": None,
    "first": 0,
    "parameterisation": "eps",
    "time_shape": "(B,)",
    "time": "index",
    "pixel_range": [-1, 1],
}


def squares(count: int) -> np.ndarray:
    """Grey pictures with a bright square somewhere, (N, S, S) uint8."""
    drawn = np.zeros((count, SIZE, SIZE), np.uint8)
    for i, (x, y) in enumerate(np.random.default_rng(0).integers(0, SIZE - 2, (count, 2))):
        drawn[i, y : y + 3, x : x + 3] = 255
    return drawn


class Expert(nn.Module):
    """Predicts the noise in squares on pixels from 0 to 1, told of (i + 1)/T: the posterior of a few."""

    def __init__(self, count: int = 24):
        super().__init__()
        self.register_buffer("known", torch.from_numpy(squares(count)).float() / 255)
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, y_t: Tensor, t: Tensor) -> Tensor:
        alpha_bar = read_alpha_bar({"steps": 200})
        index = (t[0].float() * 200).round().long().clamp(1, 200) - 1
        a, sigma = (float(x) for x in (alpha_bar[index].sqrt(), (1 - alpha_bar[index]).sqrt()))
        apart = (y_t - a * self.known).square().sum(dim=(2, 3))  # (B, N)
        shares = (-apart / (2 * sigma**2)).softmax(dim=1)
        y = torch.einsum("bn,nhw->bhw", shares, self.known)[:, None]
        return self.weight * (y_t - a * y) / sigma


def shown() -> Tensor:
    grey = torch.from_numpy(squares(24)).float()[:, None] / 127.5 - 1
    return grey.expand(-1, 3, -1, -1)


def test_the_conventions_that_fit_are_found() -> None:
    found = conventions(PRIOR, Expert(), shown())
    assert found[0].words == "prior.time=fraction 'prior.pixel_range=[0, 1]'"
    assert found[0].ratio < 0.5 * min(one.ratio for one in found if "[0, 1]" not in one.words)
    assert [one.own for one in found].count(True) == 1


def test_errors_in_closed_form() -> None:
    """A network that gives zeros errs by the variance of the noise; a guess by what is left of it."""
    zeros = custom_prior(Zeros(), SIZE, 1, betas={"steps": 200}, clip=False)
    errors = noise_errors(zeros, shown())
    variance = shown()[:, :1].var(dim=0, correction=0).mean().item()
    for error in errors:
        bar = zeros.schedule.alpha_bar[int(error.t)].item()
        snr = bar / (1 - bar)
        assert error.mse == pytest.approx(1, abs=0.2)  # 864 numbers of variance 1
        assert error.guess == pytest.approx(snr * variance / (1 + snr * variance), rel=1e-6)
    assert predicts_nothing(errors)
    expert = custom_prior(Expert(), SIZE, 1, betas={"steps": 200}, pixel_range=[0, 1], time="fraction")
    assert not predicts_nothing(noise_errors(expert, shown()))


class Zeros(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.zeros_like(x)


@pytest.mark.parametrize("weight, said", [(1.0, "yours fits best"), (0.0, "warning: it predicts nothing")])
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], weight: float, said: str) -> None:
    expert = Expert()
    expert.weight.data.fill_(weight)
    torch.save(expert.state_dict(), tmp_path / "net.pt")
    for i, pixels in enumerate(squares(24)):
        Image.fromarray(pixels).save(tmp_path / f"{i:02d}.png")
    words = [
        f"prior.network={__name__}.Expert",
        f"prior.checkpoint={tmp_path / 'net.pt'}",
        "prior.time=fraction",
    ]
    words += ["prior.size=6", "prior.channels=1", "prior.pixel_range=[0, 1]", "prior.betas.steps=200"]
    out = tmp_path / "drawn" / "eight.png"
    options = ["--out", str(out), "--device", "cpu", f"pictures={tmp_path}"]
    main(["check", "prior=custom", *words, "sampler=ddim", "sampler.steps=4", *options])
    printed = capsys.readouterr().out
    assert said in printed
    assert "it draws grey pictures of 6 px" in printed
    with Image.open(out) as sheet:
        assert sheet.size == (8 * SIZE, SIZE)


def test_a_prior_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^error: .*prior\.checkpoint=PATH"):
        main(["check", "prior=custom", f"prior.network={__name__}.Zeros", "prior.size=4", "--device", "cpu"])
    assert str(Path.cwd()) in sys.path


def test_codes_of_another_scale_are_told() -> None:
    pictures = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    prior = custom_prior(Zeros(), 8, 3, betas={"steps": 200})
    assert list(_codes(prior, pictures)) == []

    class Faint(Codec):
        pixels = False

        def encode(self, pictures: Tensor) -> Tensor:
            return 0.2 * pictures

        def decode(self, states: Tensor) -> Tensor:
            return states / 0.2

        def picture_size(self, side: int) -> int:
            return side

    prior.codec = Faint()
    told, warning = _codes(prior, pictures)
    assert "standard deviation of 0.12" in told  # a fifth of 1/√3
    assert "try prior.scaling=8." in warning
