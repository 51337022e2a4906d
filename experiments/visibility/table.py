"""The table: accuracy with its interval, and the margin."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.results import save_page
from sdg.metrics.visibility import Answer


def write_table(
    at: Sequence[int],
    answers: Sequence[Answer],
    plain: Sequence[Answer],
    told: str,
    folder: Path,
    words: str,
    machine: str,
    limits: Mapping[tuple[str, str], Sequence[float]],
) -> None:
    """``results.md``.

    Args:
        answers: by the encoder at the timesteps ``at``.
        plain: by plain CLIP at the first of them.
        told: where the pictures are from.
        limits: by pair of sentences, what an eye that knows the pictures would reach.
    """
    head = f"| sentences | plain CLIP, t = {at[0]} | {' | '.join(f't = {t}' for t in at)} |"
    rule = "|---" * (2 + len(at)) + "|"
    lines = [
        "# What the encoder can tell apart",
        "",
        f"`{words}`, on {machine}; {told}; noise of its own for each picture.",
        "",
        "![The map](curve.png)",
        "",
        "## How often, with 95 % intervals",
        "",
        "Of two pictures, one of each kind, the first sentence fits its own better; 0.5 is chance.",
        "",
        head,
        rule,
        *(
            _row(own, [_accuracy(clip, 0), *(_accuracy(own, i) for i in range(len(at)))])
            for own, clip in zip(answers, plain, strict=True)
        ),
        "",
        "## By how much",
        "",
        "Difference of the two cosines, on average, between pictures of the first kind and of the second.",
        "",
        head,
        rule,
        *(
            _row(own, [f"{value:.3f}" for value in (clip.margin[0], *own.margin)])
            for own, clip in zip(answers, plain, strict=True)
        ),
        "",
        *(_limits(at, limits) if limits else []),
    ]
    save_page(folder / "results.md", lines, __package__)


def _limits(at: Sequence[int], limits: Mapping[tuple[str, str], Sequence[float]]) -> list[str]:
    return [
        "## What noise leaves to be told",
        "",
        "The first table's numbers for an eye that knows the face, and asks which of its two pictures it is.",
        "",
        f"| sentences | {' | '.join(f't = {t}' for t in at)} |",
        "|---" * (1 + len(at)) + "|",
        *(f"| {a} / {b} | {' | '.join(f'{value:.2f}' for value in row)} |" for (a, b), row in limits.items()),
        "",
    ]


def _row(answer: Answer, cells: Sequence[str]) -> str:
    return f"| {answer.a} / {answer.b} | {' | '.join(cells)} |"


def _accuracy(answer: Answer, i: int) -> str:
    low, high = answer.interval[i]
    return f"{answer.accuracy[i]:.2f}" + (f" ({low:.2f} … {high:.2f})" if high > low else "")
