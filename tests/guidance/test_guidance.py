"""Guidance: F, its gradient, and what must not change either."""

from collections.abc import Callable, Mapping

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.diffusion.level import Level
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.text import Text
from sdg.guidance.weight import Linear
from sdg.networks.time_clip import Features, TimeResNet
from tests.golden.fill import fill_state_dict

SIZE, DIM = 32, 16
T = torch.tensor([500])
LEVEL = Level.vp(500, 0.3, 0.5)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X_T = normal(3, 3, SIZE, SIZE)
Y, Z = F.normalize(normal(3, DIM, seed=1)), F.normalize(normal(3, DIM, seed=2))
ONES = torch.ones(3, dtype=torch.float64)


def make_guidance(weights: Mapping[str, float] | None = None, terms: tuple[str, ...] = ("text",)) -> Guidance:
    """Guidance by a small encoder in float64 whose every layer matters."""
    encoder = TimeResNet((1, 1, 1, 1), 8, 4, DIM, image_size=SIZE, sinusoid_dim=16, time_dim=24)
    encoder.load_state_dict(fill_state_dict(encoder.state_dict()))
    return Guidance(
        encoder.double(), {name: Text((weights or {}).get(name, 1.0)) for name in terms}, scale=1.0
    )


def test_gradient_equals_finite_differences() -> None:
    """Along random directions, each sample with a scale of its own."""
    guidance, scale = make_guidance({"text": 2.0}), torch.tensor([1.0, -3.0, 10.0], dtype=torch.float64)

    def score(x_t: Tensor) -> Tensor:
        return scale * 2.0 * F.cosine_similarity(guidance.encoder(x_t, T).pooled, Y)

    gradient = guidance(X_T, LEVEL, {"text": Y}, scale).gradient
    for seed in range(3, 6):
        direction = normal(3, 3, SIZE, SIZE, seed=seed)
        with torch.no_grad():
            slope = (score(X_T + 1e-6 * direction) - score(X_T - 1e-6 * direction)) / 2e-6
        torch.testing.assert_close((gradient * direction).sum((1, 2, 3)), slope, rtol=1e-5, atol=1e-8)


def test_scores_are_unweighted_and_unscaled() -> None:
    guidance = make_guidance({"text": 7.0})
    with torch.no_grad():
        expected = F.cosine_similarity(guidance.encoder(X_T, T).pooled, Y)
    steering = guidance(X_T, LEVEL, {"text": Y}, 100 * ONES)
    assert torch.allclose(steering.scores["text"], expected)
    assert not steering.scores["text"].requires_grad
    assert not steering.gradient.requires_grad


def test_weighted_terms_add_up() -> None:
    def gradient(weights: Mapping[str, float]) -> Tensor:
        guidance = make_guidance(weights, terms=tuple(weights))
        return guidance(X_T, LEVEL, {"one": Y, "two": Z}, ONES).gradient

    one, two = gradient({"one": 1.0}), gradient({"two": 1.0})
    torch.testing.assert_close(gradient({"one": 2.0, "two": -0.5}), 2.0 * one - 0.5 * two)
    assert torch.equal(gradient({"one": 1.0, "two": 0.0}), one)
    assert torch.equal(make_guidance(terms=("one",))(X_T, LEVEL, {"one": Y}, ONES).gradient, one)


def test_a_weight_is_that_of_the_level() -> None:
    """One that rises from 0 to 4 weighs 0, 1 and 3 at progress 0, 0.25 and 0.75."""
    constant, rising = make_guidance(), make_guidance()
    rising.terms["text"].weight = Linear(0.0, 4.0)
    unit = constant(X_T, LEVEL, {"text": Y}, ONES).gradient
    for progress, weight in ((0.0, 0.0), (0.25, 1.0), (0.75, 3.0)):
        gradient = rising(X_T, Level.vp(500, 0.3, progress), {"text": Y}, ONES).gradient
        torch.testing.assert_close(gradient, weight * unit)


