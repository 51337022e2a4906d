r"""SDG: the gradient of a guide that reads x_t itself (Liu et al., arXiv 2112.05744), the default.

.. math:: \hat x_0 \leftarrow \hat x_0 + \Delta, \qquad \Delta = \frac{\Sigma}{c_1} g_E
          \quad\text{or}\quad \frac{1 - \bar\alpha_t}{\sqrt{\bar\alpha_t}} g_E

through the port of the prediction: the mean shift under DDPM, the score correction under other samplers
(:meth:`Sampler.guide`). The released code has no limit on the length of g_E, which has spikes: with the
shipped toy encoder, 1.7 % of gradients are over five times the median of their step, and the worst moves ε̂
by its own length. ``estimator=sdg_clamped`` limits each sample's relative dose, and only bites there.

Cost: one forward of the prior, one pass of the guide, which may run side by side. Any sampler.
"""

from typing import Literal

from torch import Tensor

from sdg.diffusion.level import Level
from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.estimators.dose import Dose
from sdg.estimators.estimator import Estimator, Found, Here
from sdg.estimators.ports import chosen, predicted, transported


class SDG(Estimator):
    """Guidance by the gradient at x_t.

    Args:
        dose: how long the shift of x̂_0 may be; None: as it comes.
        port: where it enters: ``prediction``, or ``transport``, which moves x_t along.
    """

    reads = "noisy"
    apart = True

    def __init__(
        self,
        dose: Dose | None = None,
        port: Literal["prediction", "transport"] = "prediction",
        recurrence: Recurrence | None = None,
    ):
        super().__init__(recurrence)
        self.dose, self.port = dose, chosen(port)

    def level(self, here: Here) -> Level:
        return _place(here)[1]

    def find(self, here: Here) -> Found:
        return (here.score.limit(here.score.rise(*_place(here)).gradient),)

    def push(self, found: Found, here: Here) -> Push:
        (gradient,) = found
        guided = here.sampler.guide(here.look.prediction, gradient, here.look.step)
        if self.dose is None and self.port == "prediction":
            return Push(guided)
        shift = guided.x0 - here.look.prediction.x0
        shift = shift if self.dose is None else self.dose(shift, here.look.loudness, gradient)
        return (predicted if self.port == "prediction" else transported)(here.look, shift)


def _place(here: Here) -> tuple[Tensor, Level]:
    """The state that F is asked of, and its noise level."""
    return here.sampler.guided_at(here.look)
