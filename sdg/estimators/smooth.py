r"""F smoothed over what x̂_0 leaves open: f̃(x̂_0) = log 1/n Σ_k exp F(x̂_0 + r m_k), m_k ~ N(0, I)."""

import math

import torch
from torch import Tensor

from sdg.diffusion.level import Level
from sdg.estimators.estimator import Here, Smoothing
from sdg.guidance.score import Rise


def smoothing(here: Here, draws: int, radius: float) -> Smoothing:
    """What gives f̃ and its gradient at any x̂_0, (B, C, H, W), with the same m_k; a radius of 0 draws
    nothing.

    Each asking costs a pass of the guide for each draw. The gradient of a log-mean-exp is that of the F_k
    weighted by softmax(F_k), so that no more than one pass is held in memory.

    Args:
        draws: n.
        radius: r in units of √(1-ᾱ_t).
    """
    if not radius:
        return here.score.rise
    x_t, reach = here.look.x_t, radius * here.look.step.sigma
    views = [reach * here.draws.normal(x_t.shape[1:], x_t.device).to(x_t.dtype) for _ in range(draws)]

    def rise(x0: Tensor, level: Level) -> Rise:
        rises = [here.score.rise(x0 + view, level) for view in views]
        values = torch.stack([rise.value for rise in rises])
        shares = values.softmax(dim=0)[:, :, None, None, None]
        gradient = torch.stack([rise.gradient for rise in rises]).mul(shares).sum(dim=0)
        return Rise(values.logsumexp(dim=0) - math.log(draws), gradient)

    return rise
