"""Visibility, held to what a perfect eye sees through Gaussian noise."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.metrics.visibility import Question, limit, ranked, visibility

SCHEDULE = NoiseSchedule.linear()
COUNT = 400
BRIGHT, DARK = "bright", "dark"
LEVELS = (0, 300, 700)
FIRST = torch.arange(COUNT)
PICTURES = torch.cat([torch.full((COUNT, 1, 1, 1), value) for value in (0.5, -0.5)])
"""One pixel: bright ones, then dark ones."""


def texts(sentences: list[str]) -> Tensor:
    """Embeddings on a circle, at right angles."""
    return torch.tensor([[1.0, 0.0] if sentence == BRIGHT else [0.0, 1.0] for sentence in sentences])


def look(x_t: Tensor, t: int) -> Tensor:
    """The brighter the pixel, the nearer to ``bright``."""
    angle = math.pi / 4 - torch.atan(x_t.flatten()) / 2
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def chance(t: int) -> float:
    """That of two noised pixels, the brighter one is the bright one: Φ(√ᾱ / √(2 (1 - ᾱ)))."""
    alpha_bar = float(SCHEDULE.alpha_bar[t])
    return 0.5 * (1 + math.erf(math.sqrt(alpha_bar / (1 - alpha_bar)) / 2))


@pytest.mark.parametrize("paired", [True, False])
def test_accuracy_is_that_of_a_perfect_eye(paired: bool) -> None:
    question = Question(BRIGHT, DARK, FIRST, FIRST + COUNT, paired)
    (answer,) = visibility(look, texts, SCHEDULE, PICTURES, [question], LEVELS, draws=100)
    assert answer.accuracy == pytest.approx([chance(t) for t in LEVELS], abs=0.05)
    assert all(
        low <= value <= high for value, (low, high) in zip(answer.accuracy, answer.interval, strict=True)
    )
    assert 0.03 < answer.interval[2][1] - answer.interval[2][0] < 0.15
    assert answer.count == COUNT


def test_the_limit_is_that_of_an_eye_that_knows_the_pictures() -> None:
    """It sees the difference of one pixel as well as the perfect eye does, and that of nine three times."""
    question = Question(BRIGHT, DARK, FIRST[:2], FIRST[:2] + COUNT, paired=True)
    assert limit(SCHEDULE, PICTURES, question, LEVELS) == pytest.approx([chance(t) for t in LEVELS])
    alpha_bar = float(SCHEDULE.alpha_bar[700])
    nine = 0.5 * (1 + math.erf(3 * math.sqrt(alpha_bar / (1 - alpha_bar)) / 2))
    assert limit(SCHEDULE, PICTURES.expand(-1, 1, 3, 3), question, (700,)) == pytest.approx([nine])


def test_the_margin_is_the_difference_of_the_mean_scores() -> None:
    question = Question(BRIGHT, DARK, FIRST, FIRST + COUNT, True)
    (answer,) = visibility(look, texts, SCHEDULE, PICTURES, [question], (0,), draws=2)
    scores = [(look(torch.tensor([value]), 0) @ torch.tensor([1.0, -1.0])).item() for value in (0.5, -0.5)]
    # The noise at t = 0 has a standard deviation of 0.01.
    assert answer.margin == pytest.approx([scores[0] - scores[1]], rel=0.01)


def test_the_sentences_change_places_with_their_pictures() -> None:
    questions = [Question(BRIGHT, DARK, FIRST, FIRST + COUNT), Question(DARK, BRIGHT, FIRST + COUNT, FIRST)]
    one, two = visibility(look, texts, SCHEDULE, PICTURES, questions, LEVELS, draws=2)
    assert one.accuracy == pytest.approx(two.accuracy)
    wrong = Question(BRIGHT, DARK, FIRST + COUNT, FIRST)
    (opposite,) = visibility(look, texts, SCHEDULE, PICTURES, [wrong], LEVELS, draws=2)
    assert opposite.accuracy == pytest.approx([1 - value for value in one.accuracy])


def test_an_encoder_that_sees_nothing_is_right_half_the_time() -> None:
    def blind(x_t: Tensor, t: int) -> Tensor:
        return F.normalize(torch.ones(len(x_t), 2), dim=1)

    question = Question(BRIGHT, DARK, FIRST[:3], FIRST[:2] + COUNT)
    (answer,) = visibility(blind, texts, SCHEDULE, PICTURES, [question], LEVELS, draws=2)
    assert answer.accuracy == [0.5] * 3
    assert answer.count == 2


def test_numbers_do_not_depend_on_other_questions_or_levels() -> None:
    question = Question(BRIGHT, DARK, FIRST, FIRST + COUNT)
    other = Question(DARK, BRIGHT, FIRST, FIRST + COUNT)
    (alone,) = visibility(look, texts, SCHEDULE, PICTURES, [question], (300,), draws=10)
    _, among = visibility(look, texts, SCHEDULE, PICTURES, [other, question], LEVELS, draws=10)
    assert (among.accuracy[1], among.interval[1]) == (alone.accuracy[0], alone.interval[0])


def test_questions_need_pictures() -> None:
    with pytest.raises(SDGError, match="give pairs of sentences"):
        visibility(look, texts, SCHEDULE, PICTURES, [], LEVELS)
    with pytest.raises(SDGError, match="no pictures tell 'bright' from 'dark'"):
        visibility(look, texts, SCHEDULE, PICTURES, [Question(BRIGHT, DARK, FIRST, FIRST[:0])], LEVELS)


def test_the_surest_pictures_are_the_ends_of_the_order() -> None:
    high, low = ranked(torch.tensor([0.3, -1.0, 0.9, 0.1, 0.2, 0.0, 0.5, -0.5]))
    assert (sorted(high.tolist()), sorted(low.tolist())) == ([2, 6], [1, 7])
    with pytest.raises(SDGError, match=r"7 pictures are too few .* give 8"):
        ranked(torch.zeros(7))
