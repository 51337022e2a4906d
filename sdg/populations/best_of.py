"""Best of K: the chain whose finished picture has the highest F. What every other population must beat.

Cost: K chains, and K passes of the guide without a gradient at the end. Any sampler.
"""

from torch import Tensor

from sdg.diffusion.process import Moment
from sdg.diffusion.sampler import Sampler
from sdg.guidance.score import Score
from sdg.populations.population import Crowd, Population, Selection


class BestOf(Population):
    """K chains that do not know of each other."""

    parts = False

    def over(self, score: Score, sampler: Sampler, crowd: Crowd) -> Selection:
        return Unmoved(score, crowd, self.particles)


class Unmoved(Selection):
    """Chooses at the end only."""

    def __call__(self, moment: Moment) -> Tensor | None:
        return None
