"""Retrieval of what guided a sample, from a pool of others, by an encoder that did not guide it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.intervals import mean_spread, share_interval
from sdg.metrics.measure import Measure, measured
from sdg.metrics.pictures import FolderPictures
from sdg.metrics.retrieval import ranks
from sdg.metrics.units import Units

TOPS = (1, 5, 10, 20)


class Found(NamedTuple):
    """Result of a search."""

    ranks: Tensor
    """(N,) int64, the rank of every guided sample's own target."""
    pool: int
    """Distinct answers."""

    def hits(self, k: int) -> Tensor:
        """(N,) float64, whether each is found among the first k."""
        return (self.ranks < k).double()


class TextRetrieval:
    """Picture to text: whether a sample's own prompt is among the k that fit it best.

    Texts that the encoder cannot tell apart are one answer: for the judge, phrasings of the same mentions.

    Args:
        encoder: name of an extractor that reads texts, and did not guide.
        pool: file of further texts, one per line, or lines like {"prompt": …}; None: only the run's prompts.
        least: fewest distinct answers allowed.
    """

    compares = False

    def __init__(self, encoder: str, pool: str | Path | None = None, least: int = 100):
        self.features, self.pool, self.least = (encoder,), pool, least
        self.protocol = (
            f"share of guided samples whose own prompt is among the k most similar by {encoder}, in a pool "
            f"of the run's prompts{'' if pool is None else f' and those of {Path(pool).name}'} ({least} or "
            "more); texts that it cannot tell apart are one; ties count against the sample; 95 % intervals "
            "over targets and noises"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        (found,) = self.search(evidence, self.features)
        return _measures(found, evidence.units)

    def search(self, evidence: Evidence, encoders: Sequence[str]) -> list[Found]:
        """The ranks of every guided sample's prompt, by encoders that read texts, in one pool for all.

        Raises:
            SDGError: samples without prompts, or too small a pool.
        """
        evidence.need_targets()
        prompts = [prompt for prompt, _ in evidence.targets]
        if None in prompts:
            raise SDGError(
                f"some guided samples of {evidence.samples.source} have no prompt to find: choose a metric "
                "of reference retrieval"
            )
        own = [str(prompt) for prompt in prompts]
        texts = list(dict.fromkeys([*own, *([] if self.pool is None else read_prompts(self.pool))]))
        vectors = [evidence.features.extractor(encoder).texts(texts).cpu() for encoder in encoders]
        place = alike([each.unique(dim=0, return_inverse=True)[1] for each in vectors])
        if (size := int(place.max()) + 1) < self.least:
            raise SDGError(
                f"retrieval needs a pool of {self.least} different texts, here are {size}: draw more "
                "prompts, or give the metric pool=FILE with further texts, or a lower least"
            )
        answers = place[[texts.index(prompt) for prompt in own]].tolist()
        return [
            _search(evidence, _features(evidence, encoder), each, answers, place)
            for encoder, each in zip(encoders, vectors, strict=True)
        ]


class ReferenceRetrieval:
    """Picture to picture: whether a sample's own reference is among the k most similar to it.

    Args:
        encoder: name of an extractor that did not guide.
        least: fewest distinct references allowed.
    """

    compares = False

    def __init__(self, encoder: str, least: int = 100):
        self.features, self.least = (encoder,), least
        self.protocol = (
            "share of guided samples whose own reference, as the run has it in its folder, is among the k "
            f"most similar by the cosine of {encoder} features, in a pool of the run's references ({least} "
            "or more); ties count against the sample; 95 % intervals over targets and noises"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        (encoder,) = self.features
        rows = evidence.need_targets()
        files = [evidence.samples.records[each[0]].get("reference_file") for each in rows]
        if None in files:
            raise SDGError(
                f"some guided samples of {evidence.samples.source} have no reference to find: choose a "
                "metric of text retrieval"
            )
        pool = list(dict.fromkeys(map(str, files)))
        if len(pool) < self.least:
            raise SDGError(
                f"retrieval needs a pool of {self.least} different references, here are {len(pool)}: draw "
                "towards more of them, or give the metric a lower least"
            )
        folder = Path(evidence.samples.source)
        references = FolderPictures(folder / "references", [folder / file for file in pool])
        vectors = evidence.features.features(encoder, references, range(len(pool)))
        features = _features(evidence, encoder)
        answers = [pool.index(str(file)) for file in files]
        found = _search(
            evidence,
            F.normalize(features, dim=1),
            F.normalize(vectors, dim=1),
            answers,
            torch.arange(len(pool)),
        )
        return _measures(found, evidence.units)


class AdversarialGap:
    """How much better the guide finds its own prompts than an encoder that did not guide.

    Args:
        guide: name of the extractor that guided.
        held_out: name of one that did not.
        pool: as for ``TextRetrieval``.
        least: likewise.
    """

    compares = False

    def __init__(self, guide: str, held_out: str, pool: str | Path | None = None, least: int = 100):
        self.features = (guide, held_out)
        self.text = TextRetrieval(held_out, pool, least)
        self.protocol = (
            f"top-k retrieval of the prompt by {guide} minus that by {held_out}, both in one pool of "
            f"the run's prompts{'' if pool is None else f' and those of {Path(pool).name}'} ({least} or "
            "more); texts that either cannot tell apart are one; ties count against the sample; 95 % "
            "intervals over targets and noises"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        by_guide, by_other = self.text.search(evidence, self.features)
        measures, units = [], evidence.units
        for k in _tops(by_guide.pool):
            guides, gap = by_guide.hits(k), by_guide.hits(k) - by_other.hits(k)
            beside = ("by the guide", guides.mean().item())
            spread = mean_spread(units, gap)
            measures.append(measured(f"top_{k}", gap.mean().item(), len(gap), spread, beside=beside))
        return measures


def alike(places: Sequence[Tensor]) -> Tensor:
    """One class for all texts that are in one class by any of several encoders: (M,) int64 from 0 on.

    Args:
        places: for each encoder, the class (M,) of every text.
    """
    place = places[0]
    while True:
        before = place
        for other in places:
            # All texts of one class of the other get the lowest class among them.
            least = torch.full((int(other.max()) + 1,), len(place)).scatter_reduce(0, other, place, "amin")
            place = least[other]
        place = place.unique(return_inverse=True)[1]
        if torch.equal(place, before.unique(return_inverse=True)[1]):
            return place


def _features(evidence: Evidence, encoder: str) -> Tensor:
    return evidence.features.features(encoder, evidence.samples, evidence.rows)


def _search(
    evidence: Evidence, features: Tensor, vectors: Tensor, answers: Sequence[int], place: Tensor
) -> Found:
    """Ranks of the targets' ``answers``, for features (N, D) of all guided samples.

    Args:
        vectors: (M, D); ``place`` (M,) says which answer each stands for, and the best of them counts.
    """
    sizes = torch.tensor([len(rows) for rows in evidence.targets.values()])
    right, pool = torch.tensor(answers).repeat_interleave(sizes), int(place.max()) + 1
    fits = features.double() @ vectors.double().T
    best = torch.full((len(fits), pool), -torch.inf, dtype=fits.dtype)
    best = best.scatter_reduce(1, place.expand(len(fits), -1), fits, "amax")
    return Found(ranks(best, right), pool)


def _measures(found: Found, units: Units) -> list[Measure]:
    measures = []
    for k in _tops(found.pool):
        hits, chance = found.hits(k), ("chance", k / found.pool)
        spread = mean_spread(units, hits)
        measures.append(
            measured(f"top_{k}", hits.mean().item(), len(hits), spread, beside=chance, ends_of=share_interval)
        )
    return measures


def _tops(pool: int) -> list[int]:
    return [k for k in TOPS if k < pool]
