r"""DPS, diffusion posterior sampling (Chung et al., arXiv 2209.14687).

.. math:: x_s \leftarrow x_s + \zeta\, g_x, \qquad g_x = \nabla_{x_t} F(D(x_t))

through the port of the state, at every step, the last one included.

Official code (DPS2022/diffusion-posterior-sampling): F = -‖y - A(x̂_0)‖, with the norm taken over the whole
batch, so that a sample depends on its neighbours; here F has one number per sample. Where the paper's step is
on the squared norm, the code's is on the norm. TFG's re-implementation divides the gradient by |F|
(``relative``) and has no floor, so that it becomes infinite where F approaches 0; here there is one.

The total push grows with the number of steps, so ζ belongs to a sampler. With a deterministic sampler nothing
corrects what overshoots.

Cost: one forward and one pull of the prior, one pass of the guide. Any sampler.
"""

from torch import Tensor

from sdg.diffusion.level import Level
from sdg.diffusion.look import Look
from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.estimators.dose import Dose
from sdg.estimators.estimator import Estimator, Found, Here, pulled
from sdg.guidance.weight import Weight

FLOOR = 1e-6
"""The least |F| that a gradient is divided by."""


class DPS(Estimator):
    """Shifts x_s by the gradient through the prior.

    Args:
        strength: ζ, a number or a function of the noise level.
        dose: how long the shift may be, in units of what x̂_0's own shift of relative dose 1 would do to the
            ancestral mean; None: as it comes.
        clamped: whether F is taken of x̂_0 as the prior clamps it; no gradient passes where that bites.
        relative: whether the gradient is divided by |F|.
    """

    reads = "clean"
    pulls = True

    def __init__(
        self,
        strength: float | Weight = 1.0,
        dose: Dose | None = None,
        clamped: bool = True,
        relative: bool = False,
        recurrence: Recurrence | None = None,
    ):
        super().__init__(recurrence)
        self.strength, self.dose, self.clamped, self.relative = strength, dose, clamped, relative

    def find(self, here: Here) -> Found:
        value, gradient = pulled(here, self.clamped)
        if self.relative:
            gradient = gradient / value.abs().clamp(min=FLOOR)[:, None, None, None]
        return (gradient,)

    def push(self, found: Found, here: Here) -> Push:
        return shifted(here.look, found[0], self.strength, self.dose)


def shifted(look: Look, gradient: Tensor, strength: float | Weight, dose: Dose | None) -> Push:
    """x_s moved along a gradient at x_t."""
    shift = at(strength, look.step.level) * gradient
    return Push(shift=shift if dose is None else dose(shift, look.step.c1 * look.loudness, gradient))


def at(strength: float | Weight, level: Level) -> float:
    """A strength at a noise level."""
    return strength.at(level) if isinstance(strength, Weight) else strength
