r"""NDTM, nonlinear diffusion trajectory matching: control of each step (Pandey et al., ICML 2025).

Before a step, M steps of Adam find a control u that minimises, for each sample,

.. math:: w_s \lVert \hat\epsilon(x_t) - \hat\epsilon(x_t + \gamma u) \rVert^2
          + w_c \gamma^2 \lVert \gamma u \rVert^2 - w_T F(D(x_t + \gamma u))

and the whole step is taken from x_t + γu: another state, with a look of its own. The first term is a region
of trust that no other method here has. As a step of DDIM has it, w_s = (√(1-ᾱ_s-n²) - √ᾱ_s σ/a)² and
w_c = α, with n the deviation of its noise.

Official code (czi-ai/oc-guidance): γ enters to the fourth power, as above; M + 3 forwards where M + 1 are
enough, since one is made twice, and another again after. Some of its published settings have w_s = w_c = 0,
others those of DDIM; its ``ddpm``, of the chain before it is respaced, is a weight of one's own here.

Cost: M + 1 forwards and M pulls of the prior, M passes of the guide. Any sampler.
"""

from typing import Literal

import torch
from torch import Tensor

from sdg.diffusion.look import Look
from sdg.diffusion.pilot import Push
from sdg.diffusion.recurrence import Recurrence
from sdg.diffusion.sampler import Sampler, spread
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.estimators.ascent import Adam
from sdg.estimators.dps import at
from sdg.estimators.estimator import Estimator, Found, Here
from sdg.guidance.weight import Weight


class Control(Estimator):
    """Takes each step from another state, found by descent through the prior.

    Args:
        inner: M.
        rate: Adam's learning rate; with ``fade``, it falls to 0 linearly over the chain.
        terminal: w_T.
        reach: γ.
        trust, effort: w_s and w_c: ``ddim``, or a number or function of the noise level.
        warm: whether each control begins as the one before it; the first begins as 0.
        clamp: clamp x̂_0 of the controlled state to [-1, 1], whatever the prior does, and keep its ε̂.

    Raises:
        SDGError: an unknown w_s or w_c, or no inner steps.
    """

    reads = "clean"
    pulls = True

    def __init__(
        self,
        inner: int = 2,
        rate: float = 0.01,
        fade: bool = True,
        terminal: float = 1.0,
        reach: float = 1.0,
        trust: Literal["ddim"] | float | Weight = "ddim",
        effort: Literal["ddim"] | float | Weight = "ddim",
        warm: bool = False,
        clamp: bool = False,
        recurrence: Recurrence | None = None,
    ):
        super().__init__(recurrence)
        for name, given in (("trust", trust), ("effort", effort)):
            if isinstance(given, str) and given != "ddim":
                raise SDGError(f"estimator.{name}={given} is unknown: use ddim, or a number (0: none)")
        if not isinstance(inner, int) or inner < 1:
            raise SDGError(f"estimator.inner={inner} controls nothing: use 1 or more")
        self.inner, self.rate, self.fade, self.terminal = inner, rate, fade, terminal
        self.reach, self.trust, self.effort, self.warm, self.clamp = reach, trust, effort, warm, clamp
        self.steps = 1

    def fit(self, sampler: Sampler, timeline: Timeline) -> None:
        super().fit(sampler, timeline)
        self.steps = len(timeline)

    def find(self, here: Here) -> Found:
        step, base = here.look.step, here.look.free.eps(here.look.x_t, here.look.step)
        trust, small = self._weights(here)
        warm = self.warm and here.before is not None
        control = here.before[0] if warm and here.before else torch.zeros_like(here.look.x_t)
        done = 1 - (step.index + 1) / self.steps
        adam = Adam(self.rate * (1 - done) if self.fade else self.rate)
        for i in range(self.inner):
            # At no control, the look that the step began with is the one that is needed.
            look = here.look if not (i or warm) else here.look.again(self._moved(here, control), graph=True)
            bound, seen = self._bounded(look)
            uphill = self.terminal * here.score.rise(seen, step.level).gradient * bound
            astray = 2 * trust * (base - look.free.eps(look.x_t, step))
            # ε̂ = (x - a x̂_0)/σ: one way back leads through the prior, the other past it.
            through = uphill - step.alpha / step.sigma * astray
            at_state = here.score.limit(look.pull(free=through)) + astray / step.sigma
            control = control + adam(self.reach * at_state - 2 * small * self.reach**4 * control)
        return (control,)

    def push(self, found: Found, here: Here) -> Push:
        (control,), step = found, here.look.step
        look = here.look.again(self._moved(here, control))
        if not self.clamp:
            return Push(look.prediction, x_t=look.x_t)
        x0 = self._bounded(look)[1]
        return Push(look.prediction._replace(x0=x0), x_t=look.x_t + step.alpha * (x0 - look.free.x0))

    def _moved(self, here: Here, control: Tensor) -> Tensor:
        return here.look.x_t + self.reach * control

    def _bounded(self, look: Look) -> tuple[Tensor, Tensor]:
        """Where x̂_0 is within its bounds, 1 or 0, and x̂_0 within them."""
        if self.clamp or look.denoiser.clip:
            return (look.free.x0.abs() <= 1).to(look.x_t.dtype), look.free.x0.clamp(-1, 1)
        return torch.ones_like(look.x_t), look.free.x0

    def _weights(self, here: Here) -> tuple[float | Tensor, float]:
        """w_s, one number or (B, C, H, W), and w_c."""
        step = here.look.step
        trust = self._of_ddim(here) if isinstance(self.trust, str) else at(self.trust, step.level)
        return trust, 1 - step.beta if isinstance(self.effort, str) else at(self.effort, step.level)

    def _of_ddim(self, here: Here) -> Tensor:
        step = here.look.step
        variance = 0.0 if step.last else spread(here.sampler, here.look.prediction, step).square()
        kept = torch.as_tensor(step.sigma_s**2 - variance).clamp(min=0).sqrt()
        odds = step.alpha_s * step.sigma / step.alpha
        return (kept - odds).square()
