"""Chains of a diffusion prior: guided, constrained, both or neither."""

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from sdg.diffusion.codec import Codec
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import Moment, walk
from sdg.diffusion.reuse import Reuse
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.estimators.estimator import Estimator
from sdg.estimators.sdg import SDG
from sdg.estimators.steer import Steer
from sdg.guidance.guidance import Guidance
from sdg.guidance.score import Aimed, Said
from sdg.networks.split import Split
from sdg.pixels import to_bytes
from sdg.populations.population import Crowd, Population, Selection
from sdg.sampling.aims import Aims
from sdg.sampling.constraints import Constraints
from sdg.sampling.method import Method, Sample, View
from sdg.sampling.plan import PlanEntry
from sdg.sampling.start import Start
from sdg.sampling.trace import Trace

SMALL = 64
"""Side in pixels of the largest picture, one at a time, whose networks gain from running side by side."""


class GuidedSampling(Method):
    """One chain of the prior per sample.

    Args:
        aims: the guidance and its targets; None for no guidance.
        start: where the chain begins.
        constraints: what every state must satisfy.
        estimator: how guidance enters the chain; None: as in the paper.
        population: several chains for each picture; ``group`` counts chains.
        snapshots: keep x̂_0 every this many steps; 0 keeps none.
        trace: whether records include the numbers of every step.
        side_by_side: whether prior and encoder run at once on a processor with two threads or more, each on
            half of them (:mod:`sdg.diffusion.branches`); None: for a guided picture up to :data:`SMALL`,
            drawn alone.
        reuse: at which steps the prior's inner blocks are not computed; None: at none.

    Raises:
        SDGError: the encoder reads pictures of another size than the prior draws, estimator or population
            does not suit the chain, the other, or what the encoder is shown, or a number is invalid; or
            the estimator needs what it cannot have, beside a prior or through one that is not computed whole.
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
        population: Population | None = None,
        *,
        group: int = 4,
        snapshots: int = 0,
        trace: bool = True,
        side_by_side: bool | None = False,
        reuse: Reuse | None = None,
    ):
        guidance = aims.guidance if aims else None
        scale = guidance.scale if guidance else 0.0
        super().__init__(denoiser.picture_size, len(timeline), scale, _entries(group, population))
        if guidance and guidance.encoder.image_size != denoiser.picture_size:
            raise SDGError(
                f"the prior draws {denoiser.picture_size}-px images and the encoder reads "
                f"{guidance.encoder.image_size}-px ones: choose a prior and an encoder that match"
            )
        if guidance:
            guidance.check([level for step in timeline for level in (step.level, step.level_s)])
        if snapshots < 0:
            raise SDGError(f"snapshots={snapshots} is no number of steps: use 0 (none) or more")
        self.estimator = estimator or SDG()
        self.estimator.fit(sampler, timeline)
        self.population = population
        if population:
            _check(population, self.estimator, guidance)
            population.fit(sampler, timeline)
        if aims and aims.clean != (self.estimator.reads == "clean"):
            raise SDGError(
                f"{type(self.estimator).__name__} reads {self.estimator.reads} pictures, and the targets are "
                f"for {'clean' if aims.clean else 'noisy'} ones: make Aims with clean={not aims.clean}"
            )
        self.denoiser = denoiser.eval().requires_grad_(False)
        self.sampler, self.timeline, self.aims, self.start = sampler, timeline, aims, start or Start()
        self.constraints = constraints or Constraints(self.start)
        self.constraints.fit(denoiser.codec)
        self.snapshots, self.trace = snapshots, trace
        self.side_by_side = group == 1 and self._apart(guidance) if side_by_side is None else side_by_side
        if self.side_by_side and not self.estimator.apart:
            raise SDGError(
                f"{type(self.estimator).__name__} waits for what the prior says, and cannot run beside it: "
                "use side_by_side=null, or estimator=sdg"
            )
        self.reuse = reuse
        if reuse:
            self._check_reuse(reuse)

    @property
    def codec(self) -> Codec:
        """Between the prior's states and pictures."""
        return self.denoiser.codec

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
        each = self.population.particles if self.population else 1
        crowd = [entry for entry in entries for _ in range(each)]
        noise = NoiseSource([(*entry.key, *([k] if k else [])) for entry in entries for k in range(each)])
        trace, score = Trace(self.snapshots, self.codec.decode), self.aims(crowd) if self.aims else None
        steer, held = (
            self._steer(crowd, score, noise),
            self.constraints(crowd, self.size, self.codec, self.device),
        )
        choice = self._selection(entries, score)
        begun = self.start.picture(self.size, self.device)
        split = Split(self.denoiser.network, self.reuse.blocks) if self.reuse else None
        moments = walk(
            self.denoiser.around(split) if split else self.denoiser,
            self.sampler,
            self.timeline,
            noise,
            steer,
            start=None if begun is None else self.codec.encode(begun),
            constrain=held,
            device=self.device,
            side_by_side=self.side_by_side,
        )
        rows: Tensor | None = None
        for number, step in enumerate(self.timeline, start=1):
            if split and self.reuse:
                split.fresh = self.reuse.whole(step)
            moment = moments.send(rows)
            said = score.said if score and steer and steer.found else None
            trace(moment, None if steer and steer.reusing else said)
            images = moment.x_s
            yield self._view(number, moment, said, trace.clipped[-1], len(entries))
            rows = choice(moment) if choice else None
            if rows is not None:
                for part in (steer or score, held, trace, split):
                    if part is not None:
                        part.keep(rows)
        if choice:
            rows = choice.choose(images)
            images = images[rows]
            trace.keep(rows)
            if score:
                score.keep(rows)
        scores = score.finished(self.codec.settle(images)) if score else {}
        return self._finish(entries, self.codec.decode(images), scores, trace)

    def _check_reuse(self, reuse: Reuse) -> None:
        """Raises SDGError if the chain, the prior or the estimator does not go with it."""
        if self.estimator.pulls:
            raise SDGError(
                f"{type(self.estimator).__name__} takes gradients through the prior, of which sampler.reuse "
                "computes only a part: use sampler.reuse=none, or estimator=sdg"
            )
        reuse.fit(self.timeline)
        Split(self.denoiser.network, reuse.blocks)

    def _apart(self, guidance: Guidance | None) -> bool:
        """Whether the networks of a step gain from running side by side.

        Not where nothing is guided: such pictures are those of no guidance at all, to the bit.
        """
        guided = guidance and guidance.scale and not all(guidance.rests(step.level) for step in self.timeline)
        return bool(guided) and self.estimator.apart and self.size <= SMALL

    def _steer(self, entries: Sequence[PlanEntry], score: Aimed | None, noise: NoiseSource) -> Steer | None:
        """What steers the group; None if nothing does."""
        scales = [bool(entry.scale) for entry in entries]
        if score is None or not any(scales):
            return None
        active = None if all(scales) else torch.tensor(scales, device=self.device)[:, None, None, None]
        draws, end = noise.other("estimate"), not (self.population and self.population.untwisted_end)
        guidance = score.guidance
        return Steer(self.estimator, score, draws, guidance.every, active, end, guidance.every_from)

    def _selection(self, entries: Sequence[PlanEntry], score: Aimed | None) -> Selection | None:
        """What chooses among the particles of the group; None if each picture has one chain."""
        if self.population is None or score is None:
            return None
        keys, guided = [entry.key for entry in entries], [bool(entry.scale) for entry in entries]
        crowd = Crowd(keys, guided, self.estimator.reads == "clean")
        return self.population.over(score, self.sampler, crowd)

    def _view(self, number: int, moment: Moment, said: Said | None, clipped: Tensor, entries: int) -> View:
        """A step as it is shown; of a population, the first particle of each entry."""
        first = slice(None, None, len(clipped) // entries)
        predicted = moment.x_s if moment.step.last else moment.prior.x0
        return View(
            number,
            moment.step.t,
            self.codec.decode(predicted[first]),
            {name: score[first] for name, score in said.scores.items()} if said else {},
            said.rms[first] if said else None,
            clipped[first],
        )

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
            if self.reuse:
                steps[i]["reused"] = [step.t for step in self.timeline if not self.reuse.whole(step)]
            record = {
                "scores": {name: round(value[i], 4) for name, value in values.items()} if entry.aimed else {},
                "trace": steps[i] if self.trace else None,
            }
            end = None if finite[i] else self.steps
            # An unguided sample's gradient, finite or not, does not move it.
            stopped = lost[i] if entry.scale else None
            samples.append(Sample(entry, pixels[i], record, stopped or end, strips[i]))
        return samples


def _entries(group: int, population: Population | None) -> int:
    """How many entries make a group of ``group`` chains."""
    each = population.particles if population else 1
    if group > 0 and group % each:
        raise SDGError(
            f"group={group} is not made of whole populations of {each}: use a multiple, such as {4 * each}"
        )
    return group // each


def _check(population: Population, estimator: Estimator, guidance: Guidance | None) -> None:
    """Raises SDGError for a population that has nothing to go by, or that the estimator would mislead."""
    name = type(population).__name__
    if guidance is None:
        raise SDGError(f"{name} chooses by guidance, and there is none: choose guidance=text, or ~population")
    if population.untwisted_end and (estimator.turns_noise or estimator.recurrence.turns > 1):
        raise SDGError(
            f"{name} weighs steps with noise of their own, taken once: use an estimator such as sdg or "
            "clip_x0, and estimator.recurrence.turns=1"
        )
