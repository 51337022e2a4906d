r"""TFG, a unified framework of training-free guidance (Ye et al., arXiv 2409.15761).

.. math:: \Delta_t = \rho_t \nabla_{x_t} \tilde f(D(x_t)), \qquad
          \Delta_0: x \leftarrow x + \mu_t \nabla \tilde f(x) \text{ from } \hat x_0, \text{ N times}

.. math:: x_s = \mathrm{step}(x_t, \hat x_0) + \Delta_t/\sqrt\alpha + \sqrt{\bar\alpha_s}\,\Delta_0

with f̃ smoothed over noise of radius σ̄ √(1-ᾱ_t), or σ̄: the ports of the state and of the transport, and
recurrence. ρ alone is DPS without norms; with a radius, LGD; μ alone is MPGD.

ρ_t = ρ̄ s(t)/mean(s) over the chain, s = α (``increase``), 1 - α (``decrease``) or 1; likewise μ_t.

Official code (YWolfeee/Training-Free-Guidance): defaults ρ̄ = μ̄ = 1, N = 1, n = 4, while the published
settings have n = 1, N = 4 and ρ̄, μ̄ from 0.25 to 8 for each task; its rescaling of gradients does nothing
for pictures; its own baselines run the prior two or three times a step, where once is enough.

Cost: one forward and one pull of the prior, (1 + N) n passes of the guide, for each turn. Any sampler.
"""

from collections.abc import Callable
from typing import Literal

import torch

from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Step, Timeline
from sdg.errors import SDGError
from sdg.estimators.estimator import Estimator, Found, Here, pulled
from sdg.estimators.smooth import smoothing

Schedule = Literal["increase", "decrease", "constant"]
SCHEDULES: dict[str, Callable[[Step], float]] = {
    "increase": lambda step: 1 - step.beta,
    "decrease": lambda step: step.beta,
    "constant": lambda step: 1.0,
}


class TFG(Estimator):
    """Shifts x_s by a gradient through the prior and x̂_0 by several without.

    Args:
        rho, mu: ρ̄ and μ̄; 0 leaves that part out, and with it the gradient through the prior.
        inner: N, steps from x̂_0.
        draws, radius: n and σ̄ of the smoothing; a radius of 0 draws nothing.
        rho_schedule, mu_schedule: how they change along the chain.
        radius_schedule: ``decrease``, with the noise in x_t, or ``constant``.

    Raises:
        SDGError: an unknown schedule, or no draws for a radius.
    """

    reads = "clean"

    def __init__(
        self,
        rho: float = 1.0,
        mu: float = 1.0,
        inner: int = 4,
        draws: int = 1,
        radius: float = 0.1,
        rho_schedule: Schedule = "increase",
        mu_schedule: Schedule = "increase",
        radius_schedule: Literal["decrease", "constant"] = "decrease",
        recurrence: Recurrence | None = None,
    ):
        super().__init__(recurrence)
        for name in (rho_schedule, mu_schedule):
            if name not in SCHEDULES:
                raise SDGError(f"the schedule {name} is unknown: use {', '.join(SCHEDULES)}")
        if radius_schedule not in ("decrease", "constant"):
            raise SDGError(f"the schedule {radius_schedule} of a radius is unknown: use decrease, constant")
        if radius and draws < 1:
            raise SDGError(f"estimator.draws={draws} smoothes nothing: use 1 or more, or radius=0")
        self.rho, self.mu, self.inner, self.pulls = rho, mu, inner, bool(rho)
        self.draws, self.radius, self.fixed = draws, radius, radius_schedule == "constant"
        self.shapes = {"rho": SCHEDULES[rho_schedule], "mu": SCHEDULES[mu_schedule]}
        self.means = {"rho": 1.0, "mu": 1.0}

    def fit(self, sampler: Sampler, timeline: Timeline) -> None:
        super().fit(sampler, timeline)
        self.means = {
            name: sum(shape(step) for step in timeline) / len(timeline) for name, shape in self.shapes.items()
        }

    def find(self, here: Here) -> Found:
        start, level = here.look.prediction.x0, here.look.step.level
        sigma = here.look.step.sigma
        smooth = smoothing(here, self.draws, self.radius / sigma if self.fixed else self.radius)
        through = inside = torch.zeros_like(start)
        if self.rho:
            through = pulled(here, True, smooth).gradient
        if self.mu:
            x0, mu = start, self._at("mu", here.look.step)
            for _ in range(self.inner):
                x0 = x0 + mu * here.score.limit(smooth(x0, level).gradient)
            inside = x0 - start
        return through, inside

    def push(self, found: Found, here: Here) -> Push:
        (through, inside), step = found, here.look.step
        ahead = self._at("rho", step) / (1 - step.beta) ** 0.5
        return Push(shift=ahead * through + step.alpha_s * inside)

    def _at(self, name: str, step: Step) -> float:
        return getattr(self, name) * self.shapes[name](step) / self.means[name]
