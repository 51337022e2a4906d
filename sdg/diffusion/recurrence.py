r"""Recurrence: taking a step several times, each time from a state noised anew ("time travel").

After a step x_t -> x_s, the state goes back by one forward step of the respaced chain,

.. math:: x_t \leftarrow \frac{\alpha_t}{\alpha_s} x_s + \sqrt{\beta_t}\, z

which gives guidance another chance while what it got wrong is drowned in noise (Lugmayr et al. 2022; FreeDoM,
Yu et al. 2023; Universal Guidance, Bansal et al. 2023).
"""

from torch import Tensor

from sdg.diffusion.timeline import Step, Timeline
from sdg.errors import SDGError


class Recurrence:
    """``turns`` turns while start <= progress <= stop, one elsewhere.

    Args:
        turns: how often a step is taken.
        start, stop: progress from 0, the noisiest timestep, to 1, timestep 0.

    Raises:
        SDGError: no turns, or an empty window.
    """

    def __init__(self, turns: int = 1, start: float = 0.0, stop: float = 1.0):
        if not isinstance(turns, int) or turns < 1:
            raise SDGError(f"recurrence.turns={turns} is no number of turns: use 1 (no recurrence) or more")
        if not 0 <= start < stop <= 1:
            raise SDGError(f"a recurrence from {start} to {stop} is empty: use 0 <= start < stop <= 1")
        self.turns, self.start, self.stop = turns, start, stop

    def __call__(self, step: Step) -> int:
        """How often ``step`` is taken."""
        return self.turns if not step.corrects and self.start <= step.level.progress <= self.stop else 1

    def check(self, timeline: Timeline) -> None:
        """Raises SDGError if it would act at no step of ``timeline``."""
        if self.turns > 1 and not any(self(step) > 1 for step in timeline):
            raise SDGError(
                f"a recurrence from {self.start} to {self.stop} meets none of the chain's {len(timeline)} "
                "steps: widen it, or use recurrence.turns=1"
            )


def back(x_s: Tensor, step: Step, noise: Tensor) -> Tensor:
    """x_s, all (B, C, H, W), noised back to the level of x_t."""
    return step.alpha / step.alpha_s * x_s + step.beta**0.5 * noise
