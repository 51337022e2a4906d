"""Whole chains that are timed: ours as ``sample.py`` draws them, and others with the same weights."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from omegaconf import OmegaConf
from torch import Tensor, nn

from experiments.benchmark.released import ReleasedLoop
from experiments.benchmark.rival import diffusers_unet, rival
from experiments.grid import Way
from experiments.racing import PROMPT, Run, drawing
from experiments.running import configuration
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.level import CLEAN
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.schedule import VarianceExploding
from sdg.diffusion.timeline import Step, Timeline
from sdg.sampling.networks import Compute, Networks

STEPS = 100
DEEPINV = "deepinv"
PAIR, PAPER = "encoder=toyfaces", "guidance=text_paper"
"""What guides every chain, whatever is the default elsewhere: what is on file stays comparable."""


def chains(ways: Sequence[Way], pictures: int, settings: Sequence[str]) -> dict[str, Run]:
    """All chains by name, of so many pictures at a time."""
    networks = Networks("cuda" if torch.cuda.is_available() else "cpu")
    ours = {
        way.name: drawing([*way.settings, *settings, f"group={pictures}"], networks) for way in ways
    }  # fmt: skip
    return ours | _others(pictures, settings, networks)


def _others(pictures: int, settings: Sequence[str], networks: Networks) -> dict[str, Run]:
    """The released code's habits around our networks; diffusers' UNet and scheduler with a cond_fn; deepinv's
    DPS, if it is installed.
    """
    config = configuration("sample", [PAPER, *settings])
    prior, encoder = (_plain(config[name]) for name in ("prior", "encoder"))
    denoiser, tower = networks.denoiser(prior, Compute()), networks.tower(encoder, Compute())
    clip, keys = networks.texts(encoder).clip, [(0, i) for i in range(pictures)]
    scale, prompts = float(config.guidance.scale), [PROMPT] * pictures
    loop = ReleasedLoop(denoiser, tower, clip, Timeline(denoiser.schedule, STEPS))  # type: ignore[arg-type]
    theirs = rival(denoiser.network, prior["denoiser"]["network"], diffusers_unet)
    target = clip.encode_text(prompts)
    shape = (pictures, denoiser.channels, denoiser.image_size, denoiser.image_size)

    def by_diffusers() -> Tensor:
        return cond_fn(theirs, tower, target, scale, shape, STEPS, torch.Generator().manual_seed(0))

    found: dict[str, Run] = {
        "as released, 100 steps": lambda: loop(NoiseSource(keys), scale, prompts),
        "diffusers and a cond_fn, 100 steps": by_diffusers,
    }
    if find_spec(DEEPINV):
        clean = networks.tower(encoder, Compute(), clean=True)
        found["deepinv's DPS, 100 steps"] = lambda: dps(denoiser, clean, target, scale, shape, STEPS)
    return found


@torch.no_grad()
def cond_fn(
    unet: nn.Module,
    encoder: nn.Module,
    target: Tensor,
    scale: float,
    shape: Sequence[int],
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Classifier guidance as a user of diffusers writes it, with CLIP in place of the classifier.

    Args:
        unet: predicts x_0 from (x_t, t), on the linear schedule of 1000 timesteps.
        encoder: of x_t; its cosine with ``target``, (B, D), is what is raised.
        shape: of what is drawn, (B, C, S, S).
        generator: on the host.
    """
    from diffusers import DDPMScheduler

    settings = {"beta_schedule": "linear", "prediction_type": "sample", "timestep_spacing": "linspace"}
    scheduler: Any = DDPMScheduler(1000, 1e-4, 0.02, **settings)
    scheduler.set_timesteps(steps)
    device = target.device
    x = torch.randn(tuple(shape), generator=generator).to(device)
    for t in scheduler.timesteps:
        at = t.view(1).to(device)
        with torch.enable_grad():
            shown = x.detach().requires_grad_()
            likeness = F.cosine_similarity(encoder(shown, at).pooled, target, dim=-1)
            (gradient,) = torch.autograd.grad(likeness.sum(), shown)
        after = scheduler.step(unet(x, at), t, x, generator=generator).prev_sample
        x = after + scheduler._get_variance(t).to(device) * scale * gradient
    return x


def dps(
    denoiser: Denoiser, encoder: nn.Module, target: Tensor, weight: float, shape: Sequence[int], steps: int
) -> Tensor:
    """deepinv's DPS, with what CLIP says of a picture as what is measured of it: pictures about [-1, 1].

    Its gradient passes back through the prior, which makes a step dearer.

    Args:
        encoder: CLIP's own, of clean pictures.
        target: (B, D), the embeddings to measure, of length 1.
        weight: of the distance to them, a norm.
        shape: of what is drawn, (B, C, S, S).
    """
    from deepinv.models import Denoiser as Base
    from deepinv.physics import Physics
    from deepinv.sampling import DPS

    noise = VarianceExploding()

    class Prior(Base):
        def forward(self, x: Tensor, sigma: Tensor, **_: object) -> Tensor:
            """x = x_0 + sigma n; sigma is the same for all."""
            level = noise.level(float(torch.as_tensor(sigma).flatten()[0])).unit
            return denoiser.free(level.alpha * x, Step(1, level, CLEAN, 0.0)).x0

    def measure(x: Tensor) -> Tensor:
        return F.normalize(encoder(x, torch.zeros(1, dtype=torch.int64, device=x.device)).pooled, dim=-1)

    rng = torch.Generator(target.device).manual_seed(0)
    settings = {"weight": weight, "minus_one_one": False, "rng": rng, "device": target.device}
    model = DPS(Prior(), num_steps=steps, **settings)
    drawn: Tensor = model(target, Physics(A=measure), x_init=tuple(shape))
    return drawn


def _plain(node: Any) -> dict[str, Any]:
    settings: Any = OmegaConf.to_container(node, resolve=True)
    return dict(settings)
