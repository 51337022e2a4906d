"""Which dose of an arm to take, and which arms no other beats."""

from collections.abc import Sequence

from experiments.front.arms import Way
from experiments.grid import SPREAD_TO_KEEP, Point

RIGHT, TORN, DRIFT = "torn/right", "torn", "drift/all"
"""What is right counts in pictures that are not torn: :class:`~experiments.matched.Redrawn`."""
CLOSE = 0.05
CRITERION = (
    f"among the doses that keep {SPREAD_TO_KEEP:g} of the nuisances' spread, or all if none does, those "
    f"within {CLOSE:g} of the most that is right in pictures that are not torn; of these, the one that tears "
    "least"
)
"""Settled before the ladder of :data:`~experiments.front.arms.RUNGS` was drawn; what :func:`choose` does."""


def choose(points: Sequence[Point[Way]]) -> Point[Way]:
    """The best dose of an arm, by :data:`CRITERION`; of equals, the first."""
    wide = [point for point in points if point.value("spread/all") >= SPREAD_TO_KEEP] or points
    most = max(point.value(RIGHT) for point in wide)
    return min((p for p in wide if p.value(RIGHT) >= most - CLOSE), key=lambda p: p.value(TORN))


def front(points: Sequence[Point[Way]]) -> list[Point[Way]]:
    """Those that no other is better than in what is right and no worse in cost, the cheapest first."""
    kept: list[Point[Way]] = []
    for point in sorted(points, key=lambda p: (p.way.cost, -p.value(RIGHT))):
        if not kept or point.value(RIGHT) > kept[-1].value(RIGHT):
            kept.append(point)
    return kept


def undominated(points: Sequence[Point[Way]]) -> list[Point[Way]]:
    """Those that no other is at least as good as in what is right, in drift and in what is torn, and better
    in one of them."""
    scores = [(-p.value(RIGHT), p.value(DRIFT), p.value(TORN)) for p in points]

    def beaten(own: tuple[float, ...]) -> bool:
        return any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in scores)

    return [point for point, own in zip(points, scores, strict=True) if not beaten(own)]
