r"""Heun's rule (Karras et al. 2022, arXiv 2206.00364, algorithm 2), guided by score correction."""

import math

from torch import Tensor

from sdg.diffusion.denoiser import Prediction
from sdg.diffusion.level import Level
from sdg.diffusion.sampler import Correct, Sampler, Taken, correct_score
from sdg.diffusion.timeline import Step
from sdg.errors import SDGError


class Heun(Sampler):
    r"""Second order from two looks at the prior for each step, so 2n - 1 in n steps.

    In y = x/α and τ = σ/α, in which the probability flow is dy = ε dτ, Euler's step and its correction by the
    ε found at its end, a step of the timeline each:

    .. math:: y_s = y_t + (\tau_s - \tau_t)\, \epsilon_t, \qquad
              y_s \leftarrow y_s + \frac{\tau_s - \tau_t}{2} (\epsilon_s - \epsilon_t)

    With ``churn``, the corrected state is noised up to τ_s (1 + γ), from where the next step begins,

    .. math:: \gamma = \min(\text{churn}/n, \sqrt 2 - 1) \quad\text{where low} \le \tau_s \le \text{high}.

    The noisiest state is not: there is no more noise in the prior's schedule.

    Args:
        churn: S_churn; 0 is deterministic.
        low, high: S_tmin and S_tmax.
        noise: S_noise, the deviation of the noise that is added.
    """

    def __init__(self, churn: float = 0.0, low: float = 0.0, high: float = math.inf, noise: float = 1.0):
        if not churn >= 0:
            raise SDGError(f"sampler.rule.churn={churn} is negative: use 0 (deterministic) or for example 20")
        if not 0 <= low < high:
            raise SDGError(f"churn from low={low} to high={high} is empty: use 0 <= low < high")
        if not noise > 0:
            raise SDGError(f"sampler.rule.noise={noise} is no deviation: use 1, or a little more")
        self.churn, self.low, self.high, self.noise = churn, low, high, noise

    @property
    def stochastic(self) -> bool:
        return self.churn > 0

    @property
    def parts(self) -> bool:
        return False

    @property
    def correct(self) -> Correct:
        return self._louder

    def guide(self, prediction: Prediction, gradient: Tensor, step: Step) -> Prediction:
        return correct_score(prediction, gradient, step)

    def step(
        self,
        x_t: Tensor,
        prediction: Prediction,
        step: Step,
        noise: Tensor,
        previous: Taken | None = None,
    ) -> Tensor:
        eps = prediction.eps(x_t, step)
        if not step.corrects:  # without y, which is the difference of large numbers where α is small
            return step.alpha_s * prediction.x0 + step.sigma_s * eps
        y, tau, tau_s = x_t / step.alpha, step.sigma / step.alpha, step.sigma_s / step.alpha_s
        if previous is not None:
            length = tau - previous.step.sigma / previous.step.alpha
            y = y + length / 2 * (eps - previous.prediction.eps(previous.x_t, previous.step))
        if tau_s > tau:
            y = y + self.noise * (tau_s**2 - tau**2) ** 0.5 * noise
        return step.alpha_s * y

    def _louder(self, level: Level, steps: int) -> float:
        """1 + γ."""
        within = self.low <= level.sigma / level.alpha <= self.high
        return 1 + min(self.churn / steps, 2**0.5 - 1) if within else 1.0
