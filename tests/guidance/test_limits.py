"""Clamping, normalising, and gradients that are not finite."""

import pytest
import torch
from torch import Tensor, nn

from sdg.diffusion.level import Level
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.text import Text
from sdg.networks.time_clip import Features

LEVEL = Level.vp(500, 0.3, 0.5)


class Linear(nn.Module):
    """Embeds an image as its first two pixels; all that x holds elsewhere is ignored."""

    def forward(self, x: Tensor, t: Tensor) -> Features:
        return Features((), x.flatten(1)[:, :2])


X = torch.zeros(3, 1, 2, 2)
X[:, 0, 0] = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
TARGET = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])


def gradient(scale: float = 1.0, x: Tensor = X, target: Tensor = TARGET, **settings: float | bool) -> Tensor:
    guidance = Guidance(Linear(), {"text": Text()}, scale=1.0, **settings)  # type: ignore[arg-type]
    return guidance(x, LEVEL, {"text": target}, torch.full((3,), scale)).gradient


def rms(g: Tensor) -> Tensor:
    return g.square().mean(dim=(1, 2, 3)).sqrt()


FREE = rms(gradient())


def test_the_free_gradients_differ_in_size() -> None:
    torch.testing.assert_close(FREE, torch.tensor([0.5, 0.25, 0.08]))


def test_clamp_shortens_the_long_ones_only() -> None:
    clamped = gradient(clamp=0.2)
    torch.testing.assert_close(rms(clamped), torch.tensor([0.2, 0.2, 0.08]))
    assert torch.equal(clamped[2], gradient()[2])
    torch.testing.assert_close(clamped[0] / 0.2, gradient()[0] / 0.5)
    torch.testing.assert_close(rms(gradient(scale=-1000.0, clamp=0.2)), torch.full((3,), 0.2))


def test_what_is_clamped_and_told_is_the_gradient_with_its_scale() -> None:
    """0.5, 0.25 and 0.08 times the scale 4: all but the last are above 0.5, and all are told unclamped."""
    guidance = Guidance(Linear(), {"text": Text()}, scale=1.0, clamp=0.5)
    steering = guidance(X, LEVEL, {"text": TARGET}, torch.full((3,), 4.0))
    torch.testing.assert_close(rms(steering.gradient), torch.tensor([0.5, 0.5, 0.32]))
    torch.testing.assert_close(steering.rms, torch.tensor([2.0, 1.0, 0.32]))


def test_a_normalised_gradient_is_clamped_at_its_new_size() -> None:
    assert torch.allclose(rms(gradient(scale=7.0, normalise=True, clamp=3.0)), torch.full((3,), 3.0))
    assert torch.allclose(rms(gradient(scale=2.0, normalise=True, clamp=3.0)), torch.full((3,), 2.0))


def test_normalise_gives_every_gradient_the_scale_as_its_size_and_keeps_the_direction() -> None:
    normalised = gradient(scale=7.0, normalise=True)
    torch.testing.assert_close(rms(normalised), torch.full((3,), 7.0))
    torch.testing.assert_close(normalised / 7, gradient() / FREE[:, None, None, None])
    torch.testing.assert_close(gradient(scale=-7.0, normalise=True), -normalised)
    assert torch.equal(gradient(scale=0.0, normalise=True), torch.zeros_like(X))
    # At the maximum of the cosine the gradient is zero, and cannot be normalised.
    assert torch.equal(
        gradient(target=X[:, 0, 0] / X[:, 0, 0].norm(dim=1)[:, None], normalise=True)[0], X[0] * 0
    )


@pytest.mark.parametrize("settings", [{}, {"clamp": 0.1}, {"normalise": True}])
@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_lost_sample_is_told_by_its_rms_and_the_others_go_on(settings: dict, poison: float) -> None:
    guidance = Guidance(Linear(), {"text": Text()}, scale=1.0, **settings)
    x = X.clone()
    x[1, 0, 0, 0] = poison
    steering = guidance(x, LEVEL, {"text": TARGET}, torch.ones(3))
    assert steering.rms.isfinite().tolist() == [True, False, True]
    assert torch.equal(steering.gradient[1], torch.zeros(1, 2, 2))
    assert torch.equal(steering.gradient[[0, 2]], gradient(**settings)[[0, 2]])


@pytest.mark.parametrize("clamp", [0.0, -1.0, float("nan")])
def test_a_clamp_that_leaves_nothing_is_refused(clamp: float) -> None:
    with pytest.raises(SDGError, match=r"guidance.clamp=.* leaves no gradient"):
        gradient(clamp=clamp)
