r"""DDIM (Song et al. 2021, arXiv 2010.02502), guided by score correction (ADM, algorithm 2)."""

from torch import Tensor

from sdg.diffusion.denoiser import Prediction
from sdg.diffusion.sampler import Sampler, Taken, correct_score
from sdg.diffusion.timeline import Step
from sdg.errors import SDGError


class DDIM(Sampler):
    r"""The non-Markovian step of eq. 12, with ε recomputed from the clamped x̂_0 as in ADM.

    .. math:: x_s = \alpha_s\, \hat x_0 + \sqrt{\sigma_s^2 - \eta^2 \tilde\beta_t}\, \epsilon
                    + \eta \sqrt{\tilde\beta_t}\, z

    With η = 0 this is Euler's rule for the probability flow, in the σ of a variance-exploding process and in
    the t of a flow alike: x_s = x_t + (t_s - t)(ε - x̂_0).

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
        variance = self.eta**2 * step.beta_tilde
        direction = (step.sigma_s**2 - variance) ** 0.5 * prediction.eps(x_t, step)
        mean = step.alpha_s * prediction.x0 + direction
        return mean if step.last or not self.eta else mean + variance**0.5 * noise
