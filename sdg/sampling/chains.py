"""Chains of a diffusion prior: guided, constrained, both or neither."""

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import walk
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.estimators.estimator import Estimator
from sdg.estimators.sdg import SDG
from sdg.estimators.steer import Steer
from sdg.guidance.score import Aimed
from sdg.pixels import to_bytes
from sdg.sampling.aims import Aims
from sdg.sampling.constraints import Constraints
from sdg.sampling.method import Method, Sample, View
from sdg.sampling.plan import PlanEntry
from sdg.sampling.start import Start
from sdg.sampling.trace import Trace


class GuidedSampling(Method):
    """One chain of the prior per sample.

    Args:
        aims: the guidance and its targets; None for no guidance.
        start: where the chain begins.
        constraints: what every state must satisfy.
        estimator: how guidance enters the chain; None: as in the paper.
        snapshots: keep x̂_0 every this many steps; 0 keeps none.
        trace: whether records include the numbers of every step.

    Raises:
        SDGError: the encoder reads pictures of another size than the prior draws, the estimator does not suit
            the chain or what the encoder is shown, or a number is invalid.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        sampler: Sampler,
        timeline: Timeline,
        aims: Aims | None = None,
        start: Start | None = None,
        constraints: Constraints | None = None,
        estimator: Estimator | None = None,
        *,
        group: int = 4,
        snapshots: int = 0,
        trace: bool = True,
    ):
        guidance = aims.guidance if aims else None
        super().__init__(denoiser.image_size, len(timeline), guidance.scale if guidance else 0.0, group)
        if guidance and guidance.encoder.image_size != denoiser.image_size:
            raise SDGError(
                f"the prior draws {denoiser.image_size}-px images and the encoder reads "
                f"{guidance.encoder.image_size}-px ones: choose a prior and an encoder that match"
            )
        if guidance:
            guidance.check([level for step in timeline for level in (step.level, step.level_s)])
        if snapshots < 0:
            raise SDGError(f"snapshots={snapshots} is no number of steps: use 0 (none) or more")
        self.estimator = estimator or SDG()
        self.estimator.fit(sampler, timeline)
        if aims and aims.clean != (self.estimator.reads == "clean"):
            raise SDGError(
                f"{type(self.estimator).__name__} reads {self.estimator.reads} pictures, and the targets are "
                f"for {'clean' if aims.clean else 'noisy'} ones: make Aims with clean={not aims.clean}"
            )
        self.denoiser = denoiser.eval().requires_grad_(False)
        self.sampler, self.timeline, self.aims, self.start = sampler, timeline, aims, start or Start()
        self.constraints = constraints or Constraints(self.start)
        self.snapshots, self.trace = snapshots, trace

    def waiting(self, kind: str) -> dict[str, str]:
        """What needs a target of this kind, in words, and how to leave each out."""
        return (self.aims.waiting(kind) if self.aims else {}) | self.constraints.waiting(kind)

    def check(self, prompts: Sequence[str], references: Sequence[str]) -> None:
        """Raises SDGError if a target is missing, is not read by anything, or cannot be used."""
        super().check(prompts, references)
        if self.aims:
            self.aims.check(prompts)

    def unknown_words(self, prompt: str) -> list[str]:
        """Words of a prompt that CLIP's tokenizer does not know."""
        return self.aims.texts.unknown_words(prompt) if self.aims else []

    def pictures(self, references: Sequence[str]) -> list[str]:
        """The paths of ``references`` and of the terms' own references, each once."""
        return self.aims.pictures(references) if self.aims else super().pictures(references)

    def chain(self, entries: Sequence[PlanEntry]) -> Generator[View, None, list[Sample]]:
        """Draw one group, step by step."""
        trace, noise = Trace(self.snapshots), NoiseSource([entry.key for entry in entries])
        score = self.aims(entries) if self.aims else None
        moments = walk(
            self.denoiser,
            self.sampler,
            self.timeline,
            noise,
            steer := self._steer(entries, score, noise),
            start=self.start.picture(self.size, self.device),
            constrain=self.constraints(entries, self.size, self.device),
            device=self.device,
        )
        for number, moment in enumerate(moments, 1):
            said = score.said if score and steer and steer.found else None
            trace(moment, None if steer and steer.reusing else said)
            images = moment.x_s
            yield View(
                number,
                moment.step.t,
                images if moment.step.last else moment.prior.x0,
                said.scores if said else {},
                said.rms if said else None,
                trace.clipped[-1],
            )
        return self._finish(entries, images, score.finished(images.clamp(-1, 1)) if score else {}, trace)

    def _steer(self, entries: Sequence[PlanEntry], score: Aimed | None, noise: NoiseSource) -> Steer | None:
        """What steers the group; None if nothing does."""
        scales = [bool(entry.scale) for entry in entries]
        if score is None or not any(scales):
            return None
        active = None if all(scales) else torch.tensor(scales, device=self.device)[:, None, None, None]
        return Steer(self.estimator, score, noise.other("estimate"), score.guidance.every, active)

    def _finish(
        self, entries: Sequence[PlanEntry], images: Tensor, scores: dict[str, Tensor], trace: Trace
    ) -> list[Sample]:
        pixels, finite = to_bytes(images).cpu(), images.isfinite().flatten(1).all(dim=1).tolist()
        values = {name: score.tolist() for name, score in scores.items()}
        steps, lost, strips = trace.records(), trace.lost(), trace.strips()
        samples = []
        for i, entry in enumerate(entries):
            if entry.scale == 0:
                # Whether the guide scores an unguided sample depends on the others in its group.
                steps[i].pop("guided", None)
            record = {
                "scores": {name: round(value[i], 4) for name, value in values.items()} if entry.aimed else {},
                "trace": steps[i] if self.trace else None,
            }
            end = None if finite[i] else self.steps
            # An unguided sample's gradient, finite or not, does not move it.
            stopped = lost[i] if entry.scale else None
            samples.append(Sample(entry, pixels[i], record, stopped or end, strips[i]))
        return samples
