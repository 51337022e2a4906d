"""The two contrastive losses, against hand-made cases."""

import math

import pytest
import torch
import torch.nn.functional as F
from open_clip import ClipLoss
from torch import Tensor

from sdg.errors import SDGError
from sdg.randomness import keyed_generator
from sdg.training.clip_losses import SHARPNESS, angle_loss, clip_loss, family_loss, margin_loss, pair_loss
from sdg.training.objectives import Distillation, distillation_loss, shift_loss


def unit(*shape: int, key: int = 0) -> Tensor:
    return F.normalize(torch.randn(shape, generator=keyed_generator("losses", key)), dim=-1)


def test_distinct_captions_give_clips_own_loss():
    image, text, tokens = unit(6, 8), unit(6, 8, key=1), torch.arange(6)[:, None]
    ours = clip_loss(image, text, torch.tensor(14.0), tokens)
    torch.testing.assert_close(ours, ClipLoss()(image, text, torch.tensor(14.0)))


def test_copies_of_a_caption_share_their_target():
    """With one caption for all no image can be told from another: ln B, and nothing to learn."""
    same = unit(1, 8).expand(4, 8)
    loss = clip_loss(same, same, torch.tensor(10.0), torch.zeros(4, 3, dtype=torch.long))
    assert float(loss) == pytest.approx(math.log(4))
    # Two captions, each on two images: sharing costs ln 2, nothing more where the towers agree.
    pairs = torch.eye(8)[:2].repeat_interleave(2, dim=0)
    loss = clip_loss(pairs, pairs, torch.tensor(100.0), torch.tensor([[1], [1], [2], [2]]))
    assert float(loss) == pytest.approx(math.log(2))


def test_distillation_sums_rows_and_columns_at_scale_100():
    student, teacher = unit(5, 8), unit(5, 8, key=1)
    logits, diagonal = 100 * student @ teacher.T, torch.arange(5)
    expected = F.cross_entropy(logits, diagonal) + F.cross_entropy(logits.T, diagonal)
    torch.testing.assert_close(distillation_loss(student, teacher), expected)
    assert float(distillation_loss(teacher, teacher)) < float(distillation_loss(student, teacher))


def test_of_siblings_only_the_words_that_differ_count():
    """Two pairs over four words; the first word is in all captions."""
    logits = torch.tensor(
        [[9.0, 1.0, 0.5, 0.0], [-7.0, 0.2, 2.0, 0.0], [1.0, 0.0, 0.0, 3.0], [2.0, 5.0, 0.0, 1.0]]
    )
    bags = torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0]])
    # The first of "word 1, not word 2", by how much more it fits than its sibling: 0.8 and 1.5; then 2 and 0.
    expected = [math.log1p(math.exp(-(0.8 + 1.5))), math.log1p(math.exp(-2.0))]
    assert float(pair_loss(logits, bags)) == pytest.approx(sum(expected) / 2)
    assert float(pair_loss(logits, bags.roll(1, 0))) > float(pair_loss(logits, bags))


def test_captions_must_fit_their_own_siblings_by_a_margin():
    """Two pairs: one told apart by 0.8 + 0.8 - 0 - 0, one whose pictures are the same."""
    image = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]])
    text = torch.tensor([[0.8, 0, 0.6], [0, 0.8, 0.6], [0.6, 0.8, 0], [0.8, 0.6, 0]])
    expected = [math.log1p(math.exp(-SHARPNESS * 1.6)), math.log(2)]
    assert float(margin_loss(image, text)) == pytest.approx(sum(expected) / 2)
    # What all four have in common is no margin; captions that change places are as wrong as they were right.
    assert float(margin_loss(image + 0.3, text)) == pytest.approx(sum(expected) / 2)
    swapped = [SHARPNESS * 1.6, math.log(2)]
    assert float(margin_loss(image, text[[1, 0, 3, 2]])) == pytest.approx(sum(swapped) / 2)


