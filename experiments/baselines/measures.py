"""Measures of samples aimed at prompts or at references."""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.controls.measures import face_attributes, kept_attributes, nuisance_distances
from experiments.differences import difference
from experiments.text_alignment.prompts import HELD_OUT
from sdg.baselines.resize import LowPass
from sdg.metrics.alignment import TextAlignment
from sdg.metrics.diversity import PairwiseDistance
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import mean_spread
from sdg.metrics.measure import Measure, measured
from sdg.metrics.pictures import FolderPictures
from sdg.metrics.retrieve import AdversarialGap, ReferenceRetrieval, TextRetrieval

LEAST = 40
"""Fewest different answers in the pool, which is the prompts of the text-alignment experiment."""
GUIDES = {"cosine by E'": "guide", "cosine by CLIP": "clip_guide"}
DIVERSITY = PairwiseDistance("judge", normalise=True)

Measures = Mapping[str, Measure | None]
"""None: does not apply to this method."""


def towards_prompts(evidence: Evidence, guide: str | None) -> Measures:
    """Measures of samples aimed at prompts of ``HELD_OUT``; ``guide`` is what guided them, if anything."""
    rates = aligned(evidence)
    by_judge = TextRetrieval("judge_answers", HELD_OUT, LEAST)(evidence)[0]
    gap = AdversarialGap(guide, "judge_answers", HELD_OUT, LEAST)(evidence)[0] if guide else None
    return {
        **rates,
        **{name: similarity(evidence, encoder) for name, encoder in GUIDES.items()},
        "found by its guide": gap and Measure("", gap.beside[1] if gap.beside else 0.0, gap.count),
        "found by the judge": by_judge,
        "adversarial gap": gap,
        "diversity": DIVERSITY(evidence)[0],
    }


def aligned(evidence: Evidence) -> dict[str, Measure]:
    """How much of what the prompts mention the judge sees."""
    rates = {measure.name: measure for measure in TextAlignment()(evidence)}
    return {"mentioned right": rates["mentioned"], "all right": rates["all"]}


def towards_references(evidence: Evidence, guide: str | None) -> Measures:
    """Measures of samples aimed at faces that ``python -m sdg.data.toyfaces`` wrote."""
    least = len(evidence.targets)
    by_judge = ReferenceRetrieval("judge", least)(evidence)[0]
    by_guide = ReferenceRetrieval(guide, least)(evidence)[0] if guide else None
    return {
        **faithful(evidence),
        **{name: similarity(evidence, encoder) for name, encoder in GUIDES.items()},
        "found by its guide": by_guide,
        "found by the judge": by_judge,
        "adversarial gap": by_guide and difference(by_guide, by_judge),
        "diversity": DIVERSITY(evidence)[0],
    }


def faithful(evidence: Evidence) -> dict[str, Measure]:
    """How much of a reference is kept: its true attributes, and its pose as the judge reads it."""
    pictures = references(evidence)
    truth = face_attributes(pictures.files[0].parent)
    attributes = torch.tensor([truth[path.name] for path in pictures.files])
    judge = evidence.judge
    nuisances = judge.read(pictures.batches(range(len(pictures)), judge.batch_size)).nuisances
    each = len(evidence.rows) // len(pictures)
    judged, rows = evidence.guided, range(len(evidence.rows))
    pose, _ = nuisance_distances(judged, rows, nuisances.repeat_interleave(each, dim=0))
    kept = kept_attributes(judged, rows, attributes.repeat_interleave(each, dim=0))
    return {
        "attributes kept": _over_targets(evidence, kept),
        "distance in pose": _over_targets(evidence, pose),
    }


def pixel_distance(evidence: Evidence, low_pass: LowPass) -> Measure:
    """Mean absolute difference of samples and references, both through φ, in levels of 255."""
    pictures = references(evidence)
    own = torch.cat(list(evidence.samples.batches(evidence.rows, 64))).double()
    wanted = torch.cat(list(pictures.batches(range(len(pictures)), 64))).double()
    away = low_pass(own - wanted.repeat_interleave(len(own) // len(wanted), dim=0))
    return _over_targets(evidence, away.abs().mean(dim=(1, 2, 3)))


def similarity(evidence: Evidence, encoder: str) -> Measure:
    """Mean cosine of samples and their targets."""
    features = evidence.features
    samples = features.features(encoder, evidence.samples, evidence.rows)
    if None in (prompts := [prompt for prompt, _ in evidence.targets]):
        targets = features.features(encoder, pictures := references(evidence), range(len(pictures)))
    else:
        targets = features.extractor(encoder).texts([str(prompt) for prompt in prompts]).cpu()
    each = len(samples) // len(targets)
    return _over_targets(evidence, F.cosine_similarity(samples, targets.repeat_interleave(each, dim=0)))


def references(evidence: Evidence) -> FolderPictures:
    """The reference of every target."""
    return FolderPictures("references", [Path(str(reference)) for _, reference in evidence.targets])


def _over_targets(evidence: Evidence, values: Tensor) -> Measure:
    """The mean of one value per sample, with an interval over targets and noises."""
    return measured("", values.double().mean().item(), len(values), mean_spread(evidence.units, values))
