"""A folder that diffusers saved: where its parts are, and what its pipeline and scheduler say of its model.

Only what draws by DDPM's process is taken. A list of what may be in a folder is safe where one of what may
not be would miss the next kind, which would then be read as ε with a linear schedule.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch

from sdg.checkpoints.places import chosen, model_folder
from sdg.diffusion.denoiser import Parameterisation
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError

_PIPELINES = ("DDPMPipeline", "DDIMPipeline", "PNDMPipeline", "RePaintPipeline")
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
_AUTOENCODERS = ("vae", "vqvae", "movq", "text_encoder")
"""Folders of pipelines whose UNet does not draw pixels, or not on its own."""
_PREDICTIONS: dict[str, Parameterisation] = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
_REFUSED: dict[str, tuple[Any, ...]] = {
    # Settings with the values that mean DDPM's process, of which the first is the default.
    "rescale_betas_zero_snr": (False, None),
    "use_flow_sigmas": (False, None),
    "timestep_type": ("discrete",),
    "thresholding": (False, None),
}


class DiffusersFolder:
    """What a folder says of the model in it.

    Raises:
        SDGError: no such folder, or one whose model is not drawn from by DDPM's process.
    """

    def __init__(self, folder: str | None) -> None:
        path = chosen(folder)[0]
        if not path or os.path.isfile(os.path.expanduser(path)):
            raise SDGError(
                f"prior.checkpoint={folder} is no folder that diffusers saved: give one, or prior=adm for "
                f"a file"
            )
        self.model = model_folder(str(folder))
        root = Path(path).expanduser()
        # Someone may name the UNet's own folder in a pipeline's.
        self.roots = [root, root.parent] if root.name in ("unet", "unet_ema") else [root]
        self.scheduler = self._scheduler()
        self._check()

    def parameterisation(self) -> Parameterisation:
        """What the model predicts."""
        prediction = self._setting("prediction_type", "epsilon")
        if prediction not in _PREDICTIONS:
            raise SDGError(
                f"prediction_type={prediction} in {self.roots[0]}: a Denoiser's network predicts one of "
                f"{', '.join(_PREDICTIONS)}, choose another"
            )
        return _PREDICTIONS[prediction]

    def clips(self) -> bool:
        """Whether a predicted x0 is clipped to [-1, 1]."""
        clips = bool(self._setting("clip_sample", _SCHEDULERS[self._setting("_class_name", "DDPMScheduler")]))
        if clips and (bound := self._setting("clip_sample_range", 1.0)) != 1.0:
            raise SDGError(
                f"clip_sample_range={bound} in {self.roots[0]}: Denoiser clips to -1 and 1, choose another"
            )
        return clips

    def schedule(self) -> NoiseSchedule:
        """The noise that the model was trained on; DDPM's, linear over 1000 steps, if it doesn't say."""
        return read_schedule(self.scheduler or {})

    def _setting(self, name: str, default: Any) -> Any:
        return (self.scheduler or {}).get(name, default)

    def _scheduler(self) -> dict[str, Any] | None:
        for root in self.roots:
            for place in (root / "scheduler_config.json", root / "scheduler" / "scheduler_config.json"):
                if place.is_file():
                    return read_json(place)
        return None

    def _check(self) -> None:
        for root in self.roots:
            index = root / "model_index.json"
            kind = read_json(index).get("_class_name") if index.is_file() else None
            inside = [name for name in _AUTOENCODERS if (root / name).is_dir()]
            if inside or kind not in (None, *_PIPELINES):
                what = f"_class_name={kind} in {index}" if kind else f"{root} has a {inside[0]}"
                raise SDGError(
                    f"{what}: sdg steers pipelines of pixels alone ({', '.join(_PIPELINES)}), choose another"
                )
        kind = self._setting("_class_name", "DDPMScheduler")
        if kind not in _SCHEDULERS:
            raise SDGError(
                f"_class_name={kind} in the scheduler_config.json of {self.roots[0]}: sdg samples what was "
                f"trained on DDPM's process, choose such a model"
            )


def read_schedule(scheduler: dict[str, Any]) -> NoiseSchedule:
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


def read_json(path: Path) -> dict[str, Any]:
    """A file of settings.

    Raises:
        SDGError: it is not there, or not JSON.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SDGError(f"there is no {path}: give the path of a folder that diffusers saved") from error
    except (OSError, ValueError) as error:
        raise SDGError(f"{path} is not the JSON that diffusers writes: fetch it again") from error
    if not isinstance(settings, dict):
        raise SDGError(f"{path} is not the JSON that diffusers writes: fetch it again")
    return settings
