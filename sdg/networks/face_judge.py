"""A judge of photographs of faces: age group, sex and smile, by networks that nobody here trained."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.face_api import EXPRESSIONS, SEXES, AgeSexNet, ExpressionNet, IdentityNet
from sdg.networks.judge import Judgement

SMILES = ("smiling", "not smiling")
"""The values of ``smile``: smiling is what the expression network calls happy."""
_HAPPY = EXPRESSIONS.index("happy")
_YEARS = 5.0
"""Outside of a group, by so many years it is less probable by a factor of e; about the mean error."""


class FaceJudge(nn.Module):
    """Faces (B, 3, H, W) in [-1, 1] -> Judgement of ``age``, ``sex`` and ``smile``; no nuisances.

    The features are the embedding of identity, (B, 128).

    Args:
        ages: for each age group, its first year and the year it ends before.

    Raises:
        SDGError: groups that are not such pairs.
    """

    def __init__(self, ages: Mapping[str, Sequence[float]]):
        super().__init__()
        if not ages or any(len(years) != 2 or not years[0] < years[1] for years in ages.values()):
            raise SDGError("judge.ages needs groups like child: [3, 13], from a year to below another")
        self.attributes: dict[str, Sequence[str]] = {"age": tuple(ages), "sex": SEXES, "smile": SMILES}
        self.expression, self.age_sex, self.identity = ExpressionNet(), AgeSexNet(), IdentityNet()
        self.register_buffer("bounds", torch.tensor([list(map(float, x)) for x in ages.values()]), False)

    def years(self, images: Tensor) -> Tensor:
        """The ages (B,) of faces in [-1, 1]."""
        years: Tensor = self.age_sex(_from_0_to_255(images))[0]
        return years

    def forward(self, images: Tensor) -> Judgement:
        faces = _from_0_to_255(images)
        age, sex = self.age_sex(faces)
        logits = {"age": self._groups(age), "sex": sex, "smile": smile_logits(self.expression(faces))}
        return Judgement(logits, images.new_zeros(len(images), 0), self.identity(faces))

    def _groups(self, age: Tensor) -> Tensor:
        """Logits (B, groups) of ages (B,): 0 for the group that holds an age, less the further others are."""
        first, end = self.get_buffer("bounds").unbind(dim=1)
        age = age[:, None]
        below, above = (first - age).clamp(min=0), (age - end).clamp(min=0)
        reached = (age == end) * 1e-3  # an age that ends a group begins the next
        return -(below + above + reached) / _YEARS


def smile_logits(expressions: Tensor) -> Tensor:
    """Logits (B, 2) of ``SMILES`` from those of the expressions (B, 7): happy, or any other."""
    others = torch.cat([expressions[:, :_HAPPY], expressions[:, _HAPPY + 1 :]], dim=1)
    return torch.stack([expressions[:, _HAPPY], others.logsumexp(dim=1)], dim=1)


def _from_0_to_255(images: Tensor) -> Tensor:
    return (images + 1) * 127.5
