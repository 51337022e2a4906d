r"""DDIM (Song et al. 2021, arXiv 2010.02502), guided by score correction (ADM, algorithm 2)."""

from torch import Tensor

from sdg.diffusion.denoiser import Prediction
from sdg.diffusion.sampler import Sampler, Taken, correct_score
from sdg.diffusion.timeline import Step
from sdg.errors import SDGError


class DDIM(Sampler):
    r"""The non-Markovian step of eq. 12, with ε recomputed from the clamped x̂_0 as in ADM.

    .. math:: x_s = \sqrt{\bar\alpha_s}\, \hat x_0 + \sqrt{1 - \bar\alpha_s - \sigma^2}\, \epsilon + \sigma z,
              \qquad \sigma^2 = \eta^2 \tilde\beta_t

    Args:
        eta: 0 is deterministic, 1 adds the noise of the ancestral step (eq. 16).
    """

    def __init__(self, eta: float = 0.0):
        if not 0 <= eta <= 1:
            raise SDGError(f"sampler.rule.eta={eta} is out of range: use 0 (deterministic) to 1 (ancestral)")
        self.eta = eta

    @property
    def stochastic(self) -> bool:
        return self.eta > 0

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
        beta_tilde = step.beta * (1 - step.alpha_bar_s) / (1 - step.alpha_bar)
        variance = self.eta**2 * beta_tilde
        direction = (1 - step.alpha_bar_s - variance) ** 0.5 * prediction.eps(x_t, step)
        mean = step.alpha_bar_s**0.5 * prediction.x0 + direction
        return mean if step.last or not self.eta else mean + variance**0.5 * noise
