"""What happened to the samples of a group, step by step."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sdg.diffusion.process import Moment
from sdg.guidance.score import Said
from sdg.pixels import to_bytes


class Trace:
    """Records every step of a group; nothing leaves the device until it is requested.

    Args:
        every: keep the predicted clean images of the last step and every ``every``-th before; 0 keeps none.
        decode: clean states to pictures, (B, 3, S, S) about [-1, 1].
    """

    def __init__(self, every: int = 0, decode: Callable[[Tensor], Tensor] = lambda states: states):
        self.every, self.decode = every, decode
        self.t: list[float] = []
        self.clipped: list[Tensor] = []
        self.guided: list[tuple[int, Said]] = []
        self.views: list[Tensor] = []

    def __call__(self, moment: Moment, said: Said | None = None) -> None:
        """Record a step taken, and what guidance said of it, if it was asked."""
        if said is not None:
            self.guided.append((len(self.t), said))
        self.t.append(moment.step.t)
        x0 = moment.prior.x0
        self.clipped.append((x0.abs() >= 1).float().mean(dim=(1, 2, 3)))
        if self.every and moment.step.index % self.every == 0:
            self.views.append(to_bytes(self.decode(x0)))

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order, and with what was recorded of them."""
        self.clipped = [clipped[rows] for clipped in self.clipped]
        self.views = [view[rows] for view in self.views]
        self.guided = [
            (i, Said(said.level, {name: score[rows] for name, score in said.scores.items()}, said.rms[rows]))
            for i, said in self.guided
        ]

    def records(self) -> list[dict]:
        """For each sample its numbers, each as a list over steps.

        ``clipped`` is the share of x̂_0's values at the bounds of [-1, 1]. ``guided`` has the timesteps at
        which the gradient was computed, and for these its rms and the scores by term.
        """
        records: list[dict] = [{"t": self.t, "clipped": row} for row in _by_sample(self.clipped)]
        if self.guided:
            rms = _by_sample([said.rms for _, said in self.guided])
            names = self.guided[0][1].scores
            scores = {name: _by_sample([said.scores[name] for _, said in self.guided]) for name in names}
            for i, record in enumerate(records):
                record["guided"] = {
                    "t": [said.level.t for _, said in self.guided],
                    "gradient_rms": rms[i],
                    "scores": {name: rows[i] for name, rows in scores.items()},
                }
        return records

    def lost(self) -> list[int | None]:
        """For each sample the step, counted from 1, at which its gradient was first not finite, or None."""
        if not self.guided:
            return [None] * len(self.clipped[0])
        finite = torch.stack([said.rms.isfinite() for _, said in self.guided]).T.tolist()
        return [None if all(row) else self.guided[row.index(False)][0] + 1 for row in finite]

    def strips(self) -> list[Tensor | None]:
        """For each sample its predicted clean images side by side, (3, S, n S) uint8 on the CPU."""
        if not self.views:
            return [None] * len(self.clipped[0])
        return list(torch.cat(self.views, dim=3).cpu())


def _by_sample(steps: Sequence[Tensor]) -> list[list[float]]:
    """(B,) values per step -> for each sample a list over steps, rounded to four digits."""
    rows = torch.stack(list(steps)).T.tolist()
    return [[float(f"{value:.4g}") for value in row] for row in rows]
