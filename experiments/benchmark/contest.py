"""The contestants: ways to run a few steps with the same networks, noise and targets."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from experiments.benchmark.networks import Networks
from experiments.benchmark.released import ReleasedLoop
from experiments.benchmark.rival import AZULA, DIFFUSERS
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.timeline import Timeline
from sdg.estimators.sdg import SDG
from sdg.estimators.steer import Steer
from sdg.guidance.content import Content
from sdg.guidance.guidance import Guidance
from sdg.guidance.score import Aimed
from sdg.guidance.targets import Aim, Reference, TextTargets
from sdg.guidance.text import Text
from sdg.networks.time_encoder import TimeEncoder
from sdg.randomness import keyed_generator

GROUPS = UNET, STEP, BY_TEXT, BY_PICTURE = (
    "UNet",
    "unguided step",
    "step guided by text",
    "step guided by a picture",
)
OURS = "sdg"
HALF = "bfloat16"
QUICK: dict[str, dict[str, Any]] = {
    "channels_last": {},
    HALF: {"dtype": torch.bfloat16},
    "compiled": {"compile": True},
}
"""Faster settings of ``sample.py``, by name: channels_last for all, plus these."""
PROMPT = "a face"
SCALE = 100.0

Run = Callable[[], Tensor]


class Contestant(NamedTuple):
    """One way to run the steps of a group."""

    group: str
    name: str
    run: Run
    """Runs all steps; the output is the same for all contestants of a group."""


def contestants(networks: Networks, options: argparse.Namespace) -> list[Contestant]:
    """All contestants, on the device of ``networks``, which are not modified; compiled ones come last."""
    course = _Course(networks, options)
    denoiser, rivals, encoder, _ = networks
    theirs = denoiser.around(rivals[DIFFUSERS])
    words, prompts = course.words(encoder), [PROMPT] * options.batch
    found = [
        Contestant(UNET, OURS, course.forwards(denoiser.network)),
        Contestant(UNET, DIFFUSERS, course.forwards(theirs.network)),
        Contestant(STEP, OURS, course.chain(denoiser)),
        Contestant(STEP, f"sdg's loop, {DIFFUSERS}' UNet", course.chain(theirs)),
        Contestant(STEP, "as released", course.released(denoiser)),
        Contestant(BY_TEXT, OURS, course.chain(denoiser, words)),
        Contestant(BY_TEXT, f"sdg's loop, {DIFFUSERS}' UNet", course.chain(theirs, words)),
        Contestant(BY_TEXT, "as released", course.released(denoiser, prompts=prompts)),
        Contestant(BY_PICTURE, OURS, course.chain(denoiser, course.picture)),
        Contestant(BY_PICTURE, "sdg, shared reference", course.chain(denoiser, course.shared_picture)),
        Contestant(BY_PICTURE, "as released", course.released(denoiser, picture=True)),
    ]
    if AZULA in rivals:
        adm = denoiser.around(rivals[AZULA])
        found += [
            Contestant(UNET, AZULA, course.forwards(adm.network)),
            Contestant(BY_TEXT, f"as released, {AZULA}'s UNet", course.released(adm, prompts=prompts)),
        ]
    for way, settings in QUICK.items():
        if "compile" in settings and (not options.compile or course.device.type == "meta"):
            continue
        if "dtype" in settings and options.dtype != "float32":  # all runs are in half precision
            continue
        quick = networks.quick(channels_last=True, **settings)
        found += [
            Contestant(UNET, f"{OURS}, {way}", course.forwards(quick.denoiser.network)),
            Contestant(UNET, f"{DIFFUSERS}, {way}", course.forwards(quick.rivals[DIFFUSERS])),
            Contestant(STEP, f"{OURS}, {way}", course.chain(quick.denoiser)),
            Contestant(BY_TEXT, f"{OURS}, {way}", course.chain(quick.denoiser, course.words(quick.encoder))),
        ]
    return found


class _Course:
    """What all share (timeline, noise and targets), and the kinds of runs over it."""

    def __init__(self, networks: Networks, options: argparse.Namespace):
        self.denoiser, _, self.encoder, self.clip = networks
        self.device, self.batch, self.steps = self.clip.device, options.batch, options.steps
        self.timeline = Timeline(self.denoiser.schedule, options.steps)
        self.keys = [(0, index) for index in range(options.batch)]
        # One stream for all samples: runs that share a reference draw it once, the others B times.
        self.reference_keys = [(0, 0)] * options.batch
        shape = (self.denoiser.channels, self.denoiser.image_size, self.denoiser.image_size)
        clean = torch.randn(shape, generator=keyed_generator("benchmark")).clamp(-1, 1).to(self.device)
        self.clean = clean.expand(options.batch, *shape).contiguous()
        self.x = NoiseSource(self.keys).normal(shape, self.device)
        self.scale = torch.full((options.batch,), SCALE, device=self.device)
        self.texts = TextTargets(self.clip)
        self.content = Guidance(self.encoder, {"content": Content()}, SCALE)

    def forwards(self, network: nn.Module) -> Run:
        """One forward of a UNet for each step."""
        t = torch.full((1,), self.timeline.steps[-1].t, dtype=torch.int64, device=self.device)
        x = self.x.to(next(network.parameters()).dtype)

        @torch.no_grad()
        def run() -> Tensor:
            for _ in range(self.steps):
                output = network(x, t)
            return output

        return run

    def chain(self, denoiser: Denoiser, score: Callable[[], Aimed] | None = None) -> Run:
        """The steps as ``sample.py`` takes them."""

        def run() -> Tensor:
            noise = NoiseSource(self.keys)
            pilot = Steer(SDG(), score(), noise.other("estimate")) if score else None
            return generate(denoiser, DDPM(), self.timeline, noise, pilot, device=self.device)

        return run

    def released(self, denoiser: Denoiser, picture: bool = False, **guided: Any) -> Run:
        """The steps as the released code takes them."""
        loop = ReleasedLoop(denoiser, self.encoder, self.clip, self.timeline)

        def run() -> Tensor:
            if picture:
                noise = NoiseSource(self.reference_keys, "reference")
                guided.update(reference=self.clean, reference_noise=noise)
            return loop(NoiseSource(self.keys), SCALE, **guided)

        return run

    def words(self, encoder: TimeEncoder) -> Callable[[], Aimed]:
        guidance = Guidance(encoder, {"text": Text()}, SCALE)
        target = [PROMPT] * self.batch
        return lambda: Aimed(guidance, Aim(guidance.encode, {"text": self.texts(target)}, {}), self.scale)

    def picture(self) -> Aimed:
        return self._towards(Reference(self.clean, NoiseSource(self.reference_keys, "reference")))

    def shared_picture(self) -> Aimed:
        rows = torch.zeros(self.batch, dtype=torch.int64, device=self.device)
        noise = NoiseSource(self.reference_keys[:1], "reference")
        return self._towards(Reference(self.clean[:1], noise, rows=rows))

    def _towards(self, reference: Reference) -> Aimed:
        return Aimed(self.content, Aim(self.content.encode, {}, {"content": reference}), self.scale)


def apart(found: list[Contestant]) -> Mapping[str, float]:
    """Norm of the difference of each output from ours, relative to the norm of ours; runs every one."""
    ours = {one.group: one.run() for one in found if one.name == OURS}
    distances = {}
    for group, name, run in found:
        expected = ours[group]
        distances[f"{group}: {name}"] = float((run().to(expected) - expected).norm() / expected.norm())
    return distances
