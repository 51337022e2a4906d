r"""LGD-MC, loss-guided diffusion with Monte Carlo (Song et al., ICML 2023).

.. math:: x_s \leftarrow x_s + \zeta\, \nabla_{x_t} \log \frac{1}{n} \sum_k \exp F(D(x_t) + r_t m_k),
          \qquad r_t = \sqrt{1 - \bar\alpha_t}

through the port of the state: DPS with F smoothed over the spread that the posterior of x_0 would have for a
standard normal prior. It only pays where F is curved at that scale.

There is no official program. TFG's version divides the gradient by n once more, so that its strength is n
times too small; InverseBench's averages gradients instead, which is not the gradient of f̃, and shares its
draws among the samples of a batch. Here each sample has its own draws.

Cost: one forward and one pull of the prior, n passes of the guide. Any sampler.
"""

from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.errors import SDGError
from sdg.estimators.dose import Dose
from sdg.estimators.dps import shifted
from sdg.estimators.estimator import Estimator, Found, Here, pulled
from sdg.estimators.smooth import smoothing
from sdg.guidance.weight import Weight


class LGD(Estimator):
    """Shifts x_s by the gradient, through the prior, of F smoothed.

    Args:
        draws: n.
        radius: r_t in units of √(1-ᾱ_t).
        strength, dose, clamped: as for :class:`~sdg.estimators.dps.DPS`.
    """

    reads = "clean"
    pulls = True

    def __init__(
        self,
        draws: int = 4,
        radius: float = 1.0,
        strength: float | Weight = 1.0,
        dose: Dose | None = None,
        clamped: bool = False,
        recurrence: Recurrence | None = None,
    ):
        super().__init__(recurrence)
        if not isinstance(draws, int) or draws < 1:
            raise SDGError(f"estimator.draws={draws} estimates nothing: use 1 or more")
        self.draws, self.radius, self.strength = draws, radius, strength
        self.dose, self.clamped = dose, clamped

    def find(self, here: Here) -> Found:
        smooth = smoothing(here, self.draws, self.radius)
        return (pulled(here, self.clamped, smooth).gradient,)

    def push(self, found: Found, here: Here) -> Push:
        return shifted(here.look, found[0], self.strength, self.dose)
