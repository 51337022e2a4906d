"""Guided sampling as a LightningModule: Trainer.predict draws the plan."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Step, Timeline
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.targets import TextTargets
from sdg.sampling.plan import PlanEntry


class Sample(NamedTuple):
    """A finished sample."""

    entry: PlanEntry
    image: Tensor
    """(3, S, S) uint8, on the CPU."""
    score: float | None
    """F of the finished picture, unscaled; None where nothing guided it."""
    finite: bool
    """False when the picture holds NaN or infinity and is worth nothing."""


class GuidedSampling(pl.LightningModule):
    """Draws batches of plan entries. What is drawn for an entry does not depend on the batch it comes in.

    Args:
        steps: respacing of the timeline, as :class:`Timeline` takes it.
        texts: gives the targets of the prompts.
        group: samples the networks see at a time, whatever the size of a batch; the last group is filled up.
            Kernels are chosen by the size of their input and each rounds differently, and guided chains
            amplify that until it shows: only a fixed size draws the same picture to the bit.
        on_step: called after every step with the number of images in the batch; a progress bar may listen.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        sampler: Sampler,
        steps: int | str,
        guidance: Guidance,
        texts: TextTargets,
        group: int = 4,
        on_step: Callable[[int], None] = lambda images: None,
    ):
        super().__init__()
        if guidance.encoder.image_size != denoiser.image_size:
            raise SDGError(
                f"the prior draws {denoiser.image_size}-px images and the encoder reads "
                f"{guidance.encoder.image_size}-px ones: choose a prior and an encoder that match"
            )
        if group < 1:
            raise SDGError(f"group={group} is no number of samples: use 1 or more")
        self.group = group
        self.denoiser = denoiser.eval().requires_grad_(False)
        self.guidance, self.sampler, self.texts, self.on_step = guidance, sampler, texts, on_step
        self.timeline = Timeline(denoiser.schedule, steps)

    def predict_step(self, batch: Sequence[PlanEntry], batch_idx: int = 0) -> list[Sample]:
        """The samples of ``batch``, in its order."""
        groups = [batch[i : i + self.group] for i in range(0, len(batch), self.group)]
        return [sample for group in groups for sample in self._draw(group)]

    def _draw(self, entries: Sequence[PlanEntry]) -> list[Sample]:
        """The samples of at most one group."""
        batch = [*entries, *[entries[-1]] * (self.group - len(entries))]
        targets = {"text": self.texts([entry.prompt for entry in batch])}
        scale = torch.tensor([entry.scale for entry in batch], device=self.device)
        guided = any(entry.scale for entry in batch)

        def guide(x_t: Tensor, step: Step) -> Tensor:
            t = torch.full((1,), step.t, dtype=torch.int64, device=x_t.device)
            return self.guidance(x_t, t, targets, scale).gradient

        images = generate(
            self.denoiser,
            self.sampler,
            self.timeline,
            NoiseSource([(entry.seed, entry.index) for entry in batch]),
            guide if guided else None,
            observe=lambda *_: self.on_step(len(entries)),
            device=self.device,
        )
        first = torch.zeros(1, dtype=torch.int64, device=self.device)
        steering = self.guidance(images, first, targets, torch.ones_like(scale))
        score = sum(self.guidance.weights[name] * value for name, value in steering.scores.items())
        pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu()
        finite = images.isfinite().flatten(1).all(dim=1)
        return [
            Sample(entry, image, None if entry.prompt is None else round(value, 4), ok)
            for entry, image, value, ok in zip(entries, pixels, score.tolist(), finite.tolist(), strict=False)
        ]
