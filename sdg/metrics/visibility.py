"""Visibility: which sentences an encoder can tell apart in a noised picture, at every noise level."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.metrics.bootstrap import bootstrap, multiplicities, percentiles
from sdg.randomness import keyed_generator

Encode = Callable[[Tensor, int], Tensor]
"""Noised pictures (B, 3, H, W) and their timestep -> embeddings (B, D) of length 1."""


@dataclass(frozen=True)
class Question:
    """Which of two sentences is true of a picture?"""

    a: str
    b: str
    rows_a: Tensor
    """(N,) int64, the pictures of which ``a`` is true."""
    rows_b: Tensor
    """(M,) int64, those of which ``b`` is true."""
    paired: bool = False
    """Whether the i-th pictures of both are the same but for what the sentences say; then N = M."""


@dataclass(frozen=True)
class Answer:
    """How well a question is answered at each of the measured levels."""

    a: str
    b: str
    accuracy: list[float]
    """Chance that of two pictures, one of each kind, ``a`` fits its own better than the other; 0.5: blind."""
    interval: list[tuple[float, float]]
    """95 % bootstrap intervals over pictures."""
    margin: list[float]
    """Mean of cos(E', a) - cos(E', b) over the pictures of ``a``, minus that over those of ``b``."""
    count: int
    """Pictures of the rarer kind."""


@torch.no_grad()
def visibility(
    encode: Encode,
    texts: Callable[[Sequence[str]], Tensor],
    schedule: NoiseSchedule,
    pictures: Tensor,
    questions: Sequence[Question],
    levels: Sequence[int],
    batch_size: int = 128,
    draws: int = 500,
) -> list[Answer]:
    """Ask every question at every level. Every picture has noise of its own, which depends on t and its row.

    A picture's score is cos(E'(x_t, t), a) - cos(E'(x_t, t), b): only the order of scores counts, as for the
    gradient of guidance, which a constant added to a score does not change.

    Args:
        texts: sentences -> their embeddings (S, D) of length 1.
        pictures: (P, 3, H, W) in [-1, 1]; those of all questions.
        levels: timesteps.
        draws: bootstrap resamples.

    Raises:
        SDGError: no questions, or one without pictures.
    """
    if not questions:
        raise SDGError("there is nothing to tell apart: give pairs of sentences")
    if empty := [q for q in questions if not len(q.rows_a) or not len(q.rows_b)]:
        raise SDGError(f"no pictures tell {empty[0].a!r} from {empty[0].b!r}: give pictures of both")
    directions = torch.stack([torch.sub(*texts([q.a, q.b])) for q in questions])
    scores = [_embed(encode, schedule, pictures, t, batch_size) @ directions.T for t in levels]
    answers = []
    for number, question in enumerate(questions):
        found = [_answer(level[:, number], question, draws) for level in scores]
        accuracy, interval, margin = (list(column) for column in zip(*found, strict=True))
        count = min(len(question.rows_a), len(question.rows_b))
        answers.append(Answer(question.a, question.b, accuracy, interval, margin, count))
    return answers


def limit(
    schedule: NoiseSchedule, pictures: Tensor, question: Question, levels: Sequence[int]
) -> list[float]:
    """The accuracy of an eye that knows both pictures of each pair, by level: what noise itself takes away.

    The best test of two Gaussians projects on the difference d of their means; of two pictures with noise of
    their own it is right with probability Φ(√ᾱ |d| / √(2 (1 - ᾱ))). Encoders, which see a face for the first
    time, must stay below.

    Args:
        question: paired.
    """
    apart = (pictures[question.rows_a] - pictures[question.rows_b]).flatten(1).norm(dim=1).double()
    alpha_bar = schedule.alpha_bar[list(levels)].double()
    sizes = (alpha_bar / (2 * (1 - alpha_bar))).sqrt()
    return torch.special.ndtr(sizes[:, None] * apart).mean(dim=1).tolist()


def ranked(scores: Tensor, share: float = 0.25) -> tuple[Tensor, Tensor]:
    """Rows of the highest and of the lowest ``share`` of scores (P,): pictures of which an encoder is sure.

    Raises:
        SDGError: there are too few pictures.
    """
    count = int(len(scores) * share)
    if count < 2:
        raise SDGError(f"{len(scores)} pictures are too few to tell anything from: give {int(2 / share)}")
    order = scores.argsort(stable=True)
    return order[-count:], order[:count]


def _embed(encode: Encode, schedule: NoiseSchedule, pictures: Tensor, t: int, batch_size: int) -> Tensor:
    parts = []
    for number, batch in enumerate(pictures.split(batch_size)):
        noise = torch.randn(batch.shape, generator=keyed_generator("visibility", t, number))
        noised = schedule.diffuse(batch, torch.full((len(batch),), t), noise)
        parts.append(encode(noised, t).float().cpu())
    return torch.cat(parts)


def _answer(scores: Tensor, question: Question, draws: int) -> tuple[float, tuple[float, float], float]:
    a, b = scores[question.rows_a].double(), scores[question.rows_b].double()
    margin = float(a.mean() - b.mean())
    if question.paired:
        wins = _wins(a, b)
        # All resamples at once: there are many questions.
        times = multiplicities(len(wins), draws, keyed_generator("bootstrap", 0))
        (interval,) = percentiles((wins @ times / len(wins))[:, None])
        return float(wins.mean()), interval, margin
    wins = _wins(a[:, None], b[None])
    (found,) = bootstrap(lambda i, j: wins[i][:, j].mean().view(1), *wins.shape, draws=draws)
    accuracy = float(wins.mean())
    return accuracy, found or (accuracy, accuracy), margin


def _wins(a: Tensor, b: Tensor) -> Tensor:
    """1 where a is larger, 0 where b is, a half where they are equal."""
    return ((a > b).double() + (a >= b).double()) / 2
