"""Contrast: what is subtracted from every sentence, and what that does on a mixture of Gaussians."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.diffusion.level import Level
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.guidance.content import Content
from sdg.guidance.guidance import Guidance
from sdg.guidance.targets import TextTargets
from sdg.guidance.text import Text
from sdg.networks.clip import CLIP
from sdg.networks.time_encoder import Features
from tests.guidance.examples import small_text_clip


@pytest.fixture
def clip() -> CLIP:
    return small_text_clip(["a", "face", "red", "blue"])


def test_every_sentence_loses_the_contrast_times_its_weight(clip: CLIP) -> None:
    red, face, blue = clip.encode_text(["red", "face", "blue"])
    targets = TextTargets(clip, "blue", 0.5)(["red", "red | face:-0.25", None])
    torch.testing.assert_close(targets[0], red - 0.5 * blue)
    torch.testing.assert_close(targets[1], red - 0.25 * face - 0.75 * 0.5 * blue)
    assert torch.equal(targets[2], torch.zeros_like(red))


def test_a_vector_may_be_the_contrast(clip: CLIP) -> None:
    red, mean = clip.encode_text(["red"])[0], torch.linspace(-1, 1, clip.embed_dim)
    torch.testing.assert_close(TextTargets(clip, mean)(["red"])[0], red - mean)


def test_the_score_is_a_difference_of_two_cosines(clip: CLIP) -> None:
    image = Features((), torch.linspace(-1, 2, clip.embed_dim)[None])
    red, blue = clip.encode_text(["red", "blue"])
    score = Text()(image, TextTargets(clip, "blue", 0.7)(["red"]))
    expected = F.cosine_similarity(image.pooled, red) - 0.7 * F.cosine_similarity(image.pooled, blue)
    torch.testing.assert_close(score, expected)


@pytest.mark.parametrize("same", ["blue", "Blue"])
def test_a_prompt_cannot_be_its_own_contrast(clip: CLIP, same: str) -> None:
    with pytest.raises(SDGError, match=r"guidance\.contrast='blue' says what '[bB]lue' in a prompt says"):
        TextTargets(clip, "blue")(["red", f"red | {same}:0.5"])


def test_unknown_words_of_the_contrast_are_told_with_the_prompts(clip: CLIP) -> None:
    assert TextTargets(clip, "a green face").unknown_words("a pink face") == ["pink", "green"]
    assert TextTargets(clip, torch.zeros(clip.embed_dim)).unknown_words("a pink face") == ["pink"]


def test_a_contrast_that_nothing_reads_is_refused() -> None:
    with pytest.raises(SDGError, match=r"guidance\.contrast=mean is contrasted with nothing"):
        Guidance(nn.Identity(), {"content": Content()}, 1.0, contrast="mean")
    with pytest.raises(SDGError, match=r"guidance\.contrast_weight=nan is not a number"):
        Guidance(nn.Identity(), {"text": Text()}, 1.0, contrast_weight=float("nan"))


# --- the closed form: docs/guidance.md, contrast


SIDE, STD = 1.0, 0.5
"""Pictures are two pixels, each ± SIDE plus N(0, STD²): one is asked for, nobody mentions the other."""
SCHEDULE = NoiseSchedule.linear()
FACE, ASKED, OTHER = torch.eye(3, dtype=torch.float64)
"""What all pictures have in common, and the directions in which the two pixels move an embedding."""


def expected_signs(x_t: Tensor, level: Level) -> Tensor:
    """E[sign of each pixel's mean | x_t], (B, 2): tanh(√ᾱ m x / (ᾱ s² + 1 - ᾱ))."""
    variance = level.alpha_bar * STD**2 + 1 - level.alpha_bar
    return torch.tanh(level.alpha_bar**0.5 * SIDE * x_t / variance)


def see(x_t: Tensor, level: Level) -> Features:
    """The mean embedding of the pictures that x_t may come from: what a perfect student sees."""
    a, b = expected_signs(x_t, level).unbind(dim=1)
    return Features((), FACE + a[:, None] * ASKED + b[:, None] * OTHER)


def slope(x_t: Tensor, level: Level, target: Tensor) -> Tensor:
    """∇F at x_t, (B, 2)."""
    x_t = x_t.clone().requires_grad_()
    return torch.autograd.grad(Text()(see(x_t, level), target).sum(), x_t)[0]


SENTENCE, OPPOSITE, MEAN = (FACE + ASKED) / 2**0.5, (FACE - ASKED) / 2**0.5, FACE / 2**0.5


def test_where_the_asked_for_is_unseen_only_contrast_leaves_the_rest_alone() -> None:
    """Where nothing is known of what is asked, the plain score pulls the other pixel to the middle."""
    for step in Timeline(SCHEDULE, 20):
        level = step.level
        x_t = torch.tensor([[0.0, 0.8]], dtype=torch.float64)
        b = expected_signs(x_t, level)[0, 1].item()
        variance = level.alpha_bar * STD**2 + 1 - level.alpha_bar
        db = level.alpha_bar**0.5 * SIDE / variance * (1 - b**2)
        plain = slope(x_t, level, SENTENCE)[0]
        assert plain[1].item() == pytest.approx(-b * db / (1 + b**2) ** 1.5 / 2**0.5, rel=1e-9, abs=1e-15)
        for other in (OPPOSITE, MEAN):
            contrasted = slope(x_t, level, SENTENCE - other)[0]
            assert contrasted[1].item() == pytest.approx(0, abs=1e-12)
            assert contrasted[0].item() >= plain[0].item() * (1 - 1e-12)


def test_opposite_and_mean_differ_by_a_factor_where_sentences_are_opposite() -> None:
    x_t = torch.tensor([[0.3, -0.7], [-1.2, 0.4]], dtype=torch.float64)
    level = Level.vp(300, 0.4, 0.7)
    opposite, mean = (slope(x_t, level, SENTENCE - other) for other in (OPPOSITE, MEAN))
    torch.testing.assert_close(opposite, 2 * mean)


def test_the_contrast_is_the_log_ratio_of_classifier_free_guidance_up_to_its_slope() -> None:
    """log p(asked | x) - log p(opposite | x) = 2 artanh(a): both grow with a alone, when b says nothing."""
    level = Level.vp(300, 0.4, 0.7)
    x_t = torch.tensor([[0.9, 0.0]], dtype=torch.float64)
    (a, _), (da, other) = expected_signs(x_t, level)[0], slope(x_t, level, SENTENCE - OPPOSITE)[0]
    variance = level.alpha_bar * STD**2 + 1 - level.alpha_bar
    log_ratio = 2 * math.sqrt(level.alpha_bar) * SIDE / variance
    # d/dx of √2 a / √(1 + a²), with da/dx = (1 - a²) · log_ratio / 2.
    expected = 2**0.5 / (1 + a**2) ** 1.5 * (1 - a**2) * log_ratio / 2
    assert da.item() == pytest.approx(expected.item(), rel=1e-9)
    assert other.item() == pytest.approx(0, abs=1e-12)
