r"""What a network's output means: the noise, the picture, a mixture of both, in someone's preconditioning.

With x = a x_0 + σ ε, at the scale of the schedule that the network was trained on:

============  =====================================  ==================  =================================
predicts      x̂_0 from the output F                  schedule            source
============  =====================================  ==================  =================================
``eps``       (x - σ F)/a                            any                 Ho et al. 2020, eq. 15
``x0``        F                                      any
``v``         a x - σ F                              NoiseSchedule       Salimans & Ho 2022, appendix D
``flow``      x - σ F, F = ε - x_0                   Flow                Lipman et al. 2023
``edm``       c_skip x + c_out F, F given c_in x     VarianceExploding   Karras et al. 2022, table 1
============  =====================================  ==================  =================================

with EDM's c_skip = d²/(σ² + d²), c_out = σ d/√(σ² + d²), c_in = 1/√(σ² + d²) for pictures of deviation d.
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from sdg.diffusion.level import Level
from sdg.diffusion.schedule import Flow, NoiseSchedule, Schedule, VarianceExploding
from sdg.errors import SDGError

Parameterisation = Literal["eps", "x0", "v", "flow", "edm"]
Told = Literal["t", "log_sigma"]
Number = float | Tensor
"""One number for all samples, or (B, 1, 1, 1)."""

_SCHEDULES: dict[Parameterisation, type[Schedule]] = {
    "v": NoiseSchedule,
    "flow": Flow,
    "edm": VarianceExploding,
}


class Meaning:
    """The meaning of a network's output, and the scale of its input.

    Args:
        kind: what it predicts.
        sigma_data: d, for ``edm``.

    Raises:
        SDGError: an unknown kind, or one that is not defined on this schedule.
    """

    def __init__(self, kind: Parameterisation, schedule: Schedule, sigma_data: float = 0.5):
        if kind not in get_args(Parameterisation):
            raise SDGError(f"parameterisation={kind} is unknown: use eps, x0, v, flow or edm")
        if not isinstance(schedule, _SCHEDULES.get(kind, Schedule)):
            raise SDGError(
                f"parameterisation={kind} is defined on a {_SCHEDULES[kind].__name__}, not on a "
                f"{type(schedule).__name__}: choose that schedule, or eps or x0"
            )
        if not sigma_data > 0:
            raise SDGError(f"sigma_data={sigma_data} is no deviation of pictures: use 0.5, EDM's")
        self.kind, self.data = kind, sigma_data

    def fed(self, x: Tensor, sigma: Number) -> Tensor:
        """What the network is given for x: x itself but for EDM's c_in."""
        return x / (sigma**2 + self.data**2) ** 0.5 if self.kind == "edm" else x

    def clean(self, out: Tensor, x: Tensor, a: Number, sigma: Number) -> Tensor:
        """x̂_0 from the output at x; all (B, C, H, W)."""
        if self.kind == "eps":
            return (x - sigma * out) / a
        if self.kind == "v":
            return a * x - sigma * out
        if self.kind == "flow":
            return x - sigma * out
        if self.kind == "edm":
            total = sigma**2 + self.data**2
            return self.data**2 / total * x + sigma * self.data / total**0.5 * out
        return out

    def target(self, x0: Tensor, noise: Tensor, a: Number, sigma: Number) -> Tensor:
        """What the network should output at a x0 + σ noise; all (B, C, H, W)."""
        if self.kind == "eps":
            return noise
        if self.kind == "v":
            return a * noise - sigma * x0
        if self.kind == "flow":
            return noise - x0
        if self.kind == "edm":  # (x0 - c_skip x)/c_out, without the difference that vanishes with σ
            total = sigma**2 + self.data**2
            return (sigma * x0 - self.data**2 * noise) / (self.data * total**0.5)
        return x0


class Conditioning:
    """What a network is told of the noise level: ``scale`` times a number, plus ``offset``.

    Args:
        of: ``t``, the time as the schedule counts it, or ``log_sigma``, log(σ/α).
        scale, offset: of EDM's c_noise, ¼ and 0; where timesteps are counted from 1, 1 and 1.

    Raises:
        SDGError: an unknown ``of``.
    """

    def __init__(self, of: Told = "t", scale: float = 1, offset: float = 0):
        if of not in get_args(Told):
            raise SDGError(f"a network told of {of} is unknown: use t or log_sigma")
        self.of, self.scale, self.offset = of, scale, offset

    def at(self, level: Level, device: torch.device) -> Tensor:
        """For states of one level: (1,), int64 if it is a timestep, else float32."""
        value = (level.t if self.of == "t" else -level.log_snr) * self.scale + self.offset
        dtype = torch.int64 if isinstance(value, int) else torch.float32
        return torch.full((1,), value, dtype=dtype, device=device)

    def of_each(self, t: Tensor, a: Tensor, sigma: Tensor) -> Tensor:
        """For a batch of states of their own times t (B,), α and σ (B, 1, 1, 1): (B,)."""
        value = t if self.of == "t" else (sigma / a).log().flatten()
        return value if (self.scale, self.offset) == (1, 0) else value * self.scale + self.offset
