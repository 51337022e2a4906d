"""Builds :class:`GuidedSampling` from settings, with its networks' weights."""

from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from sdg.baselines.predicted_clean import PredictedClean
from sdg.checkpoints import load_weights, locate, unfilled
from sdg.config import build
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.guidance.targets import TextTargets
from sdg.networks.clip import CLIP
from sdg.networks.fast import quicken
from sdg.networks.time_encoder import from_clip
from sdg.sampling.aims import Aims
from sdg.sampling.chains import GuidedSampling
from sdg.sampling.constraints import Constraints
from sdg.sampling.start import Start

Settings = dict[str, Any]
"""A part of the configuration, not yet built."""


def guided_sampling(
    prior: Settings,
    encoder: Settings,
    guidance: Settings,
    sampler: Settings,
    constraint: Settings | None,
    start: Settings,
    *,
    encoder_sees: Literal["x_t", "x0"] = "x_t",
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    reference_noise: Literal["fresh", "fixed"] = "fresh",
    share_reference: bool = False,
    group: int = 4,
    snapshots: int = 0,
    trace: bool = True,
    channels_last: bool = False,
    compile: bool = False,
) -> GuidedSampling:
    """The method that conf/method describes, with only the networks that it needs.

    Args:
        encoder_sees: ``x_t``, the noisy state, for an encoder fine-tuned on it (the paper), or ``x0``, the
            clean picture that the prior predicts, for plain CLIP.
        dtype: of the weights and arithmetic of prior and encoder; x_t, tables, scores and the sum of
            gradients stay float32.
        channels_last: like ``compile``, how prior and encoder compute: see
            :func:`~sdg.networks.fast.quicken`.

    Raises:
        SDGError: weights that cannot be found or do not fit, or invalid settings.
    """
    if encoder_sees not in ("x_t", "x0"):
        raise SDGError(f"method.encoder_sees={encoder_sees} is unknown: use x_t or x0")
    if dtype not in ("float32", "bfloat16", "float16"):
        raise SDGError(f"dtype={dtype} is unknown: use float32, bfloat16 or float16")
    precision: torch.dtype = getattr(torch, dtype)
    begin: Start = build(start)
    with unfilled():  # networks take no memory until their weights are read
        denoiser: Denoiser = build(prior["denoiser"])
    timeline = Timeline(denoiser.schedule, sampler["steps"], begin.strength)
    # All weights are located before the first is loaded, which takes time.
    file = locate(prior["checkpoint"], prior.get("url"), prior.get("sha256"), prior.get("download", False))
    needed: tuple[str, ...] = ()
    if guidance["terms"]:
        needed = ("clip_checkpoint",) if encoder_sees == "x0" else ("clip_checkpoint", "checkpoint")
    files = {key: locate(encoder[key], setting=f"encoder.{key}") for key in needed}
    load_weights(denoiser.network, file, precision)
    quicken(denoiser.network, channels_last=channels_last, compile=compile)
    aims = None
    if guidance["terms"]:
        with unfilled():
            clip: CLIP = build(encoder["clip"])
        load_weights(clip, files["clip_checkpoint"])
        tower = _tower(encoder["network"], clip, files.get("checkpoint"), precision)
        quicken(tower, channels_last=channels_last, compile=compile)
        steering = build(guidance, encoder=PredictedClean(denoiser, tower) if encoder_sees == "x0" else tower)
        aims = Aims(steering, TextTargets(clip), denoiser.image_size, reference_noise, share_reference)
    return GuidedSampling(
        denoiser,
        build(sampler["rule"]),
        timeline,
        aims,
        begin,
        Constraints(begin, None if constraint is None else build(constraint)),
        group=group,
        snapshots=snapshots,
        trace=trace,
    )


def _tower(network: Settings, clip: CLIP, file: Path | None, dtype: torch.dtype) -> nn.Module:
    """The guiding encoder, with the weights of ``file`` or, without one, of CLIP's own tower."""
    if file is None:
        return from_clip(clip.model.visual, build(network)).to(dtype)
    with unfilled():
        tower: nn.Module = build(network)
    return load_weights(tower, file, dtype)