def test_a_caption_must_fit_alike_all_of_a_four_that_it_is_true_of():
    """Two fours: one whose two captions are each true of two pictures, one that no caption tells apart."""
    one, other = torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0])
    text = torch.stack([one, one, other, other, *[one] * 4])
    tokens = torch.tensor([1, 1, 2, 2, 3, 4, 5, 6])[:, None]
    expected = [math.log(2) + math.log1p(math.exp(-SHARPNESS)), math.log(4)]
    assert float(family_loss(text, text, tokens)) == pytest.approx(sum(expected) / 2)
    # The first fits its captions by 0.8 only: each costs the mean of -ln p at 12 · 0.8 and at 12.
    leaning = text.clone()
    leaning[0] = torch.tensor([0.8, 0, 0.6])
    total = math.exp(0.8 * SHARPNESS) + math.exp(SHARPNESS) + 2
    over_pictures = (math.log(total) - 0.9 * SHARPNESS + expected[0]) / 2
    own = math.log(2) + math.log1p(math.exp(-0.8 * SHARPNESS))
    first = (over_pictures + (own + 3 * expected[0]) / 4) / 2
    assert float(family_loss(leaning, text, tokens)) == pytest.approx((first + math.log(4)) / 2)


def test_steps_of_a_four_are_asked_to_be_at_right_angles():
    """A face, its sibling, and both again with a second attribute changed: by 90, 0 and 60 degrees."""
    face, step = torch.tensor([0.1, 0.2]), torch.tensor([0.5, 0.0])
    others = torch.tensor([[0.0, 0.3], [0.2, 0.0], [0.5, 0.5 * math.sqrt(3)]])
    fours = [torch.stack([face, face + step, face + other, face + step + other]) for other in others]
    for four, expected in zip(fours, (0.0, 1.0, 0.25), strict=True):
        assert float(angle_loss(four)) == pytest.approx(expected, abs=1e-6)
    assert float(angle_loss(torch.cat(fours))) == pytest.approx(1.25 / 3)


def test_siblings_are_asked_for_the_teachers_step():
    """A student that is off by the same for both siblings has the teacher's step."""
    teacher = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [1.0, 0.0]])
    assert float(shift_loss(teacher - 0.3, teacher)) == pytest.approx(0, abs=1e-7)
    # The first pair's steps are (0.4, -0.8) and (1, 0), the second's (0, 0) and (-1, 1).
    student = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.6, 0.8], [0.6, 0.8]])
    assert float(shift_loss(student, teacher)) == pytest.approx((0.6**2 + 0.8**2 + 1 + 1) / 2)
    assert float(shift_loss(student.roll(1, 0), teacher.roll(1, 0))) != pytest.approx(1.5)


def test_even_steps_are_measured_by_the_teachers_own():
    """The first pair misses all of its step (0.06, 0.08), the second half of (0, 1)."""
    teacher = torch.tensor([[0.6, 0.0], [0.54, 0.08], [0.0, 1.0], [0.0, 0.0]])
    student = torch.tensor([[0.3, 0.1], [0.3, 0.1], [0.0, 0.5], [0.0, 0.0]])
    assert float(shift_loss(student, teacher, even=True)) == pytest.approx((1 + 0.25) / 2)
    # A step that the teacher doesn't take at all is no measure.
    still = torch.tensor([[0.6, 0.8], [0.6, 0.8]])
    apart = torch.tensor([[0.6, 0.8], [0.6, 0.7]])
    assert float(shift_loss(apart, still, even=True)) == pytest.approx(1.0)
    even, plain = (Distillation(shift=3.0, even=even)(student, teacher, True)[0] for even in (True, False))
    assert float(even - plain) == pytest.approx(3 * (0.625 - (0.01 + 0.25) / 2))


def test_shift_counts_only_for_siblings():
    student, teacher = unit(6, 8), unit(6, 8, key=1)
    objective = Distillation(shift=3.0)
    contrast = distillation_loss(student, teacher)
    for paired, more in ((False, 0.0), (True, 3 * float(shift_loss(student, teacher)))):
        loss, part = objective(student, teacher, paired)
        assert float(part) == pytest.approx(float(contrast))
        assert float(loss) == pytest.approx(float(contrast) + more, rel=1e-6)


def test_the_cosine_is_added_to_the_papers_loss():
    student, teacher = unit(5, 8), unit(5, 8, key=1)
    apart = 1 - F.cosine_similarity(student, teacher).mean()
    contrast = distillation_loss(student, teacher)
    torch.testing.assert_close(Distillation()(student, teacher), (contrast, contrast))
    expected = (contrast + 3 * apart, contrast)
    torch.testing.assert_close(Distillation(cosine=3.0)(student, teacher), expected)
    with pytest.raises(SDGError, match=r"distillation\.cosine=-1 is no weight"):
        Distillation(cosine=-1)
