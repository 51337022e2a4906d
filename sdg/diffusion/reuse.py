"""Reuse: at which steps of a chain the prior is computed whole, and at which only its outer blocks."""

from typing import Literal

from sdg.diffusion.timeline import Step, Timeline
from sdg.errors import SDGError

Every = int | Literal["none", "auto"]
"""``sampler.reuse``."""
DECIDED, LATE = -1.0, 3
"""``auto`` computes every step whole up to this λ = log(α/σ), and from there on every so many."""


class Reuse:
    """Decides by the number of a step or its noise level alone: a picture never depends on its company.

    A step that is taken several times is one step, and so is one that corrects another: it is an evaluation
    of its own. The first is always whole.

    Args:
        every: whole at every so many steps; ``auto``: at every one until a picture's layout is decided, then
            at every third.
        blocks: how many outer blocks of the network are computed at every step.

    Raises:
        SDGError: not such a number.
    """

    def __init__(self, every: Every, blocks: int = 1):
        whole = isinstance(every, int) and not isinstance(every, bool) and every > 1
        if every != "auto" and not whole:
            raise SDGError(f"sampler.reuse={every} is unknown: use none, auto, or a number of steps from 2")
        self.every, self.blocks = every, blocks
        self._whole: frozenset[int] = frozenset()

    def fit(self, timeline: Timeline) -> None:
        """Get to know the chain before it is walked.

        Raises:
            SDGError: it has too few steps for anything to be used again.
        """
        if isinstance(self.every, int) and self.every > len(timeline):
            raise SDGError(
                f"sampler.reuse={self.every} is more than the chain's {len(timeline)} steps: "
                "use less, or none"
            )
        whole, used = set[int](), 0
        for step in timeline:
            if not used or used >= self._stretch(step):
                whole.add(step.index)
                used = 0
            used += 1
        self._whole = frozenset(whole)

    def whole(self, step: Step) -> bool:
        """Whether the network is computed whole at ``step``."""
        return step.index in self._whole

    def _stretch(self, step: Step) -> int:
        if isinstance(self.every, int):
            return self.every
        return 1 if step.level.log_snr < DECIDED else LATE


def reuse(every: Every | None, blocks: int = 1) -> Reuse | None:
    """What ``sampler.reuse`` and ``sampler.reuse_blocks`` say; None if nothing is used again."""
    return None if every in (None, "none") else Reuse(every, blocks)
