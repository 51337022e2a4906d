"""Sight: weights that follow what an encoder sees, sentence by sentence."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.diffusion.level import Level
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.sight import Curve, SeenWords, Sight
from sdg.guidance.targets import Aim, TextTargets
from sdg.guidance.text import Text
from sdg.guidance.weight import NoiseWindow, Visible
from tests.guidance.examples import small_text_clip

LEVELS = (0, 500, 999)
MEAN, RED, BLUE, HAT, WIDE, OTHER = torch.eye(6, dtype=torch.float64)
"""Embeddings that share nothing but their mean."""


def sentence(*directions: Tensor) -> Tensor:
    return F.normalize(MEAN + sum(directions), dim=-1)


def sight() -> Sight:
    """Red is told from blue everywhere, from the opposite of blue at t = 0, like a hat; widths everywhere.

    Blue and its opposite cancel, so the direction of red, from them to itself, is RED alone.
    """
    return Sight(
        LEVELS,
        {
            ("red", "blue"): (1.0, 1.0, 1.0),
            ("not blue", "red"): (1.0, 0.5, 0.5),
            ("hat", "bare"): (1.0, 0.5, 0.5),
            ("wide", "narrow"): (1.0, 1.0, 1.0),
        },
        {
            "red": MEAN + RED, "blue": MEAN + BLUE, "not blue": MEAN - BLUE,
            "hat": MEAN + HAT, "bare": MEAN, "wide": MEAN + WIDE, "narrow": MEAN,
        },
        MEAN,
    )  # fmt: skip


def test_a_curve_has_mean_one_over_the_timesteps() -> None:
    curve = Curve((0, 100, 400, 999), (1.0, 0.8, 0.1, 0.0))
    weights = [curve(t) for t in range(1000)]
    assert (sum(weights) - (weights[0] + weights[-1]) / 2) / 999 == pytest.approx(1, rel=1e-9)
    assert weights[100] / weights[0] == pytest.approx(0.8)
    assert weights[250] == pytest.approx((weights[100] + weights[400]) / 2)
    assert curve(1500) == weights[999] == 0


def test_what_is_seen_nowhere_or_measured_once_has_a_constant_weight() -> None:
    assert [Curve(LEVELS, (0.0, 0.0, 0.0))(t) for t in (0, 200, 999)] == [1, 1, 1]
    assert [Curve((300,), (0.4,))(t) for t in (0, 300, 999)] == [1, 1, 1]


def test_a_sentence_is_seen_as_in_its_pairs_on_average() -> None:
    """Red is in both pairs: seen fully at t = 0, by half at 500 and 999; its mean is 0.6252."""
    ((part, curve, *_),) = sight().parts(sentence(RED))
    torch.testing.assert_close(part, RED / 2**0.5)
    mean = (0.75 * 500 + 0.5 * 499) / 999
    assert [curve(t) for t in LEVELS] == pytest.approx([1 / mean, 0.5 / mean, 0.5 / mean])


def test_what_chance_adds_in_one_pair_it_takes_in_another() -> None:
    """Red is told from blue in 0.4 of the pictures, and from a hat in 0.6: on average it isn't seen."""
    found = Sight(
        LEVELS,
        {("red", "blue"): (1.0, 0.4, 0.5), ("hat", "red"): (1.0, 0.6, 0.5)},
        {"red": MEAN + RED, "blue": MEAN + BLUE, "hat": MEAN + HAT},
        MEAN,
    )
    ((_, curve, *_),) = found.parts(sentence(RED))
    assert curve(500) == pytest.approx(0)
    assert curve(0) == pytest.approx(2 * 999 / 500)


def test_a_term_that_reads_pictures_follows_the_mean_of_all_sentences() -> None:
    """Red (1, ½, ½), blue, wide and narrow (1, 1, 1), not blue, hat and bare (1, 0, 0)."""
    whole = sight().whole
    assert whole(500) / whole(0) == pytest.approx(0.5)
    assert whole(999) == whole(500)


def test_a_sentence_is_taken_apart_into_the_measured_ones() -> None:
    both = sentence(2 * RED, HAT)
    parts = sight().parts(both)
    torch.testing.assert_close([part.vector for part in parts], [2 * RED / 6**0.5, HAT / 6**0.5])
    assert sight().parts(sentence(OTHER)) == []
    assert sight().parts(MEAN) == []


def words(*sentences: Tensor) -> SeenWords:
    found = sight()
    return SeenWords(torch.stack(sentences), [[part[:2] for part in found.parts(each)] for each in sentences])


