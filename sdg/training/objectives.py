"""What the time-dependent encoder, the student, learns from the teacher: its fine-tuning's loss."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.errors import SDGError
from sdg.training.dtypes import full, similarities

LOGIT_SCALE = 100.0
"""The logit scale of CLIP after its training; constant here (as released)."""


class Objective(Protocol):
    """Embeddings (B, D) of length 1 of noised pictures and, by the teacher, of the clean ones -> the loss,
    and that part of it which is contrastive, by which a training that fails is recognised. If ``paired``,
    neighbours are siblings: all but one attribute, and the noise, are the same."""

    def __call__(self, student: Tensor, teacher: Tensor, paired: bool = False) -> tuple[Tensor, Tensor]: ...


class Distillation:
    """The paper's: find each noised picture's clean one among those of the batch.

    What all pictures of a batch can do without, the student may forget. With ``cosine``, each embedding is
    also drawn to the teacher's own, which no other picture excuses: at its minimum it is the direction of the
    mean of all clean embeddings that the noised picture may have come from.

    With ``shift``, the step from a picture to its sibling is asked to be the teacher's
    (:func:`shift_loss`): that step along one attribute is what guidance follows. With ``even``, every step is
    measured by its own length, so that a frown counts as much as another colour of hair.

    Args:
        cosine: weight of 1 - cos(student, teacher), averaged over the batch; 0 is the paper's loss.
        shift: weight of the shift loss between siblings, in training.
        even: count each pair's error relative to the teacher's step, not as it is.

    Raises:
        SDGError: a weight below 0.
    """

    def __init__(self, cosine: float = 0.0, shift: float = 0.0, even: bool = False):
        for name, weight in (("cosine", cosine), ("shift", shift)):
            if not weight >= 0:
                raise SDGError(f"distillation.{name}={weight} is no weight: use 0 (the paper) or more")
        self.cosine, self.shift, self.even = cosine, shift, even

    def __call__(self, student: Tensor, teacher: Tensor, paired: bool = False) -> tuple[Tensor, Tensor]:
        contrast = loss = distillation_loss(student, teacher)
        student = full(student)
        teacher = teacher.to(student)
        if self.cosine:
            loss = loss + self.cosine * (1 - (student * teacher).sum(dim=-1)).mean()
        if self.shift and paired:
            loss = loss + self.shift * shift_loss(student, teacher, self.even)
        return loss, contrast


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy over the rows plus over the columns of 100 · student · teacherᵀ, targets on the diagonal.

    A scalar; the two are summed, not averaged (as released).

    Args:
        student, teacher: (B, D), of length 1.
    """
    logits = similarities(student, teacher, LOGIT_SCALE)
    diagonal = torch.arange(len(logits), device=logits.device)
    return F.cross_entropy(logits, diagonal) + F.cross_entropy(logits.T, diagonal)


SHORTEST = 0.01
"""The least |e_a - e_b|² that an error is divided by: a step that the teacher hardly takes is no measure."""


def shift_loss(student: Tensor, teacher: Tensor, even: bool = False) -> Tensor:
    """Mean over pairs of |(s_a - s_b) - (e_a - e_b)|²: the step between siblings is to be the teacher's.

    If ``even``, each pair's is divided by |e_a - e_b|², which makes it the share of the step that is missed.

    Both siblings bear the same noise, so what is left of the student's difference is its answer to the one
    attribute. A loss of single embeddings gives this answer up where noise hides the attribute, long before
    it is lost: the mean of what the picture may have been is then the best embedding.

    Args:
        student, teacher: (B, D), of length 1; siblings are neighbours.
    """
    apart = (student - teacher).unflatten(0, (-1, 2))
    missed = (apart[:, 0] - apart[:, 1]).square().sum(dim=-1)
    if even:
        steps = teacher.unflatten(0, (-1, 2))
        missed = missed / (steps[:, 0] - steps[:, 1]).square().sum(dim=-1).clamp(min=SHORTEST)
    return missed.mean()
