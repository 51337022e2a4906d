r"""DSG, diffusion with spherical Gaussian constraint (Yang et al., arXiv 2402.03201).

With m and √v z the mean and the noise of a step, R the length that the noise has almost surely, and w a
share,

.. math:: x_s = m + R \frac{d'}{\lVert d' \rVert}, \qquad d' = \sqrt v z + w\,(d^* - \sqrt v z), \qquad
          d^* = R \frac{g_x}{\lVert g_x \rVert}

through the port of the noise: x_s stays on the sphere where the prior expects it, so that one w serves all
tasks.

Official code (LingxiaoYang2023/DSG2024): only right for a batch of one; the deviation of the first pixel
stands for all of a learned variance; the graph of the prior is built at guided and unguided steps alike; F is
guided at every ``interval``-th step, which here is a weight of F.

Cost: one forward and one pull of the prior, one pass of the guide. A sampler that adds noise.
"""

from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.estimators.estimator import Estimator, Found, Here, pulled
from sdg.estimators.ports import turned


class DSG(Estimator):
    """Turns the noise of a step towards the gradient through the prior.

    Args:
        share: w, from 0, the plain step, to 1, no chance left.
        clamped: whether F is taken of x̂_0 as the prior clamps it; no gradient passes where that bites.
    """

    reads = "clean"
    pulls = True
    turns_noise = True

    def __init__(self, share: float = 0.15, clamped: bool = True, recurrence: Recurrence | None = None):
        super().__init__(recurrence)
        self.share, self.clamped = share, clamped

    def find(self, here: Here) -> Found:
        return (pulled(here, self.clamped).gradient,)

    def push(self, found: Found, here: Here) -> Push:
        return turned(here, found[0], self.share)
