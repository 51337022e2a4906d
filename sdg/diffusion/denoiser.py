"""Denoiser: hides what a network predicts, whether it learned a variance, and on which schedule it did."""

from typing import NamedTuple

from torch import Tensor, nn

from sdg.diffusion.codec import Codec, Pixels
from sdg.diffusion.parameterisation import Conditioning, Meaning, Number, Parameterisation
from sdg.diffusion.rescaling import Rescaling
from sdg.diffusion.schedule import Schedule
from sdg.diffusion.timeline import Step
from sdg.errors import SDGError


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
        return (x_t - step.alpha * self.x0) / step.sigma


class Denoiser(nn.Module):
    """A pretrained prior: a network, the schedule it was trained on, and what its output means.

    It can be asked at states of any other schedule, which are rescaled to its own.

    Args:
        network: maps a state (B, C, H, W) and what it is told of the noise level, (1,), to
            (B, C or 2C, H, W). If 2C, the second half is the learned variance v (Nichol & Dhariwal 2021,
            eq. 15), interpreted as the fraction (v+1)/2, not clamped.
        schedule: the forward process the network was trained on.
        image_size: side of the square states it draws; that of pictures, unless ``codec`` changes it.
        channels: number of channels of those states.
        parameterisation: what the first C channels of the output are.
        clip: clamp x̂_0 to [-1, 1], as ADM does by default.
        conditioning: what the network is told; None: the schedule's t, and for ``edm`` c_noise.
        sigma_data: deviation of the pictures that ``edm`` counts on.
        codec: between states and pictures; by default they are the same, but for the colours of grey ones.

    Raises:
        SDGError: an unknown parameterisation, or a size that the network cannot take.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        image_size: int,
        channels: int = 3,
        parameterisation: Parameterisation = "eps",
        clip: bool = True,
        conditioning: Conditioning | None = None,
        sigma_data: float = 0.5,
        codec: Codec | None = None,
    ):
        super().__init__()
        self.meaning = Meaning(parameterisation, schedule, sigma_data)
        multiple = getattr(network, "size_multiple", 1)
        if image_size < 1 or image_size % multiple:
            raise SDGError(
                f"this prior draws pictures whose sides are multiples of {multiple}, not {image_size}: "
                f"choose {max(multiple, multiple * round(image_size / multiple))}"
            )
        self.network, self.schedule, self.rescaled = network, schedule, Rescaling(schedule)
        self.image_size, self.channels, self.clip = image_size, channels, clip
        edm = parameterisation == "edm"
        self.conditioning = conditioning or (Conditioning("log_sigma", 0.25) if edm else Conditioning())
        self.codec = codec or Pixels(channels)
        self.picture_size = self.codec.picture_size(image_size)
        """Side of the pictures, in pixels."""

    @property
    def parameterisation(self) -> Parameterisation:
        """What the network predicts."""
        return self.meaning.kind

    def around(self, network: nn.Module) -> "Denoiser":
        """The same prior with another network whose output has the same meaning."""
        return Denoiser(
            network,
            self.schedule,
            self.image_size,
            self.channels,
            self.parameterisation,
            self.clip,
            self.conditioning,
            self.meaning.data,
            self.codec,
        )

    def forward(self, x_t: Tensor, step: Step) -> Prediction:
        """x_t: (B, C, H, W) -> Prediction of the same shape."""
        return self.bound(self.free(x_t, step))

    def free(self, x_t: Tensor, step: Step) -> Prediction:
        """The same before x̂_0 is clamped.

        The network computes in the dtype of its weights, everything else in that of x_t.
        """
        x, level = self.rescaled(x_t, step.level), self.rescaled.level(step.level)
        dtype = next((parameter.dtype for parameter in self.network.parameters()), x.dtype)
        told = self.conditioning.at(level, x.device)
        output = self.network(self.meaning.fed(x, level.sigma).to(dtype), told).to(x.dtype)
        return self._read(output, x, level.alpha, level.sigma)

    def bound(self, prediction: Prediction) -> Prediction:
        """A prediction with x̂_0 clamped to [-1, 1], if this prior clamps."""
        return prediction._replace(x0=prediction.x0.clamp(-1, 1)) if self.clip else prediction

    def ask(self, x: Tensor, t: Tensor, a: Tensor, sigma: Tensor) -> Tensor:
        """The network's own output in training: x (B, C, H, W) of its schedule's times t (B,).

        a and σ are the schedule's, (B, 1, 1, 1).
        """
        return self.network(self.meaning.fed(x, sigma), self.conditioning.of_each(t, a, sigma)).to(x.dtype)

    def interpret(self, output: Tensor, x: Tensor, a: Number, sigma: Number) -> Prediction:
        """Read a network's output at x; ``a`` and ``sigma`` are floats or (B, 1, 1, 1)."""
        return self.bound(self._read(output, x, a, sigma))

    def _read(self, output: Tensor, x: Tensor, a: Number, sigma: Number) -> Prediction:
        channels = x.shape[1]
        if output.shape[1] not in (channels, 2 * channels):
            raise SDGError(
                f"the network gives {output.shape[1]} channels for a {channels}-channel image: "
                f"it must give {channels}, or {2 * channels} with a learned variance"
            )
        learned = output.shape[1] == 2 * channels
        fraction = (output[:, channels:] + 1) / 2 if learned else None
        return Prediction(self.meaning.clean(output[:, :channels], x, a, sigma), fraction)
