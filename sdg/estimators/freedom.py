r"""FreeDoM, training-free energy-guided diffusion (Yu et al., arXiv 2303.09833).

.. math:: x_s \leftarrow x_s + \kappa\, u\, \frac{g_x}{\mathrm{rms}(g_x)}, \qquad
          u = c_1 \frac{\sigma}{a}\,\mathrm{rms}(\hat\epsilon)

through the port of the state, with x̂_0 not clamped where F reads it; where guidance has most to decide,
steps are repeated ("time travel").

Official code (vvictoryuki/FreeDoM): κ = 0.02 in 100 steps, ten turns where 500 <= t <= 800 for ImageNet, none
for faces; rms over the whole batch and without a floor. Its face scripts use the raw gradient times √ᾱ ρ and
a sampler of their own, whose noise is half of √(1-ᾱ_s) whatever the step. CLIP's embeddings are compared by
the distance of their unnormalised vectors.

Since the dose is relative, F's scale does not matter, and it goes on pushing where F is satisfied.

Cost: one forward and one pull of the prior, one pass of the guide, for each turn. Any sampler.
"""

from sdg.diffusion.recurrence import Recurrence
from sdg.estimators.dose import Relative
from sdg.estimators.dps import DPS


class FreeDoM(DPS):
    """DPS with an unclamped x̂_0, a relative dose and recurrence.

    Args:
        size: κ.
    """

    def __init__(self, size: float = 0.02, recurrence: Recurrence | None = None):
        super().__init__(dose=Relative(size), clamped=False, recurrence=recurrence)
