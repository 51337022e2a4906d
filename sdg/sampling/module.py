"""Guided sampling as a LightningModule: Trainer.predict draws the plan."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import Moment, generate
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Level, Timeline
from sdg.errors import SDGError
from sdg.sampling.aims import Aims
from sdg.sampling.plan import PlanEntry
from sdg.sampling.start import Start
from sdg.sampling.trace import Trace, to_bytes

CLEAN = Level(0, 1.0, 1.0)


class Sample(NamedTuple):
    """A finished sample."""

    entry: PlanEntry
    image: Tensor
    """(3, S, S) uint8, on the CPU."""
    record: dict
    """What the manifest says of it: F_k of the finished picture (``scores``), and the steps (``trace``)."""
    lost: int | None
    """The step, from 1, at which it became NaN or infinite and worth nothing; None for a good sample."""
    strip: Tensor | None = None
    """Predicted clean images on the way, side by side, (3, S, n S) uint8."""


class GuidedSampling(pl.LightningModule):
    """Draws batches of plan entries. What is drawn for an entry does not depend on the batch it comes in.

    Args:
        aims: gives a group of samples its targets; holds the guidance.
        start: where the chain begins, and what must be kept.
        group: samples the networks see at a time, whatever the size of a batch; the last group is filled up.
            Kernels are chosen by the size of their input and each rounds differently, and guided chains
            amplify that until it shows: only a fixed size draws the same picture to the bit.
        snapshots: keep x̂_0 of every that many steps; 0: of none.
        trace: whether records hold the numbers of every step.
        on_step: called after every step with the number of images in the batch; a progress bar may listen.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        sampler: Sampler,
        timeline: Timeline,
        aims: Aims,
        start: Start | None = None,
        *,
        group: int = 4,
        snapshots: int = 0,
        trace: bool = True,
        on_step: Callable[[int], None] = lambda images: None,
    ):
        super().__init__()
        encoder = aims.guidance.encoder
        if encoder.image_size != denoiser.image_size:
            raise SDGError(
                f"the prior draws {denoiser.image_size}-px images and the encoder reads "
                f"{encoder.image_size}-px ones: choose a prior and an encoder that match"
            )
        if group < 1:
            raise SDGError(f"group={group} is no number of samples: use 1 or more")
        if snapshots < 0:
            raise SDGError(f"snapshots={snapshots} is no number of steps: use 0 (none) or more")
        self.denoiser = denoiser.eval().requires_grad_(False)
        self.sampler, self.timeline, self.aims, self.start = sampler, timeline, aims, start or Start()
        self.group, self.snapshots, self.trace = group, snapshots, trace
        self.on_step = on_step

    def predict_step(self, batch: Sequence[PlanEntry], batch_idx: int = 0) -> list[Sample]:
        """The samples of ``batch``, in its order."""
        groups = [batch[i : i + self.group] for i in range(0, len(batch), self.group)]
        return [sample for group in groups for sample in self._draw(group)]

    def _draw(self, entries: Sequence[PlanEntry]) -> list[Sample]:
        """The samples of at most one group."""
        group = [*entries, *[entries[-1]] * (self.group - len(entries))]
        keys, size = [entry.key for entry in group], self.denoiser.image_size
        aim, guidance = self.aims(group), self.aims.guidance
        scale = torch.tensor([entry.scale for entry in group], device=self.device)
        trace = Trace(self.snapshots)

        def guide(x: Tensor, level: Level) -> Tensor | None:
            if guidance.rests(level):
                return None
            steering = guidance(x, level, aim.at(level), scale)
            trace.steered(level, steering)
            return steering.gradient

        def observe(moment: Moment) -> None:
            trace(moment)
            self.on_step(len(entries))

        images = generate(
            self.denoiser,
            self.sampler,
            self.timeline,
            NoiseSource(keys),
            guide if any(entry.scale for entry in group) else None,
            start=self.start.picture(size, self.device),
            constrain=self.start.constraint(keys, size, self.device),
            observe=observe,
            device=self.device,
        )
        scores = guidance.scores(guidance.encode(images, CLEAN), aim.at(CLEAN))
        return self._finish(entries, images, scores, trace)

    def _finish(
        self, entries: Sequence[PlanEntry], images: Tensor, scores: dict[str, Tensor], trace: Trace
    ) -> list[Sample]:
        pixels, finite = to_bytes(images).cpu(), images.isfinite().flatten(1).all(dim=1).tolist()
        values = {name: score.tolist() for name, score in scores.items()}
        steps, lost, strips = trace.records(), trace.lost(), trace.strips()
        samples = []
        for i, entry in enumerate(entries):
            if entry.scale == 0:
                # Whether the guide looks at a sample that it does not guide depends on the sample's group.
                steps[i].pop("guided", None)
            aimed = entry.scale != 0 or entry.prompt is not None or entry.reference is not None
            record = {
                "scores": {name: round(value[i], 4) for name, value in values.items()} if aimed else {},
                "trace": steps[i] if self.trace else None,
            }
            end = None if finite[i] else len(self.timeline)
            samples.append(Sample(entry, pixels[i], record, lost[i] or end, strips[i]))
        return samples
