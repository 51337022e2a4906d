"""What a scheduler of diffusers says of the model that it was saved with: DDPM's process, the usual one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sdg.diffusion.parameterisation import Conditioning, Parameterisation
from sdg.diffusion.schedule import NoiseSchedule, Schedule
from sdg.errors import SDGError

_SCHEDULERS = {
    # Whether each clips its predicted x0 where its settings don't say.
    "DDPMScheduler": True,
    "DDPMParallelScheduler": True,
    "DDIMScheduler": True,
    "DDIMParallelScheduler": True,
    "RePaintScheduler": True,
    "PNDMScheduler": False,
    "DEISMultistepScheduler": False,
    "DPMSolverMultistepScheduler": False,
    "DPMSolverSinglestepScheduler": False,
    "UniPCMultistepScheduler": False,
    "SASolverScheduler": False,
    "LMSDiscreteScheduler": False,
    "EulerDiscreteScheduler": False,
    "EulerAncestralDiscreteScheduler": False,
}
"""Ways to draw from a model that was trained on DDPM's process, with β from 0.0001 to 0.02 by default."""
_PREDICTIONS: dict[str, Parameterisation] = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
_REFUSED: dict[str, tuple[Any, ...]] = {
    # Settings with the values that mean DDPM's process, of which the first is the default.
    "rescale_betas_zero_snr": (False, None),
    "use_flow_sigmas": (False, None),
    "timestep_type": ("discrete",),
    "thresholding": (False, None),
}


class Process(ABC):
    """The settings of a scheduler: of a ``scheduler_config.json``, or the ``config`` of one in memory.

    Args:
        settings: None for a model without a scheduler, taken for ε on DDPM's linear schedule.
        where: what has them, for messages.
    """

    embedding = "positional"
    """How its networks embed what they are told of the noise (``time_embedding_type``)."""

    def __init__(self, settings: Mapping[str, Any] | None, where: str):
        self.settings, self.where = settings, where

    @abstractmethod
    def schedule(self) -> Schedule:
        """The noise that the model was trained on."""

    @abstractmethod
    def parameterisation(self) -> Parameterisation:
        """What the network that :meth:`reading` gives predicts."""

    @abstractmethod
    def clips(self) -> bool:
        """Whether a predicted x0 is clipped to [-1, 1]."""

    def conditioning(self) -> Conditioning | None:
        """What the network is told; None: what is usual."""
        return None

    def sigma_data(self) -> float:
        """Deviation of the pictures that EDM's preconditioning counts on."""
        return 0.5

    def reading(self, unet: nn.Module) -> nn.Module:
        """The network as a Denoiser reads it."""
        return unet

    def _setting(self, name: str, default: Any) -> Any:
        return (self.settings or {}).get(name, default)

    def _refuse(self, **allowed: tuple[Any, ...]) -> None:
        """Raise SDGError for a setting of another value than those that mean what is expressed here."""
        for name, values in allowed.items():
            if (value := self._setting(name, values[0])) not in values:
                raise SDGError(
                    f"{name}={value} in the scheduler_config.json of {self.where} cannot be expressed here: "
                    f"choose a model with {name}={values[0]}"
                )


class DDPMProcess(Process):
    """DDPM's process, in timesteps."""

    @staticmethod
    def takes(kind: str) -> bool:
        """Whether schedulers of this class draw from models of this process."""
        return kind in _SCHEDULERS

    def parameterisation(self) -> Parameterisation:
        """What the model predicts."""
        prediction = self._setting("prediction_type", "epsilon")
        if prediction not in _PREDICTIONS:
            raise SDGError(
                f"prediction_type={prediction} in {self.where}: a Denoiser's network predicts one of "
                f"{', '.join(_PREDICTIONS)}, choose another"
            )
        return _PREDICTIONS[prediction]

    def clips(self) -> bool:
        """Whether a predicted x0 is clipped to [-1, 1]."""
        clips = bool(self._setting("clip_sample", _SCHEDULERS[self._setting("_class_name", "DDPMScheduler")]))
        if clips and (bound := self._setting("clip_sample_range", 1.0)) != 1.0:
            raise SDGError(
                f"clip_sample_range={bound} in {self.where}: Denoiser clips to -1 and 1, choose another"
            )
        return clips

    def schedule(self) -> NoiseSchedule:
        """The noise that the model was trained on; DDPM's, linear over 1000 steps, if it doesn't say."""
        return read_schedule(self.settings or {})


def read_schedule(scheduler: Mapping[str, Any]) -> NoiseSchedule:
    """The schedule of a ``scheduler_config.json``.

    Raises:
        SDGError: its kind is not supported, or its last step is pure noise.
    """
    for name, allowed in _REFUSED.items():
        if (value := scheduler.get(name, allowed[0])) not in allowed:
            raise SDGError(f"{name}={value} in a scheduler_config.json is not DDPM's process: choose another")
    steps, kind = scheduler.get("num_train_timesteps", 1000), scheduler.get("beta_schedule", "linear")
    start, end = scheduler.get("beta_start", 1e-4), scheduler.get("beta_end", 0.02)
    if (trained := scheduler.get("trained_betas")) is not None:
        beta = torch.tensor(trained, dtype=torch.float64)
    elif kind == "linear":
        beta = torch.linspace(start, end, steps, dtype=torch.float64)
    elif kind == "scaled_linear":
        beta = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float64).square()
    elif kind == "sigmoid":
        beta = torch.linspace(-6, 6, steps, dtype=torch.float64).sigmoid() * (end - start) + start
    elif kind == "squaredcos_cap_v2":
        return NoiseSchedule.cosine(steps)
    else:
        known = "linear, scaled_linear, sigmoid or squaredcos_cap_v2"
        raise SDGError(f"the schedule {kind} (beta_schedule) is unknown here: use {known}")
    return NoiseSchedule((1 - beta).cumprod(0))
