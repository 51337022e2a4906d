"""SDG on the sphere: the gradient at x_t turns the noise of the step. Ours; the dose is DSG's (:mod:`.dsg`).

Cost: one forward of the prior, one pass of the guide. A stochastic sampler.
"""

from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.estimators.estimator import Estimator, Found, Here
from sdg.estimators.ports import turned


class SDGSphere(Estimator):
    """Guidance by the gradient at x_t, through the noise.

    Args:
        share: w, how far the noise is turned towards the gradient: 0 not at all, 1 all the way.
    """

    reads = "noisy"
    apart = True
    turns_noise = True

    def __init__(self, share: float = 0.15, recurrence: Recurrence | None = None):
        super().__init__(recurrence)
        self.share = share

    def find(self, here: Here) -> Found:
        return (here.score.limit(here.score.rise(here.look.x_t, here.look.step.level).gradient),)

    def push(self, found: Found, here: Here) -> Push:
        return turned(here, found[0], self.share)
