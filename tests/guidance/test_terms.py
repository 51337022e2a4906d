"""The terms: their formulas, and that no term mixes samples."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.diffusion.level import Level
from sdg.errors import SDGError
from sdg.guidance.content import Content
from sdg.guidance.guidance import Guidance
from sdg.guidance.structure import Structure
from sdg.guidance.style import Style, gram_distance, released_gram_distance
from sdg.guidance.term import Term
from sdg.guidance.text import Text
from sdg.networks.time_clip import Features, TimeResNet
from tests.golden.fill import fill_state_dict

SHAPES = [
    (8, 8, 8),
    (12, 8, 8),
    (24, 4, 4),
    (48, 2, 2),
    (96, 1, 1),
]  # the last two have fewer places than channels
LEVEL = Level.vp(500, 0.3, 0.5)
TERMS: dict[str, Callable[[], Term]] = {
    "text": Text,
    "content": Content,
    "structure": lambda: Structure({"stem": 0.5, "layer3": 2.0}),
    "style": Style,
}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def features(batch: int, seed: int) -> Features:
    stages = tuple(normal(batch, *shape, seed=10 * seed + k) for k, shape in enumerate(SHAPES))
    return Features(stages, normal(batch, 16, seed=10 * seed + 9))


OWN, WANTED = features(3, 1), features(3, 2)


# --- formulas


def test_text_scores_the_cosine_and_of_a_weighted_target_the_weighted_cosines() -> None:
    one, two = F.normalize(normal(3, 16, seed=5)), F.normalize(normal(3, 16, seed=6))
    cosines = [F.cosine_similarity(OWN.pooled, target) for target in (one, two)]
    torch.testing.assert_close(Text()(OWN, one), cosines[0])
    torch.testing.assert_close(Text()(OWN, one - 0.5 * two), cosines[0] - 0.5 * cosines[1])


def test_content_scores_the_cosine_of_the_embeddings_alone() -> None:
    expected = F.cosine_similarity(OWN.pooled, WANTED.pooled)
    torch.testing.assert_close(Content()(OWN, WANTED._replace(stages=())), expected)
    torch.testing.assert_close(Content()(OWN, OWN), torch.ones(3, dtype=torch.float64))


def test_structure_is_the_mean_squared_difference_of_the_stages_it_names() -> None:
    own, wanted = OWN.stages, WANTED.stages
    expected = [
        -0.5 * float((own[0][i] - wanted[0][i]).square().mean())
        - 2.0 * float((own[3][i] - wanted[3][i]).square().mean())
        for i in range(3)
    ]
    torch.testing.assert_close(TERMS["structure"]()(OWN, WANTED), torch.tensor(expected, dtype=torch.float64))


def released_style(own: Features, wanted: Features) -> float:
    """docs/guidance.md, style, for a batch of one, in the plainest way."""
    total = 0.0
    for a, b in zip(own.stages, wanted.stages, strict=True):
        _, c, h, w = a.shape
        grams = [x.reshape(c, h * w) @ x.reshape(c, h * w).T / (c * h * w) for x in (a, b)]
        total += float(F.mse_loss(grams[0], grams[1]))
    return -1e10 / 5 * total


@pytest.mark.parametrize("gram", ["sample", "released"])
def test_style_has_the_released_numbers_for_a_batch_of_one(gram: str) -> None:
    own, wanted = features(1, 1), features(1, 2)
    score = Style(gram=gram)(own, wanted)  # type: ignore[arg-type]
    assert score.shape == (1,)
    assert score.item() == pytest.approx(released_style(own, wanted), rel=1e-9)


def test_style_weighs_its_stages() -> None:
    """Each alone, and in a sum with weights of its own; a stage that is not named is ignored."""
    alone = {name: Style({name: 1.0})(OWN, WANTED) for name in ("stem", "layer2", "layer4")}
    for k, name in ((0, "stem"), (2, "layer2"), (4, "layer4")):
        expected = -1e10 / 5 * gram_distance(OWN.stages[k], WANTED.stages[k])
        torch.testing.assert_close(alone[name], expected)
    weighted = Style({"stem": 0.5, "layer2": 3.0, "layer4": 0.0})(OWN, WANTED)
    torch.testing.assert_close(weighted, 0.5 * alone["stem"] + 3.0 * alone["layer2"])


def test_style_of_a_batch_is_the_style_of_each() -> None:
    alone = [
        Style()(
            features(3, 1)._replace(stages=tuple(s[i : i + 1] for s in OWN.stages)),
            WANTED._replace(stages=tuple(s[i : i + 1] for s in WANTED.stages)),
        )
        for i in range(3)
    ]
    torch.testing.assert_close(Style()(OWN, WANTED), torch.cat(alone))
    with pytest.raises(SDGError, match="group=1"):
        Style(gram="released")(OWN, WANTED)


@pytest.mark.parametrize("shape", [(6, 5, 5), (40, 3, 3)], ids=["few channels", "few places"])
def test_the_dual_form_is_exact(shape: tuple[int, int, int]) -> None:
    """Also in float32, where the norms of nearly equal matrices cancel, and in its gradient."""
    a = normal(2, *shape, seed=1).requires_grad_()
    b = a.detach() + 0.1 * normal(2, *shape, seed=2)
    plain = torch.cat([released_gram_distance(a[i : i + 1], b[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(gram_distance(a, b), plain)
    (expected,) = torch.autograd.grad(plain.sum(), a)
    (actual,) = torch.autograd.grad(gram_distance(a, b).sum(), a)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(gram_distance(a.float(), b.float()), plain.float(), rtol=1e-3, atol=0)


@pytest.mark.parametrize("term", [Content, TERMS["structure"], Style])
def test_one_target_serves_a_whole_batch(term: Callable[[], Term]) -> None:
    one = features(1, 2)
    each = Features(tuple(s.expand(3, -1, -1, -1) for s in one.stages), one.pooled.expand(3, -1))
    torch.testing.assert_close(term()(OWN, one), term()(OWN, each))


# --- through the encoder


def make_guidance(weights: dict[str, float]) -> Guidance:
    encoder = TimeResNet((1, 1, 1, 1), 8, 4, 16, image_size=32, sinusoid_dim=16, time_dim=24)
    encoder.load_state_dict(fill_state_dict(encoder.state_dict()))
    terms = {name: TERMS[name]() for name in weights}
    for name, term in terms.items():
        term.weight = weights[name]
    return Guidance(encoder.double(), terms, scale=1.0)


X_T, ONES = normal(3, 3, 32, 32), torch.ones(3, dtype=torch.float64)


def targets(guidance: Guidance, reference: Tensor) -> dict[str, Tensor | Features]:
    encoded = guidance.encode(reference, LEVEL)
    words = F.normalize(reference.flatten(1)[:, :16], dim=-1)
    return {name: words if term.reads == "prompt" else encoded for name, term in guidance.terms.items()}


@pytest.mark.parametrize("name", TERMS)
def test_gradients_equal_finite_differences(name: str) -> None:
    guidance, reference = make_guidance({name: 1.0}), normal(3, 3, 32, 32, seed=7)
    wanted = targets(guidance, reference)

    def score(x: Tensor) -> Tensor:
        return guidance.scores(guidance.encode(x, LEVEL), wanted)[name]

    gradient = guidance(X_T, LEVEL, wanted, ONES).gradient
    for seed in range(3, 6):
        direction = normal(3, 3, 32, 32, seed=seed)
        slope = (score(X_T + 1e-6 * direction) - score(X_T - 1e-6 * direction)) / 2e-6
        torch.testing.assert_close((gradient * direction).sum((1, 2, 3)), slope, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("name", TERMS)
def test_the_gradient_of_a_sample_is_its_own(name: str) -> None:
    """It moves neither with another sample's image nor with another sample's target."""
    guidance, reference = make_guidance({name: 1.0}), normal(3, 3, 32, 32, seed=7)
    before = guidance(X_T, LEVEL, targets(guidance, reference), ONES).gradient
    x, other = X_T.clone(), reference.clone()
    x[1], other[1] = normal(3, 32, 32, seed=8), normal(3, 32, 32, seed=9)
    after = guidance(x, LEVEL, targets(guidance, other), ONES).gradient
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]], rtol=1e-12, atol=0)
    assert not torch.allclose(after[1], before[1])


def test_a_mix_is_linear_in_its_weights_and_one_weight_alone_is_that_term() -> None:
    reference = normal(3, 3, 32, 32, seed=7)

    def gradient(weights: dict[str, float]) -> Tensor:
        guidance = make_guidance(weights)
        return guidance(X_T, LEVEL, targets(guidance, reference), ONES).gradient

    alone = {name: gradient({name: 1.0}) for name in TERMS}
    weights = {"text": 2.0, "content": -0.5, "structure": 0.1, "style": 1e-6}
    mixed = sum(weight * alone[name] for name, weight in weights.items())
    torch.testing.assert_close(gradient(weights), mixed)
    for name in TERMS:
        assert torch.equal(gradient({**dict.fromkeys(TERMS, 0.0), name: 1.0}), alone[name])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Structure({}), "weighs nothing"),
        (lambda: Structure({"layer9": 1.0}), r"\['layer9'\]: the encoder has stem"),
        (lambda: Style(gram="batch"), "gram=batch is unknown"),  # type: ignore[arg-type]
    ],
)
def test_terms_refuse_what_they_cannot_use(make: Callable[[], Term], message: str) -> None:
    with pytest.raises(SDGError, match=message):
        make()