def test_for_a_linear_term_every_part_is_weighted_by_its_curve() -> None:
    plain, nothing = sentence(2 * RED, HAT), torch.zeros_like(MEAN)
    seen = words(plain, sentence(WIDE), nothing)
    (red, as_red, *_), (hat, as_hat, *_) = sight().parts(plain)
    for t in (0, 300, 500, 999):
        targets, factor = seen.at(Level.vp(t, 0.5, 0.5))
        expected = plain + (as_red(t) - 1) * red + (as_hat(t) - 1) * hat
        torch.testing.assert_close(factor[0] * targets[0], expected)
        torch.testing.assert_close(targets[0].norm(), plain.norm())
        torch.testing.assert_close(targets[1], sentence(WIDE))
        assert torch.equal(targets[2], nothing)
        assert factor[1:].tolist() == pytest.approx([1, 1])
    assert torch.equal(seen.plain[0], plain)


def test_what_is_unseen_does_not_push_and_what_is_seen_pushes_at_full_weight() -> None:
    """A contrasted sentence is its parts alone: where a hat is unseen, its factor is 0."""
    found = sight()
    hat = sentence(HAT) - MEAN / 2**0.5
    seen = SeenWords(hat[None], [[part[:2] for part in found.parts(sentence(HAT))]])
    assert seen.at(Level.vp(700, 0.1, 0.3))[1].item() == pytest.approx(0, abs=1e-9)
    assert seen.at(Level.vp(0, 1.0, 1.0))[1].item() == pytest.approx(999 / 250, rel=1e-9)


def test_a_part_is_what_sets_a_sentence_apart_from_its_opposites() -> None:
    """Blue was told from red alone: its direction is (BLUE - RED)/√2, without what both share."""
    ((part, curve, *_),) = sight().parts(sentence(BLUE, -RED))
    torch.testing.assert_close(part, (BLUE - RED) / 3**0.5)
    assert [curve(t) for t in LEVELS] == pytest.approx([1, 1, 1])


def test_prompts_with_bars_and_contrasts_are_taken_apart_sentence_by_sentence() -> None:
    clip = small_text_clip(["a", "red", "hat", "face"])
    red, hat, mean = clip.encode_text(["red", "hat", "a face"]).detach()
    found = Sight(LEVELS, {("red", "hat"): (1.0, 0.8, 0.6)}, {"red": red, "hat": hat}, mean)
    texts = TextTargets(clip, mean, 0.5)
    seen = texts.seen(["red | hat:-0.5", None], found)
    torch.testing.assert_close(seen.plain, texts(["red | hat:-0.5", None]))
    expected = [part.vector for part in found.parts(red)] + [-0.5 * part.vector for part in found.parts(hat)]
    torch.testing.assert_close(seen.parts[0], torch.stack(expected))
    assert len(seen.parts[1]) == 0


class Direct(nn.Module):
    """Sees the picture's own pixels as the embedding."""

    def forward(self, x: Tensor, t: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        return (), x.flatten(1)


def test_guidance_pushes_by_the_factor_and_the_score_is_of_the_whole_target() -> None:
    guidance = Guidance(Direct(), {"text": Text("visible"), "plain": Text(2.0)}, 1.0)
    x = torch.linspace(0.5, 2, 12, dtype=torch.float64).view(2, 1, 2, 3)
    targets = torch.stack([sentence(2 * RED, HAT), sentence(HAT)])
    aim = Aim(guidance.encode, {"plain": targets}, {}, {"text": words(*targets)})
    level, scale = Level.vp(300, 0.4, 0.7), torch.ones(2, dtype=torch.float64)
    held_to, factors = aim.steering(level)
    steering = guidance(x, level, held_to, scale, factors)
    held, factor = words(*targets).at(level)
    x.requires_grad_()
    F_k = F.cosine_similarity(x.flatten(1), held) * factor + 2 * F.cosine_similarity(x.flatten(1), targets)
    torch.testing.assert_close(steering.gradient, torch.autograd.grad(F_k.sum(), x)[0])
    assert torch.equal(aim.at(level)["text"], targets)  # type: ignore[arg-type]


def test_visible_has_a_word_and_a_size() -> None:
    assert isinstance(Text("visible").weight, Visible)
    assert Text(Visible(3.0)).weight_at(Level.vp(10, 0.9, 0.99)) == 3.0


def test_a_sight_of_nothing_is_refused() -> None:
    with pytest.raises(SDGError, match="give pairs of sentences"):
        Sight(LEVELS, {}, {}, MEAN)


# --- windows of noise


def test_a_window_of_noise_counts_timesteps() -> None:
    term = Text(NoiseWindow(2.0, start=500, stop=100))
    assert [term.weight_at(Level.vp(t, 0.5, 0.0)) for t in (999, 501, 500, 100, 99)] == [0, 0, 2, 2, 0]


@pytest.mark.parametrize("start, stop", [(100, 200), (100, -1)])
def test_a_window_of_noise_is_not_empty(start: int, stop: int) -> None:
    with pytest.raises(SDGError, match="use start >= stop >= 0"):
        NoiseWindow(1.0, start, stop)
