"""The networks that are compared: ours, the rivals' with the same weights, and faster forms of either."""

import argparse
import copy
from importlib.util import find_spec
from typing import NamedTuple, Self

import torch
from torch import nn

from experiments.benchmark.rival import AZULA, DIFFUSERS, azula_unet, diffusers_unet, rival
from experiments.cost.flops import MODELS
from experiments.running import configuration
from sdg.checkpoints import load_weights
from sdg.config import build
from sdg.diffusion.denoiser import Denoiser
from sdg.networks.clip import CLIP
from sdg.networks.fast import quicken
from sdg.networks.time_encoder import TimeEncoder
from sdg.randomness import keyed_generator


class Networks(NamedTuple):
    """The networks that all contestants use."""

    denoiser: Denoiser
    rivals: nn.ModuleDict
    """diffusers' UNet, and azula's if it is installed and float32 is timed."""
    encoder: TimeEncoder
    clip: CLIP

    def on(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> Self:
        """A copy on another device, in another dtype; CLIP keeps its dtype."""
        there = type(self)(*(copy.deepcopy(network).to(device) for network in self))
        for network in there[:3]:
            network.to(dtype)
        return there

    def quick(
        self, channels_last: bool = False, compile: bool = False, dtype: torch.dtype | None = None
    ) -> Self:
        """A copy that computes as ``sample.py`` with these settings; azula's is left out, CLIP is shared."""
        rivals = nn.ModuleDict({DIFFUSERS: copy.deepcopy(self.rivals[DIFFUSERS])})
        fast = type(self)(copy.deepcopy(self.denoiser), rivals, copy.deepcopy(self.encoder), self.clip)
        for network in (fast.denoiser.network, rivals[DIFFUSERS], fast.encoder):
            quicken(network.to(dtype=dtype), channels_last=channels_last, compile=compile)
        return fast


def make_networks(options: argparse.Namespace) -> Networks:
    """The networks of ``options.model``, with the shipped weights if there are any, else random ones."""
    settings = [*MODELS[options.model]]
    if options.size:
        settings += [f"{part}.image_size={options.size}" for part in ("prior.denoiser", "encoder.network")]
    config = configuration("sample", settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        denoiser, encoder = build(config.prior.denoiser), build(config.encoder.network)
        clip = build(config.encoder.clip)
    if options.model == "toyfaces" and not options.size:
        load_weights(denoiser.network, config.prior.checkpoint)
        load_weights(encoder, config.encoder.checkpoint)
        load_weights(clip, config.encoder.clip_checkpoint)
    else:
        for network in (denoiser.network, encoder):
            fill(network)
    denoiser.eval().requires_grad_(False)
    clip.eval().requires_grad_(False)
    settings = config.prior.denoiser.network
    rivals = {DIFFUSERS: rival(denoiser.network, settings, diffusers_unet)}
    if options.dtype == "float32" and find_spec(AZULA):
        rivals[AZULA] = rival(denoiser.network, settings, azula_unet)
    return Networks(denoiser, nn.ModuleDict(rivals), encoder.eval().requires_grad_(False), clip)


def fill(network: nn.Module) -> nn.Module:
    """Random weights of unit gain, also in layers that start at zero: zeros are faster to compute with."""
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(std=parameter[0].numel() ** -0.5, generator=keyed_generator("fill", name))
    return network