class Half(nn.Module):
    """An encoder whose weights, and so whose features, are bfloat16."""

    def forward(self, x: Tensor, t: Tensor) -> Features:
        rounded = x.bfloat16()
        return Features((rounded, 2 * rounded), rounded.flatten(1)[:, :DIM])


def test_features_of_half_precision_are_scored_in_the_precision_of_the_state() -> None:
    """They are rounded, as the encoder leaves them; scores and gradients are computed in float32."""
    x, y = X_T.float(), Y.float()
    features = Guidance(Half(), {"text": Text()}, 1.0).encode(x, LEVEL)
    assert {each.dtype for each in (*features.stages, features.pooled)} == {torch.float32}
    assert torch.equal(features.stages[1], 2 * x.bfloat16().float())
    steering = Guidance(Half(), {"text": Text()}, 1.0)(x, LEVEL, {"text": y}, ONES.float())
    expected = F.cosine_similarity(x.bfloat16().float().flatten(1)[:, :DIM], y)
    torch.testing.assert_close(steering.scores["text"], expected, rtol=1e-6, atol=1e-6)
    assert steering.gradient.dtype == torch.float32


def test_each_sample_has_its_own_scale_and_zero_is_exactly_zero() -> None:
    guidance = make_guidance()
    unit = guidance(X_T, LEVEL, {"text": Y}, ONES).gradient
    scaled = guidance(X_T, LEVEL, {"text": Y}, torch.tensor([0.0, 1.0, 250.0], dtype=torch.float64)).gradient
    assert torch.equal(scaled[0], torch.zeros_like(scaled[0]))
    assert torch.equal(scaled[1], unit[1])
    torch.testing.assert_close(scaled[2], 250 * unit[2])


def test_a_sample_without_a_target_is_pulled_nowhere() -> None:
    targets = Y.clone()
    targets[1] = 0
    gradient = make_guidance()(X_T, LEVEL, {"text": targets}, 100 * ONES).gradient
    assert torch.equal(gradient[1], torch.zeros_like(gradient[1]))
    assert (gradient[[0, 2]].abs().amax((1, 2, 3)) > 0).all()


def other_image(x: Tensor, y: Tensor, scale: Tensor) -> None:
    x[1] = normal(3, SIZE, SIZE, seed=9)


def other_target(x: Tensor, y: Tensor, scale: Tensor) -> None:
    y[1] = normal(DIM, seed=9)


def other_scale(x: Tensor, y: Tensor, scale: Tensor) -> None:
    scale[1] = 1000.0


@pytest.mark.parametrize("change", [other_image, other_target, other_scale])
def test_samples_do_not_interact(change: Callable[[Tensor, Tensor, Tensor], None]) -> None:
    """Not even when the module around the guidance is put into training mode, as Lightning may do."""
    guidance = make_guidance()
    nn.ModuleList([guidance]).train()
    x, y, scale = X_T.clone(), Y.clone(), ONES.clone()
    before = guidance(x, LEVEL, {"text": y}, scale).gradient
    change(x, y, scale)
    after = guidance(x, LEVEL, {"text": y}, scale).gradient
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert not torch.equal(after[1], before[1])


def test_guiding_never_trains_the_encoder() -> None:
    guidance = make_guidance()
    state = {key: value.clone() for key, value in guidance.encoder.state_dict().items()}
    guidance.train()
    guidance(X_T, LEVEL, {"text": Y}, ONES)
    assert all(torch.equal(value, state[key]) for key, value in guidance.encoder.state_dict().items())
    assert not any(module.training for module in guidance.modules())
    assert not any(parameter.requires_grad for parameter in guidance.parameters())


def test_the_gradient_exists_inside_no_grad_and_leaves_x_t_alone() -> None:
    x_t = X_T.clone()
    with torch.no_grad():
        gradient = make_guidance()(x_t, LEVEL, {"text": Y}, ONES).gradient
    assert gradient.abs().max() > 0
    assert not x_t.requires_grad


def test_guidance_without_terms_is_refused() -> None:
    with pytest.raises(SDGError, match="give it one"):
        make_guidance(terms=())
