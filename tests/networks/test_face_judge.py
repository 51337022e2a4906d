"""From what the face networks say to the answers of a judge."""

import pytest
import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.face_judge import FaceJudge, smile_logits

AGES = {"baby": [0, 3], "child": [3, 13], "adult": [13, 120]}


class Fixed(nn.Module):
    """Says the same of every picture, and keeps what it was shown."""

    def __init__(self, answer: object):
        super().__init__()
        self.answer = answer

    def forward(self, faces: Tensor) -> object:
        self.shown = faces
        return self.answer


def test_ages_fall_into_groups_and_happy_is_smiling() -> None:
    judge = FaceJudge(AGES)
    ages = torch.tensor([-1.0, 2.9, 3.0, 12.0, 13.5, 130.0])
    expressions = torch.zeros(6, 7)
    expressions[0, 1] = 2.0  # e² against six times 1
    judge.age_sex = Fixed((ages, torch.tensor([[1.0, 0.0]] * 6)))
    judge.expression, judge.identity = Fixed(expressions), Fixed(torch.ones(6, 128))
    judgement = judge(torch.tensor([-1.0, 1.0]).repeat(6, 3, 4, 2))
    answers = {name: logits.argmax(dim=1).tolist() for name, logits in judgement.attributes.items()}
    assert answers == {"age": [0, 0, 1, 1, 2, 2], "sex": [0] * 6, "smile": [0] + [1] * 5}
    assert judge.identity.shown.unique().tolist() == [0, 255]
    assert list(judge.attributes) == list(judgement.attributes)
    assert judge.attributes["sex"][0] == "man"
    assert judgement.features.shape == (6, 128)


def test_the_logits_of_a_smile_give_the_probability_of_happy() -> None:
    torch.manual_seed(0)
    expressions = torch.randn(5, 7)
    expected = expressions.softmax(dim=1)[:, 1]
    torch.testing.assert_close(smile_logits(expressions).softmax(dim=1)[:, 0], expected)


@pytest.mark.parametrize("ages", [{}, {"child": [3]}, {"child": [13, 3]}])
def test_refuses_groups_that_are_none(ages: dict[str, list[float]]) -> None:
    with pytest.raises(SDGError, match=r"judge.ages needs groups like child: \[3, 13\]"):
        FaceJudge(ages)
