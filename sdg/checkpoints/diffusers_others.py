"""What diffusers' schedulers say of models of other processes than DDPM's: score SDEs, EDM, flows.

A list of what may be there is safe where one of what may not be would miss the next kind, which would then be
read as ε with a linear schedule.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from sdg.checkpoints.diffusers_process import DDPMProcess, Process
from sdg.diffusion.parameterisation import Conditioning, Parameterisation
from sdg.diffusion.schedule import Flow, VarianceExploding
from sdg.errors import SDGError


class ScoreSDE(Process):
    """NCSN++ (Song et al. 2021): y_t = y + σ ε of pixels y from 0 to 1, of which the network gives the score.

    On our scale, x = 2 y - 1, the noise is twice as large.
    """

    embedding = "fourier"

    def schedule(self) -> VarianceExploding:
        return VarianceExploding(2 * self._setting("sigma_min", 0.01), 2 * self._setting("sigma_max", 1348.0))

    def parameterisation(self) -> Parameterisation:
        return "eps"

    def clips(self) -> bool:
        return True

    def reading(self, unet: nn.Module) -> nn.Module:
        return _Score(unet)


class EDM(Process):
    """Karras et al. (2022): x_0 + σ ε, preconditioned."""

    def schedule(self) -> VarianceExploding:
        return VarianceExploding(self._setting("sigma_min", 0.002), self._setting("sigma_max", 80.0))

    def parameterisation(self) -> Parameterisation:
        self._refuse(prediction_type=("epsilon", "v_prediction"))
        return "edm"

    def clips(self) -> bool:
        return False

    def sigma_data(self) -> float:
        return float(self._setting("sigma_data", 0.5))

    def reading(self, unet: nn.Module) -> nn.Module:
        # What diffusers calls v here is EDM's output with the other sign.
        return _Negated(unet) if self._setting("prediction_type", "epsilon") == "v_prediction" else unet


class FlowMatching(Process):
    """(1 - s) x_0 + s ε, of which the network gives the velocity ε - x_0; it is told s times a number.

    How the scheduler spaces its steps (``shift``) is a choice of the sampler, and not read.
    """

    def schedule(self) -> Flow:
        self._refuse(invert_sigmas=(False, None))
        return Flow()

    def parameterisation(self) -> Parameterisation:
        return "flow"

    def clips(self) -> bool:
        return False

    def conditioning(self) -> Conditioning:
        return Conditioning("t", scale=float(self._setting("num_train_timesteps", 1000)))


_OTHERS: dict[str, type[Process]] = {
    "ScoreSdeVeScheduler": ScoreSDE,
    "EDMEulerScheduler": EDM,
    "EDMDPMSolverMultistepScheduler": EDM,
    "FlowMatchEulerDiscreteScheduler": FlowMatching,
    "FlowMatchHeunDiscreteScheduler": FlowMatching,
}


def read_process(settings: Mapping[str, Any] | None, where: str) -> Process:
    """The process that a scheduler's settings speak of; if there are none, DDPM's, with ε and linear β.

    Raises:
        SDGError: the scheduler is of a model of none of these processes.
    """
    kind = (settings or {}).get("_class_name", "DDPMScheduler")
    if DDPMProcess.takes(kind):
        return DDPMProcess(settings, where)
    if kind not in _OTHERS:
        raise SDGError(
            f"_class_name={kind} in the scheduler_config.json of {where}: sdg samples what was trained on "
            f"DDPM's process, or for {', '.join(_OTHERS)}, choose such a model"
        )
    return _OTHERS[kind](settings, where)


class _Score(nn.Module):
    """ε from the score of pixels from 0 to 1."""

    wraps = "unet"

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        sigma = (t / 2).to(x.dtype)
        score: Tensor = self.unet((x + 1) / 2, sigma)
        return -sigma.view(-1, 1, 1, 1) * score


class _Negated(nn.Module):
    wraps = "unet"

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        output: Tensor = self.unet(x, t)
        return -output
