"""Drift of any pictures: does guidance move features along what the prompt does not mention?"""

import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.exchange import at_least, lots
from sdg.metrics.intervals import Spread
from sdg.metrics.measure import Measure, rooted


class FeatureDrift:
    """How far guidance moves the mean feature of a prompt's samples, apart from what the prompt asks for.

    What is asked for is taken out of the features: their components along the prompt's own text and along
    the mean of all prompts' texts. The distance is from the unguided samples of the same noises, in units of
    these samples' standard deviation. As for :class:`~sdg.metrics.drift.Drift`, chance alone makes it
    positive; if guided and unguided were exchanged at random in each pair, its square would be
    Σ|change|² / n² on average, which is subtracted, and the rest divided by 1 - 1/n.

    Texts do not describe all of what they ask for, so not even perfect guidance reaches 0: compare runs of
    the same prompts.

    Args:
        features: name of the features, which must read texts.
    """

    protocol = (
        "distance between the mean features of guided and unguided samples of the same noise, without their "
        "components along the prompt's text and along the mean text, relative to the standard deviation of "
        "the unguided ones; root of the mean of its square over prompts, less that by chance, which is "
        "the same with guided and unguided exchanged at random, by 1 - 1/n of n samples; 95 % interval over "
        "prompts and noises"
    )

    def __init__(self, features: str):
        self.features = (features,)

    def __call__(self, evidence: Evidence) -> list[Measure]:
        name, pictures = self.features[0], evidence.samples
        rows = evidence.need_targets()
        prompts = [prompt for prompt, _ in evidence.targets]
        if None in prompts:
            raise SDGError("drift of features is measured against prompts: give a run that has some")
        samples = len(rows[0])
        if samples < 2 or any(len(each) != samples for each in rows):
            raise SDGError(
                "drift needs two samples of a prompt, equally many of each: draw with a larger "
                "samples_per_prompt"
            )
        guided = evidence.features.features(name, pictures, [row for each in rows for row in each])
        unguided = evidence.features.features(name, pictures, evidence.unguided_rows)
        bases = _asked(evidence.features.extractor(name).texts([str(prompt) for prompt in prompts]).double())
        before = unguided.double()[evidence.partner_numbers()].unflatten(0, (len(prompts), samples))
        changes = _without(guided.double().unflatten(0, (len(prompts), samples)) - before, bases)
        deviations = _without(before - before.mean(dim=1, keepdim=True), bases).square().sum(dim=-1)
        spread, total = deviations.sum(dim=1) / (samples - 1), changes.sum(dim=1, keepdim=True)
        by_chance = changes.square().sum(dim=(1, 2)) / samples**2
        # The square without bias is the mean product of two samples' changes.
        to_others = (changes * (total - changes)).sum(dim=-1) / (samples - 1)
        squares = to_others.mean(dim=1)
        value = squares.mean() / spread.mean()
        # What a sample moves: the distance of its prompt, and the deviation that all is relative to.
        steps = 2 * to_others - squares[:, None]
        sizes = deviations * samples / (samples - 1)
        parts = (steps - value * sizes) / (samples * len(prompts) * spread.mean())
        mixed = (lots(evidence) @ changes).square().sum(dim=-1).mean(dim=0)
        null = mixed / (samples * (samples - 1) * spread.mean())
        spreads = at_least(Spread.of(evidence.units, parts.flatten()), null)
        chance = by_chance.mean() / spread.mean()
        return [rooted("", float(value), len(guided), *spreads, by_chance=float(chance))]


def _asked(texts: Tensor) -> Tensor:
    """Orthonormal directions (P, D, 2), of each text and of the mean text; zeros where they coincide."""
    own = torch.nn.functional.normalize(texts, dim=-1)
    mean = texts.mean(dim=0).expand_as(texts)
    rest = mean - (mean * own).sum(dim=-1, keepdim=True) * own
    # Of a single prompt, rounding is all that is left.
    rest = torch.where(rest.norm(dim=-1, keepdim=True) > 1e-6 * mean.norm(dim=-1, keepdim=True), rest, 0.0)
    return torch.stack([own, torch.nn.functional.normalize(rest, dim=-1)], dim=-1)


def _without(vectors: Tensor, bases: Tensor) -> Tensor:
    """Vectors (P, n, D) less their components along the columns of ``bases`` (P, D, 2)."""
    return vectors - vectors @ bases @ bases.transpose(1, 2)
