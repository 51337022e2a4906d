"""Whole chains that are timed: ours as ``sample.py`` draws them, and others with the same weights."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from omegaconf import OmegaConf
from torch import Tensor, nn

from experiments.benchmark.released import ReleasedLoop
from experiments.benchmark.rival import diffusers_unet, rival
from experiments.grid import Way
from experiments.running import configuration
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.timeline import Timeline
from sdg.sampling.build import build_method
from sdg.sampling.networks import Compute, Networks
from sdg.sampling.plan import PlanEntry

PROMPT, STEPS = "a smiling face", 100


class Chain(NamedTuple):
    """A way to draw some pictures."""

    name: str
    run: Callable[[], object]
    """Draws them from noise to the end."""


def chains(guided: Sequence[Way], free: Sequence[Way], pictures: int, settings: Sequence[str]) -> list[Chain]:
    """All chains, for so many pictures at a time."""
    networks = Networks("cuda" if torch.cuda.is_available() else "cpu")
    found = [
        _ours(way, pictures, settings, networks, guides) for ways, guides in ((guided, True), (free, False))
        for way in ways
    ]  # fmt: skip
    return [*found, *_others(pictures, settings, networks)]


def race(found: Sequence[Chain], rounds: int) -> Mapping[Chain, list[float]]:
    """Seconds of each chain in each round, in turns; each has been run once before."""
    times: dict[Chain, list[float]] = {chain: [] for chain in found}
    min(found, key=_seconds)  # warms up
    for number in range(rounds):
        print(f"timing round {number + 1} of {rounds}", flush=True)
        for chain in found if number % 2 else reversed(found):
            times[chain].append(_seconds(chain))
    return times


def _seconds(chain: Chain) -> float:
    start = time.perf_counter()
    chain.run()
    return time.perf_counter() - start


def _ours(way: Way, pictures: int, settings: Sequence[str], networks: Networks, guides: bool) -> Chain:
    config = configuration("sample", [*way.settings, *settings, f"group={pictures}"])
    method = build_method(config, networks)
    prompt = PROMPT if guides else None
    method.check([PROMPT] if guides else [], [])  # encodes it
    entries = [PlanEntry(i, prompt, None, 0, i, method.scale) for i in range(pictures)]
    return Chain(way.name, lambda: method.draw(entries))


def _others(pictures: int, settings: Sequence[str], networks: Networks) -> list[Chain]:
    """Habits of the released code around our networks; diffusers' UNet and scheduler with a cond_fn."""
    config = configuration("sample", list(settings))
    prior, encoder = (_plain(config[name]) for name in ("prior", "encoder"))
    denoiser, tower = networks.denoiser(prior, Compute()), networks.tower(encoder, Compute())
    clip, keys = networks.texts(encoder).clip, [(0, i) for i in range(pictures)]
    scale, prompts = float(config.guidance.scale), [PROMPT] * pictures
    loop = ReleasedLoop(denoiser, tower, clip, Timeline(denoiser.schedule, STEPS))  # type: ignore[arg-type]
    theirs = rival(denoiser.network, prior["denoiser"]["network"], diffusers_unet)
    target = clip.encode_text(prompts)
    shape = (pictures, denoiser.channels, denoiser.image_size, denoiser.image_size)
    return [
        Chain("as released, 100 steps", lambda: loop(NoiseSource(keys), scale, prompts)),
        Chain("diffusers and a cond_fn, 100 steps", lambda: cond_fn(theirs, tower, target, scale, shape)),
    ]


@torch.no_grad()
def cond_fn(
    unet: nn.Module, encoder: nn.Module, target: Tensor, scale: float, shape: Sequence[int]
) -> Tensor:
    """Classifier guidance as a user of diffusers writes it, with CLIP in place of the classifier.

    Args:
        unet: predicts x_0 from (x_t, t), on the linear schedule of 1000 timesteps.
        encoder: of x_t; its cosine with ``target``, (B, D), is what is raised.
        shape: of what is drawn, (B, C, S, S).
    """
    from diffusers import DDPMScheduler

    scheduler: Any = DDPMScheduler(
        1000, 1e-4, 0.02, "linear", prediction_type="sample", timestep_spacing="linspace"
    )
    scheduler.set_timesteps(STEPS)
    device = target.device
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(tuple(shape), generator=generator).to(device)
    for t in scheduler.timesteps:
        at = t.view(1).to(device)
        with torch.enable_grad():
            shown = x.detach().requires_grad_()
            likeness = F.cosine_similarity(encoder(shown, at).pooled, target, dim=-1)
            (gradient,) = torch.autograd.grad(likeness.sum(), shown)
        mean = scheduler.step(unet(x, at), t, x, generator=generator).prev_sample
        x = mean + scheduler._get_variance(t).to(device) * scale * gradient
    return x


def _plain(node: Any) -> dict[str, Any]:
    settings: Any = OmegaConf.to_container(node, resolve=True)
    return dict(settings)
