r"""Ancestral sampling (Ho et al. 2020; Nichol & Dhariwal 2021), guided by the paper's mean shift."""

import math
from typing import Literal

from torch import Tensor

from sdg.diffusion.denoiser import Prediction
from sdg.diffusion.level import Level
from sdg.diffusion.look import Look
from sdg.diffusion.sampler import Sampler, Taken
from sdg.diffusion.timeline import Step
from sdg.errors import SDGError


class DDPM(Sampler):
    r"""x_s = μ + Σ g + √Σ z, with μ = c1 x̂_0 + c2 x_t (the paper's update; z = 0 at the last step).

    .. math:: c_1 = \alpha_s (1 - e^{-2h}), \qquad c_2 = \frac{\sigma_s}{\sigma_t} e^{-h}, \qquad
              h = \lambda_s - \lambda_t

    which for a process that preserves the variance are β_t √ᾱ_s/(1-ᾱ_t) and (1-ᾱ_s) √α_t/(1-ᾱ_t).

    Args:
        variance: Σ if the network learned none: ``"large"`` = β_t or ``"small"`` = β̃_t. A learned variance
            interpolates log Σ between the two and overrides this choice.
        gradient_at: where g is evaluated: ``"x_t"``, as in the paper's code, or ``"mean"``, the textbook
            form, at μ and the noise level of x_s (Dhariwal & Nichol 2021, eq. 10).
    """

    def __init__(
        self, variance: Literal["large", "small"] = "small", gradient_at: Literal["x_t", "mean"] = "x_t"
    ):
        if variance not in ("large", "small"):
            raise SDGError(f"sampler.rule.variance={variance} is unknown: use large or small")
        if gradient_at not in ("x_t", "mean"):
            raise SDGError(f"sampler.rule.gradient_at={gradient_at} is unknown: use x_t or mean")
        self.fixed, self.gradient_at = variance, gradient_at

    def guided_at(self, look: Look) -> tuple[Tensor, Level]:
        if self.gradient_at == "mean":
            return self.mean(look.x_t, look.prediction, look.step), look.step.level_s
        return super().guided_at(look)

    def guide(self, prediction: Prediction, gradient: Tensor, step: Step) -> Prediction:
        # A gradient at x_t stands for one at x_s: of states of another scale, it has another length.
        scale = step.level.scale / step.level_s.scale if self.gradient_at == "x_t" else 1.0
        shift = self.variance(prediction, step) * gradient
        return prediction._replace(x0=prediction.x0 + shift / (step.c1 / scale))

    def step(
        self,
        x_t: Tensor,
        prediction: Prediction,
        step: Step,
        noise: Tensor,
        previous: Taken | None = None,
    ) -> Tensor:
        mean = self.mean(x_t, prediction, step)
        if step.last:
            return mean
        return mean + self.variance(prediction, step) ** 0.5 * noise

    def mean(self, x_t: Tensor, prediction: Prediction, step: Step) -> Tensor:
        """μ of p(x_s | x_t), (B, C, H, W)."""
        return step.c1 * prediction.x0 + step.c2 * x_t

    def variance(self, prediction: Prediction, step: Step) -> Tensor | float:
        """Σ, diagonal: (B, C, H, W) when learned, else one number."""
        fraction = prediction.variance_fraction
        if fraction is None:
            return math.exp(step.log_beta if self.fixed == "large" else step.log_beta_tilde)
        return (fraction * step.log_beta + (1 - fraction) * step.log_beta_tilde).exp()
