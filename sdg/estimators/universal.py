r"""Universal Guidance (Bansal et al., arXiv 2302.07121), and plain CLIP on x̂_0 as its simplest form.

Forward guidance corrects the score by the gradient through the prior; backward guidance moves x̂_0 itself,
for ``inner`` steps, without the prior:

.. math:: \hat x_0 \leftarrow \hat x_0 + \Delta, \qquad
          \Delta = \frac{1 - \bar\alpha_t}{\sqrt{\bar\alpha_t}} g_x + \text{an ascent of } F

through the port of the prediction, and then the step is repeated (``recurrence``).

Official code (arpitbansal297/Universal-Guided-Diffusion): Adam for the ascent; the guided x̂_0 is clamped,
also in forward mode (``clamp``); forward mode hands the network the respaced index, so that it is right only
without respacing; logits are summed over the batch; where the loss is low, the ascent rests (``rest``). TFG's
re-implementation ascends along the plain gradient from x̂_0 and clamps nothing after (``adam=false``).

``estimator=clip_x0`` is this without ascent, clamp and recurrence: how chains were guided before encoders
learnt to read noise. Under DDPM, its gradient enters as the mean shift.

Cost: one forward and one pull of the prior, 1 + ``inner`` passes of the guide, for each turn. Any sampler.
"""

import math

import torch
from torch import Tensor

from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.estimators.ascent import Adam
from sdg.estimators.estimator import Estimator, Found, Here, pulled


class Universal(Estimator):
    """Forward and backward guidance.

    Args:
        strength: of the forward guidance; 0: none, and no gradient through the prior.
        inner: steps of the backward guidance.
        rate: length of these: Adam's learning rate or, without it, the factor of the gradient.
        adam: whether Adam takes them.
        clamp: clamp the guided x̂_0 to [-1, 1].
        clamped: whether F is taken of x̂_0 as the prior clamps it; no gradient passes where that bites.
        bounded: whether an ascent without Adam begins at x̂_0 clamped to [-1, 1]; with Adam, every step does.
        rest: the F from which on Adam's steps leave a sample where it is.
    """

    reads = "clean"

    def __init__(
        self,
        strength: float = 1.0,
        inner: int = 0,
        rate: float = 0.01,
        adam: bool = True,
        clamp: bool = True,
        clamped: bool = False,
        bounded: bool = True,
        rest: float = math.inf,
        recurrence: Recurrence | None = None,
    ):
        super().__init__(recurrence)
        self.strength, self.inner, self.rate, self.adam = strength, inner, rate, adam
        self.clamp, self.clamped, self.pulls = clamp, clamped, bool(strength)
        self.bounded, self.rest = bounded, rest

    def find(self, here: Here) -> Found:
        nothing = torch.zeros_like(here.look.x_t)
        gradient = pulled(here, self.clamped).gradient if self.pulls else nothing
        return gradient, self._ascend(here, gradient) if self.inner else nothing

    def push(self, found: Found, here: Here) -> Push:
        gradient, shift = found
        guided = here.sampler.guide(here.look.prediction, self.strength * gradient, here.look.step)
        if self.inner:
            guided = guided._replace(x0=guided.x0 + shift)
        if self.clamp:
            moved = ((gradient != 0) | (shift != 0)).flatten(1).any(dim=1)[:, None, None, None]
            guided = guided._replace(x0=torch.where(moved, guided.x0.clamp(-1, 1), guided.x0))
        return Push(guided)

    def _ascend(self, here: Here, gradient: Tensor) -> Tensor:
        """How far the backward guidance moves x̂_0; 0 where F is flat, as it is for an unguided sample."""
        look, score = here.look, here.score
        if self.adam:
            x0 = here.sampler.guide(look.prediction, self.strength * gradient, look.step).x0
        else:
            x0 = look.free.x0.clamp(-1, 1) if self.bounded else look.free.x0
        begun, flat, adam = x0, torch.tensor(True, device=x0.device), Adam(self.rate)
        for _ in range(self.inner):
            x0 = x0.clamp(-1, 1) if self.adam else x0
            value, rise = score.rise(x0, look.step.level)
            uphill = score.limit(rise)
            if self.adam:
                x0 = x0 + torch.where((value < self.rest)[:, None, None, None], adam(uphill), 0)
            else:
                x0 = x0 + self.rate * uphill
            flat = flat & (uphill == 0).flatten(1).all(dim=1)
        return torch.where(flat[:, None, None, None], 0, x0 - begun)
