"""The share of a plan that each process draws."""

from collections.abc import Collection, Iterator

from sdg.sampling.plan import PlanEntry, SamplePlan


class PlanShard:
    """What is left to draw, split by entry number: process r of n draws the entries r, r + n, r + 2n, …

    Nothing is padded or drawn twice, and a process's entries do not depend on what others have done.

    Args:
        done: ids that need not be drawn.
        batch_size: entries per batch of one process.
    """

    def __init__(self, plan: SamplePlan, done: Collection[int], batch_size: int):
        self.plan, self.done, self.batch_size = plan, frozenset(done), batch_size

    def left(self, rank: int = 0, processes: int = 1) -> list[int]:
        """Numbers of the entries that one process still has to draw."""
        return [i for i in range(rank, len(self.plan), processes) if self.plan.id(i) not in self.done]

    def batches(self) -> Iterator[list[PlanEntry]]:
        """The batches of a process that draws all of it."""
        left = self.left()
        for start in range(0, len(left), self.batch_size):
            yield [self.plan[i] for i in left[start : start + self.batch_size]]
