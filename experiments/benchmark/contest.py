"""Who is compared: networks, noise and targets that all share, and the ways to run a few steps with them."""

import argparse
import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from experiments.benchmark.released import ReleasedLoop
from experiments.benchmark.rival import rival
from experiments.cost.__main__ import MODELS
from experiments.running import configuration
from sdg.checkpoints import load_weights
from sdg.config import build
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.timeline import Level, Timeline
from sdg.guidance.content import Content
from sdg.guidance.guidance import Guidance
from sdg.guidance.targets import Aim, Reference, TextTargets
from sdg.guidance.text import Text
from sdg.networks.clip import CLIP
from sdg.networks.time_encoder import TimeEncoder
from sdg.randomness import keyed_generator
from sdg.sampling.aims import Steer

GROUPS = ("UNet", "unguided step", "step guided by text", "step guided by a picture")
OURS = "sdg"
PROMPT = "a face"
SCALE = 100.0


class Networks(NamedTuple):
    """What all contestants compute with."""

    denoiser: Denoiser
    rival: nn.Module
    encoder: TimeEncoder
    clip: CLIP

    def on(self, device: torch.device | str, dtype: torch.dtype = torch.float32) -> "Networks":
        """A copy elsewhere, and of other weights; CLIP's stay as they are."""
        there = Networks(*(copy.deepcopy(network).to(device) for network in self))
        for network in there[:3]:
            network.to(dtype)
        return there


class Contestant(NamedTuple):
    """One way to run the steps of a group."""

    group: str
    name: str
    run: Callable[[], Tensor]
    """Runs all steps; what comes out is the same for all of a group."""


def make_networks(options: argparse.Namespace) -> Networks:
    """The networks of ``options.model``: with the shipped weights if there are any, else with random ones."""
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
            _fill(network)
    denoiser.eval().requires_grad_(False)
    clip.eval().requires_grad_(False)
    other = rival(denoiser.network, config.prior.denoiser.network)
    return Networks(denoiser, other, encoder.eval().requires_grad_(False), clip)


def contestants(networks: Networks, options: argparse.Namespace) -> list[Contestant]:
    """All of them, on the device of ``networks``; they leave the networks as they found them."""
    denoiser, other, encoder, clip = networks
    device = clip.device
    timeline = Timeline(denoiser.schedule, options.steps)
    keys = [(0, index) for index in range(options.batch)]
    shape = (options.batch, denoiser.channels, denoiser.image_size, denoiser.image_size)
    clean = torch.randn(shape[1:], generator=keyed_generator("benchmark")).clamp(-1, 1).to(device)
    clean = clean.expand(shape).contiguous()
    x = NoiseSource(keys).normal(shape[1:], device)
    loop = ReleasedLoop(denoiser, encoder, clip, timeline)
    scale = torch.full((options.batch,), SCALE, device=device)
    texts = TextTargets(clip)
    # One stream for all samples, which the paths that share a reference draw once and the others B times.
    reference_keys = [(0, 0)] * options.batch

    def forwards(network: nn.Module) -> Callable[[], Tensor]:
        t = torch.full((1,), timeline.steps[-1].t, dtype=torch.int64, device=device)
        x_t = x.to(next(network.parameters()).dtype)

        @torch.no_grad()
        def run() -> Tensor:
            for _ in range(options.steps):
                output = network(x_t, t)
            return output

        return run

    def chain(prior: Denoiser, steer: Callable[[], Steer] | None = None) -> Callable[[], Tensor]:
        def run() -> Tensor:
            asked = steer() if steer else None

            def guide(x: Tensor, level: Level) -> Tensor | None:
                steering = asked(x, level) if asked else None
                return None if steering is None else steering.gradient

            return generate(
                prior, DDPM(), timeline, NoiseSource(keys), guide if asked else None, device=device
            )

        return run

    def words(text: Guidance) -> Callable[[], Steer]:
        return lambda: Steer(text, Aim(text.encode, {"text": texts([PROMPT] * options.batch)}, {}), scale)

    def picture() -> Steer:
        reference = Reference(clean, NoiseSource(reference_keys, "reference"))
        return Steer(content, Aim(content.encode, {}, {"content": reference}), scale)

    def shared() -> Steer:
        rows = torch.zeros(options.batch, dtype=torch.int64, device=device)
        reference = Reference(clean[:1], NoiseSource(reference_keys[:1], "reference"), rows=rows)
        return Steer(content, Aim(content.encode, {}, {"content": reference}), scale)

    def released(picture: bool = False, **guided: Any) -> Callable[[], Tensor]:
        def run() -> Tensor:
            noise = NoiseSource(reference_keys, "reference") if picture else None
            return loop(NoiseSource(keys), SCALE, reference_noise=noise, **guided)

        return run

    theirs, by_words = _with(denoiser, other), words(Guidance(encoder, {"text": Text()}, SCALE))
    content = Guidance(encoder, {"content": Content()}, SCALE)
    network, step, by_text, by_picture = GROUPS
    found = [
        Contestant(network, OURS, forwards(denoiser.network)),
        Contestant(network, "diffusers", forwards(other)),
        Contestant(step, OURS, chain(denoiser)),
        Contestant(step, "sdg's loop, diffusers' UNet", chain(theirs)),
        Contestant(step, "as released", released()),
        Contestant(by_text, OURS, chain(denoiser, by_words)),
        Contestant(by_text, "sdg's loop, diffusers' UNet", chain(theirs, by_words)),
        Contestant(by_text, "as released", released(prompts=[PROMPT] * options.batch)),
        Contestant(by_picture, OURS, chain(denoiser, picture)),
        Contestant(by_picture, "sdg, shared reference", chain(denoiser, shared)),
        Contestant(by_picture, "as released", released(picture=True, reference=clean)),
    ]
    if options.compile and device.type != "meta":
        ours, unet, encoder = (_compiled(plain) for plain in (denoiser.network, other, encoder))
        name, quick = f"{OURS}, compiled", _with(denoiser, ours)
        by_words = words(Guidance(encoder, {"text": Text()}, SCALE))
        found += [
            Contestant(network, name, forwards(ours)),
            Contestant(network, "diffusers, compiled", forwards(unet)),
            Contestant(step, name, chain(quick)),
            Contestant(by_text, name, chain(quick, by_words)),
        ]
    return found


def widest(found: list[Contestant]) -> Mapping[str, float]:
    """How far the output of each is from that of ours, relative to its largest value; runs every one."""
    ours = {one.group: one.run() for one in found if one.name == OURS}
    apart = {}
    for group, name, run in found:
        expected = ours[group]
        apart[f"{group}: {name}"] = float((run() - expected).abs().max() / expected.abs().max())
    return apart


def _with(denoiser: Denoiser, network: nn.Module) -> Denoiser:
    """The same prior around another network."""
    other = copy.copy(denoiser)
    other._modules = {"network": network}
    return other


def _compiled(network: nn.Module) -> nn.Module:
    """A copy in channels_last, as the compiler's convolutions like it."""
    fast = copy.deepcopy(network).to(memory_format=torch.channels_last)
    fast.compile()
    return fast


def _fill(network: nn.Module) -> None:
    """Random weights of unit gain, for layers that start at zero too: zeros are faster to compute with."""
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(std=parameter[0].numel() ** -0.5, generator=keyed_generator("fill", name))
