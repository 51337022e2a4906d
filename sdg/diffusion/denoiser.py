r"""Denoiser: hides what a network predicts (ε, x0 or v) and whether it learned a variance.

With ᾱ = ᾱ_t, a = √ᾱ and σ = √(1-ᾱ), so that x_t = a x_0 + σ ε:

============  ==========================  ==============================
predicts      x̂_0                         source
============  ==========================  ==============================
``eps``       x_t/a - (σ/a) ε             Ho et al. 2020, eq. 15
``x0``        the output itself
``v``         a x_t - σ v                 Salimans & Ho 2022, appendix D
============  ==========================  ==============================
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Step
from sdg.errors import SDGError

Parameterisation = Literal["eps", "x0", "v"]


class Prediction(NamedTuple):
    """What a denoiser predicts from x_t. ``x0`` is (B, C, H, W)."""

    x0: Tensor
    variance_fraction: Tensor | None = None
    """Position of log Σ between log β̃ (0) and log β (1), (B, C, H, W); None for a fixed variance."""

    def keep(self, rows: Tensor) -> "Prediction":
        """The prediction of these samples, (N,) int64, in this order."""
        fraction = self.variance_fraction
        return Prediction(self.x0[rows], None if fraction is None else fraction[rows])

    def eps(self, x_t: Tensor, step: Step) -> Tensor:
        """The noise that is consistent with ``x0``: (x_t - a x̂_0)/σ."""
        return (x_t - step.alpha_bar**0.5 * self.x0) / step.sigma


class Denoiser(nn.Module):
    """A pretrained prior: a network, the schedule it was trained on, and what its output means.

    Args:
        network: maps x_t (B, C, H, W) and the original timestep t (1,) int64 to (B, C or 2C, H, W). If 2C,
            the second half is the learned variance v (Nichol & Dhariwal 2021, eq. 15), interpreted as the
            fraction (v+1)/2, not clamped.
        schedule: the forward process the network was trained on.
        image_size: side of the square images it draws, in pixels.
        channels: number of channels of those images.
        parameterisation: what the first C channels of the output are.
        clip: clamp x̂_0 to [-1, 1], as ADM does by default.

    Raises:
        SDGError: an unknown parameterisation, or a size that the network cannot take.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: NoiseSchedule,
        image_size: int,
        channels: int = 3,
        parameterisation: Parameterisation = "eps",
        clip: bool = True,
    ):
        super().__init__()
        if parameterisation not in ("eps", "x0", "v"):
            raise SDGError(f"parameterisation={parameterisation} is unknown: use eps, x0 or v")
        multiple = getattr(network, "size_multiple", 1)
        if image_size < 1 or image_size % multiple:
            raise SDGError(
                f"this prior draws pictures whose sides are multiples of {multiple}, not {image_size}: "
                f"choose {max(multiple, multiple * round(image_size / multiple))}"
            )
        self.network, self.schedule = network, schedule
        self.image_size, self.channels = image_size, channels
        self.parameterisation, self.clip = parameterisation, clip

    def around(self, network: nn.Module) -> "Denoiser":
        """The same prior with another network whose output has the same meaning."""
        return Denoiser(
            network, self.schedule, self.image_size, self.channels, self.parameterisation, self.clip
        )

    def forward(self, x_t: Tensor, step: Step) -> Prediction:
        """x_t: (B, C, H, W) -> Prediction of the same shape."""
        return self.bound(self.free(x_t, step))

    def free(self, x_t: Tensor, step: Step) -> Prediction:
        """The same before x̂_0 is clamped.

        The network computes in the dtype of its weights, everything else in that of x_t.
        """
        t = torch.full((1,), step.t, dtype=torch.int64, device=x_t.device)
        dtype = next((parameter.dtype for parameter in self.network.parameters()), x_t.dtype)
        return self._read(self.network(x_t.to(dtype), t).to(x_t.dtype), x_t, step.alpha_bar**0.5, step.sigma)

    def bound(self, prediction: Prediction) -> Prediction:
        """A prediction with x̂_0 clamped to [-1, 1], if this prior clamps."""
        return prediction._replace(x0=prediction.x0.clamp(-1, 1)) if self.clip else prediction

    def interpret(self, output: Tensor, x_t: Tensor, a: float | Tensor, sigma: float | Tensor) -> Prediction:
        """Read a network's output at x_t; ``a`` = √ᾱ and ``sigma`` = √(1-ᾱ) are floats or (B, 1, 1, 1)."""
        return self.bound(self._read(output, x_t, a, sigma))

    def _read(self, output: Tensor, x_t: Tensor, a: float | Tensor, sigma: float | Tensor) -> Prediction:
        channels = x_t.shape[1]
        if output.shape[1] not in (channels, 2 * channels):
            raise SDGError(
                f"the network gives {output.shape[1]} channels for a {channels}-channel image: "
                f"it must give {channels}, or {2 * channels} with a learned variance"
            )
        out = output[:, :channels]
        if self.parameterisation == "eps":
            x0 = (x_t - sigma * out) / a
        elif self.parameterisation == "v":
            x0 = a * x_t - sigma * out
        else:
            x0 = out
        learned = output.shape[1] == 2 * channels
        return Prediction(x0, (output[:, channels:] + 1) / 2 if learned else None)

    def target(self, x0: Tensor, noise: Tensor, a: Tensor, sigma: Tensor) -> Tensor:
        """What the network should output for x_t = a x0 + σ noise; all (B, C, H, W), a and σ (B, 1, 1, 1)."""
        if self.parameterisation == "eps":
            return noise
        return a * noise - sigma * x0 if self.parameterisation == "v" else x0
