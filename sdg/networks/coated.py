"""A network that predicts pictures on DDPM's linear schedule, in the coat of a flow's or of EDM's."""

from typing import Literal

import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.networks.refined import RefinedUNet
from sdg.networks.unet import ADMUNet


class CoatedUNet(RefinedUNet):
    """``RefinedUNet`` as a network that is told log(σ/α) and gives a flow's velocity or EDM's F.

    With the weights of a network that predicts x_0, it is a prior of the other kind without any training, and
    can be trained on as one: what it gives, in terms of x_0, is what it should give.

    Args:
        coat: ``flow``, for ε - x_0 at x = (1-t) x_0 + t ε; or ``edm``, for F of Karras et al. 2022, given
            c_in x at x = x_0 + σ ε.
        sigma_data: of ``edm``.

    Raises:
        SDGError: another coat.
    """

    def __init__(
        self,
        unet: ADMUNet,
        patch: int = 2,
        width: int = 64,
        depth: int = 2,
        coat: Literal["flow", "edm"] = "flow",
        sigma_data: float = 0.5,
    ):
        super().__init__(unet, patch, width, depth)
        if coat not in ("flow", "edm"):
            raise SDGError(f"coat={coat} is unknown: use flow or edm")
        self.coat, self.data = coat, sigma_data

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """x (B, C, H, W) and log(σ/α), (B,) or (1,) -> (B, C, H, W)."""
        tau = t.exp()[:, None, None, None]  # σ/α
        total = (tau.square() + self.data**2).sqrt()
        y = x * (1 + tau) if self.coat == "flow" else x * total  # x_0 + τ ε
        x0 = super().forward(y / (1 + tau.square()).sqrt(), timestep(t))
        if self.coat == "flow":
            return (x - x0) * (1 + tau) / tau
        return (x0 - self.data**2 / total.square() * y) * total / (tau * self.data)


def timestep(noise: Tensor) -> Tensor:
    """The timestep, a real number, at which DDPM's linear schedule has log(σ/α) = ``noise``, to within 4.

    With u = (t+1)/1000, log ᾱ is nearly -(0.1 u + 9.95 u²), the integral of β.
    """
    depth = torch.nn.functional.softplus(2 * noise)  # -log ᾱ
    u = ((0.01 + 39.8 * depth).sqrt() - 0.1) / 19.9
    return (1000 * u - 1).clamp(0, 999)
