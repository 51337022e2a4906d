r"""The update of Spectral Guidance (Moreira et al., ICML 2026), for any F that reads x_t.

.. math:: x_t \leftarrow x_t + s\,\sigma\, g\, \frac{\mathrm{clamp}(\lVert g \rVert, l, h)}{\lVert g \rVert},
          \qquad g = \frac{\nabla_{x_t} F}{F}

with ε̂ as it was before the move: the port of the transport. Published with F = c_t · φ(x_t, t)/‖φ‖, φ
whitened features learned from images alone and c_t the mean of φ(x_t, t) h(x_0) over reference images; here F
is whatever guidance says, for example the cosine of E'_I and a sentence.

Official code (gabmoreira/spectralguidance): l and h bound the Euclidean norm, so that they depend on the
number of pixels; where F < 0, its ∇F/F points away from the target, so here it is ∇F/|F|, with a floor
(``signed``); x̂_0 is clamped after it has moved (``clamp``); the loop runs only where CUDA is.

Cost: one forward of the prior, one pass of the guide. Any sampler.
"""

import torch

from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.errors import SDGError
from sdg.estimators.estimator import Estimator, Found, Here
from sdg.estimators.ports import transported

FLOOR = 1e-6
"""The least |F| that a gradient is divided by."""


class Spectral(Estimator):
    """Moves x_t along ∇ log |F| by a clamped length.

    Args:
        strength: s.
        low, high: l and h.
        clamp: clamp the moved x̂_0 to [-1, 1].
        signed: divide by F and not by |F|, as the official code does: away from the target where F < 0.
    """

    reads = "noisy"

    def __init__(
        self,
        strength: float = 10.0,
        low: float = 0.1,
        high: float = 0.3,
        clamp: bool = False,
        signed: bool = False,
        recurrence: Recurrence | None = None,
    ):
        super().__init__(recurrence)
        if not 0 <= low <= high:
            raise SDGError(f"a clamp from low={low} to high={high} is empty: use 0 <= low <= high")
        self.strength, self.low, self.high = strength, low, high
        self.clamp, self.signed = clamp, signed

    def find(self, here: Here) -> Found:
        value, uphill = here.score.rise(here.look.x_t, here.look.step.level)
        size = value.abs().clamp(min=FLOOR)
        by = torch.where(value < 0, -size, size) if self.signed else size
        return (here.score.limit(uphill / by[:, None, None, None]),)

    def push(self, found: Found, here: Here) -> Push:
        (gradient,), look = found, here.look
        length = gradient.flatten(1).norm(dim=1)[:, None, None, None]
        wanted = self.strength * length.clamp(self.low, self.high)
        moved = torch.where(length > 0, wanted / torch.where(length > 0, length, 1), 0) * gradient
        shift = look.step.sigma / look.step.alpha * moved
        if self.clamp:
            bounded = (look.prediction.x0 + shift).clamp(-1, 1) - look.prediction.x0
            shift = torch.where(length > 0, bounded, 0)
        return transported(look, shift)
