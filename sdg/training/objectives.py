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
    and that part of it which is contrastive, by which a training that fails is recognised."""

    def __call__(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]: ...


class Distillation:
    """The paper's: find each noised picture's clean one among those of the batch.

    What all pictures of a batch can do without, the student may forget. With ``cosine``, each embedding is
    also drawn to the teacher's own, which no other picture excuses: at its minimum it is the direction of the
    mean of all clean embeddings that the noised picture may have come from.

    Args:
        cosine: weight of 1 - cos(student, teacher), averaged over the batch; 0 is the paper's loss.

    Raises:
        SDGError: a weight below 0.
    """

    def __init__(self, cosine: float = 0.0):
        if not cosine >= 0:
            raise SDGError(f"distillation.cosine={cosine} is no weight: use 0 (the paper) or more")
        self.cosine = cosine

    def __call__(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        contrast = distillation_loss(student, teacher)
        if not self.cosine:
            return contrast, contrast
        apart = 1 - (full(student) * teacher.to(full(student))).sum(dim=-1)
        return contrast + self.cosine * apart.mean(), contrast


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy over the rows plus over the columns of 100 · student · teacherᵀ, targets on the diagonal.

    A scalar; the two are summed, not averaged (as released).

    Args:
        student, teacher: (B, D), of length 1.
    """
    logits = similarities(student, teacher, LOGIT_SCALE)
    diagonal = torch.arange(len(logits), device=logits.device)
    return F.cross_entropy(logits, diagonal) + F.cross_entropy(logits.T, diagonal)
