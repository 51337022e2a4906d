"""Retrieval of what guided a sample, from a pool of others, by an encoder that did not guide it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.metrics.bootstrap import bootstrap
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure
from sdg.metrics.pictures import FolderPictures
from sdg.metrics.retrieval import ranks

TOPS = (1, 5, 10, 20)


class Found(NamedTuple):
    """Result of a search."""

    ranks: list[Tensor]
    """The ranks of each target's samples: (n,) int64."""
    pool: int
    """Distinct answers."""

    def hits(self, k: int) -> Tensor:
        """For each target, how many samples are found among the first k, and how many it has: (P, 2)."""
        counts = [[float((each < k).sum()), len(each)] for each in self.ranks]
        return torch.tensor(counts, dtype=torch.float64)


class TextRetrieval:
    """Picture to text: whether a sample's own prompt is among the k that fit it best.

    Texts that the encoder cannot tell apart are one answer: for the judge, phrasings of the same mentions.

    Args:
        encoder: name of an extractor that reads texts, and did not guide.
        pool: file of further texts, one per line, or lines like {"prompt": …}; None: only the run's prompts.
        least: fewest distinct answers allowed.
        draws: bootstrap resamples.
    """

    compares = False

    def __init__(self, encoder: str, pool: str | Path | None = None, least: int = 100, draws: int = 1000):
        self.features, self.pool, self.least, self.draws = (encoder,), pool, least, draws
        self.protocol = (
            f"share of guided samples whose own prompt is among the k most similar by {encoder}, in a pool "
            f"of the run's prompts{'' if pool is None else f' and those of {Path(pool).name}'} ({least} or "
            "more); texts that it cannot tell apart are one; ties count against the sample; 95 % bootstrap "
            "intervals over targets"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        return _measures(self.search(evidence, self.features[0]), self.draws)

    def search(self, evidence: Evidence, encoder: str) -> Found:
        """The rank of every guided sample's prompt, by any encoder that reads texts.

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
        vectors, place = (
            evidence.features.extractor(encoder).texts(texts).cpu().unique(dim=0, return_inverse=True)
        )
        if len(vectors) < self.least:
            raise SDGError(
                f"retrieval needs a pool of {self.least} different texts, here are {len(vectors)}: draw more "
                "prompts, or give the metric pool=FILE with further texts, or a lower least"
            )
        features = evidence.features.features(encoder, evidence.samples, evidence.rows)
        return _search(evidence, features, vectors, [int(place[texts.index(prompt)]) for prompt in own])


class ReferenceRetrieval:
    """Picture to picture: whether a sample's own reference is among the k most similar to it.

    Args:
        encoder: name of an extractor that did not guide.
        least: fewest distinct references allowed.
        draws: bootstrap resamples.
    """

    compares = False

    def __init__(self, encoder: str, least: int = 100, draws: int = 1000):
        self.features, self.least, self.draws = (encoder,), least, draws
        self.protocol = (
            "share of guided samples whose own reference, as the run has it in its folder, is among the k "
            f"most similar by the cosine of {encoder} features, in a pool of the run's references ({least} "
            "or more); ties count against the sample; 95 % bootstrap intervals over targets"
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
        features = evidence.features.features(encoder, evidence.samples, evidence.rows)
        answers = [pool.index(str(file)) for file in files]
        found = _search(evidence, F.normalize(features, dim=1), F.normalize(vectors, dim=1), answers)
        return _measures(found, self.draws)


class AdversarialGap:
    """How much better the guide finds its own prompts than an encoder that did not guide.

    Args:
        guide: name of the extractor that guided.
        held_out: name of one that did not.
        pool: as for ``TextRetrieval``.
        least: likewise.
        draws: bootstrap resamples.
    """

    compares = False

    def __init__(
        self,
        guide: str,
        held_out: str,
        pool: str | Path | None = None,
        least: int = 100,
        draws: int = 1000,
    ):
        self.features, self.draws = (guide, held_out), draws
        self.text = TextRetrieval(held_out, pool, least)
        self.protocol = (
            f"top-k retrieval of the prompt by {guide} minus that by {held_out}, each in the same pool of "
            f"the run's prompts{'' if pool is None else f' and those of {Path(pool).name}'} ({least} or "
            "more) as in text retrieval; 95 % bootstrap intervals over targets, the same for both"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        by_guide, by_other = (self.text.search(evidence, name) for name in self.features)
        measures = []
        for k in _tops(by_guide.pool, by_other.pool):
            a, b = by_guide.hits(k), by_other.hits(k)
            value = _share(a) - _share(b)
            interval = bootstrap(lambda p, a=a, b=b: _share(a[p]) - _share(b[p]), len(a), draws=self.draws)[0]
            beside = ("by the guide", _share(a).item())
            measures.append(Measure(f"top_{k}", value.item(), int(a[:, 1].sum()), interval, beside))
        return measures


def _search(evidence: Evidence, features: Tensor, vectors: Tensor, answers: Sequence[int]) -> Found:
    """Ranks of the targets' ``answers`` in a pool (M, D), for features (N, D) of all guided samples."""
    sizes = [len(rows) for rows in evidence.targets.values()]
    right = torch.tensor(answers).repeat_interleave(torch.tensor(sizes))
    found = ranks(features.double() @ vectors.double().T, right)
    return Found(list(found.split(sizes)), len(vectors))


def _measures(found: Found, draws: int) -> list[Measure]:
    measures = []
    for k in _tops(found.pool):
        hits = found.hits(k)
        interval = bootstrap(lambda p, hits=hits: _share(hits[p]), len(hits), draws=draws)[0]
        count, chance = int(hits[:, 1].sum()), ("chance", k / found.pool)
        measures.append(Measure(f"top_{k}", _share(hits).item(), count, interval, chance))
    return measures


def _share(hits: Tensor) -> Tensor:
    """(P, 2) to (1,)."""
    found, asked = hits.sum(dim=0)
    return (found / asked)[None]


def _tops(*pools: int) -> list[int]:
    return [k for k in TOPS if k < min(pools)]
