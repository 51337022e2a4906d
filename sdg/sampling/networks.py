"""Networks: what is loaded, once for each process, whatever is then asked of it."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from sdg.checkpoints import load_weights, locate, unfilled
from sdg.checkpoints.checkpoint import open_checkpoint
from sdg.checkpoints.folders import locate_own
from sdg.config import build
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import Schedule
from sdg.errors import SDGError
from sdg.guidance.targets import TextTargets
from sdg.networks.by_picture import by_picture
from sdg.networks.clip import CLIP
from sdg.networks.fast import quicken
from sdg.networks.plain import PlainEncoder
from sdg.networks.stylegan2 import StyleGAN2
from sdg.networks.time_encoder import TimeEncoder, from_clip

Settings = dict[str, Any]
"""A part of the configuration, not yet built."""

ModuleT = TypeVar("ModuleT", bound=nn.Module)
KeptT = TypeVar("KeptT", bound="nn.Module | Schedule")


@dataclass(frozen=True)
class Compute:
    """How prior and encoder compute.

    Args:
        dtype: of their weights and arithmetic; x_t, tables, scores and the sum of gradients stay float32.
        channels_last, compile: see :func:`~sdg.networks.fast.quicken`.

    Raises:
        SDGError: an unknown dtype.
    """

    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise SDGError(f"dtype={self.dtype} is unknown: use float32, bfloat16 or float16")

    @property
    def precision(self) -> torch.dtype:
        """The dtype itself."""
        return getattr(torch, self.dtype)

    def __call__(self, network: ModuleT) -> ModuleT:
        """``network``, made to compute like this in place, each picture alike wherever it is in a group."""
        by_picture(network)
        quicken(network, channels_last=self.channels_last, compile=self.compile)
        return network


class Networks:
    """Networks with their weights, each loaded when first asked for and kept.

    Each method takes the settings of a group (conf/prior, conf/encoder, conf/generator). Equal settings give
    the same object, so what is given out is frozen and must not be changed.

    Args:
        device: where the networks are put.
        prior: a denoiser in memory, taken whatever prior the settings name.
    """

    def __init__(self, device: torch.device | str = "cpu", prior: Denoiser | None = None):
        self.device = torch.device(device)
        self.prior = prior and prior.eval().requires_grad_(False).to(self.device)
        self._kept: dict[str, nn.Module | Schedule] = {}
        self._loading = threading.RLock()

    def find(
        self, model: Settings, encoder: Settings, files: Sequence[str], setting: str = "prior.checkpoint"
    ) -> None:
        """Look for weight files before the first of them is loaded, which takes time.

        Args:
            model: a prior or a generator, whose checkpoint the command line calls ``setting``.
            files: those of the encoder's that are needed: ``clip_checkpoint``, ``checkpoint``.

        Raises:
            SDGError: a file cannot be found.
        """
        if self.prior is None or setting != "prior.checkpoint":
            locate_own(model, setting)
        for name in files:
            _file(encoder, name)

    def denoiser(self, prior: Settings, compute: Compute) -> Denoiser:
        """The prior, frozen.

        Raises:
            SDGError: here and below: weights that cannot be found or do not fit.
        """

        def load() -> Denoiser:
            with unfilled():  # networks take no memory until their weights are read
                denoiser: Denoiser = build(prior["denoiser"])
            load_weights(denoiser.network, locate_own(prior), compute.precision, prior.get("ignore", ()))
            compute(denoiser.network)
            return denoiser

        return self.prior or self._once("denoiser", load, prior, asdict(compute))

    def forget(self) -> None:
        """Let go of all networks."""
        self._kept.clear()

    def texts(self, encoder: Settings) -> TextTargets:
        """CLIP, with the embeddings of all sentences that it has read."""

        def load() -> TextTargets:
            with unfilled():
                clip = build(encoder["clip"])
            return TextTargets(load_weights(clip, _file(encoder, "clip_checkpoint")))

        return self._once("texts", load, encoder["clip"], encoder["clip_checkpoint"])

    def tower(self, encoder: Settings, compute: Compute, clean: bool = False) -> nn.Module:
        """The image encoder that guides: fine-tuned on noisy pictures or, if ``clean``, as it is in CLIP."""

        def load() -> nn.Module:
            if clean:
                clip = self.texts(encoder).clip
                if not isinstance(clip, CLIP):
                    return compute(PlainEncoder(clip).to(compute.precision))
                network = build(encoder["network"])
                return compute(from_clip(clip.model.visual, network).to(compute.precision))
            with unfilled():
                tower: nn.Module = build(encoder["network"])
            if isinstance(tower, TimeEncoder):
                tower.clip_state(self.texts(encoder).clip.model.visual)  # refuses another CLIP than its own
            return compute(load_weights(tower, _file(encoder, "checkpoint"), compute.precision))

        return self._once("tower", load, encoder, asdict(compute), clean)

    def noise(self, encoder: Settings) -> Schedule:
        """The schedule on which the time-dependent encoder has learned noise.

        Raises:
            SDGError: its settings do not say, or its weights say otherwise.
        """
        if encoder.get("schedule") is None:
            raise SDGError(
                "this encoder does not say on which schedule it has learned noise: give encoder.schedule, "
                "for example {_target_: sdg.diffusion.schedule.NoiseSchedule.linear, steps: 1000}"
            )

        def load() -> Schedule:
            schedule: Schedule = build(encoder["schedule"])
            file = _file(encoder, "checkpoint")
            said = open_checkpoint(file).notes.get("schedule") if file.suffix == ".safetensors" else None
            if said not in (None, str(schedule)):
                raise SDGError(
                    f"{file} has learned noise on {said}, and encoder.schedule is {schedule}: "
                    "give that of the weights"
                )
            return schedule

        return self._once("noise", load, encoder["schedule"], encoder["checkpoint"])

    def generator(self, generator: Settings) -> StyleGAN2:
        """The generator of a GAN."""

        def load() -> StyleGAN2:
            file = locate_own(generator, "generator.checkpoint")
            return load_weights(build(generator["network"]), file)

        return self._once("generator", load, generator)

    def _once(self, kind: str, load: Callable[[], KeptT], *settings: Any) -> KeptT:
        key = json.dumps([kind, *settings], sort_keys=True, default=str)
        with self._loading:  # another thread may ask for the same
            if key not in self._kept:
                found = load()
                if isinstance(found, nn.Module):
                    found.eval().requires_grad_(False).to(self.device)
                self._kept[key] = found
        return self._kept[key]  # type: ignore[return-value]  # the key says of which type


def _file(encoder: Settings, key: str) -> Path:
    return locate(encoder[key], setting=f"encoder.{key}")
