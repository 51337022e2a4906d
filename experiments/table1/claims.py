"""The paper's claims, checked against the rows.

Rows that share prompts, references or noises are compared pair by pair, and verdicts are corrected for their
number.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.differences import chance, difference, holm, scaled
from experiments.table1.rows import BY_PICTURE, SHUFFLED
from sdg.metrics.measure import Measure

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "not measurable here"
CHANCE = "chance"
LOWER = {"distance"}
"""Columns in which lower is better."""
COMPETITIVE = 0.553 / 0.749
"""SDG's top-1 as a share of StyleGAN+CLIP's, both by text, in the paper's table."""


class Claim(NamedTuple):
    """That one row is better than another."""

    text: str
    column: str
    better: str
    than: str
    """A row, or chance."""
    share: float = 1.0
    """Share of the other's value that is enough."""


CLAIMS = (
    Claim("SDG by pictures is closer to the data than ILVR", "distance", "sdg_image", "ilvr"),
    Claim("SDG by pictures is more diverse than ILVR", "diversity", "sdg_image", "ilvr"),
    Claim("SDG by pictures is found by its references more often than ILVR", "top_1", "sdg_image", "ilvr"),
    Claim("SDG by words is closer to the data than StyleGAN+CLIP", "distance", "sdg_text", "stylegan_clip"),
    Claim("SDG by words is more diverse than StyleGAN+CLIP", "diversity", "sdg_text", "stylegan_clip"),
    Claim(
        f"its alignment is competitive: {COMPETITIVE:.0%} of StyleGAN+CLIP's top-1, as in the paper, or more",
        *("top_1", "sdg_text", "stylegan_clip", COMPETITIVE),
    ),
    Claim("RQ1: words lead an unconditional prior", "top_1", "sdg_text", CHANCE),
    Claim("RQ2: a picture leads it", "top_1", "sdg_image", CHANCE),
    Claim("RQ3: words lead it beside a picture", "top_1", "sdg_mix_20", CHANCE),
    Claim("RQ3: the picture leads it beside the words", "top_1", BY_PICTURE, CHANCE),
    Claim("control: SDG by words beats itself with shuffled prompts", "top_5", "sdg_text", SHUFFLED),
)


class Verdict(NamedTuple):
    """The outcome of a claim."""

    claim: Claim
    word: str
    why: str
    difference: Measure | None = None


def judge(
    claims: Sequence[tuple[Claim, float]], values: Mapping[str, Mapping[str, Measure | None]]
) -> list[Verdict]:
    """Check claims against the measured rows; with probability 95 % no verdict but "not measurable" is wrong.

    Args:
        claims: each with the probability that the right one of its pool is ranked first by chance.
    """
    found = [_compared(claim, values, first) for claim, first in claims]
    chances = [None if one.difference is None else chance(one.difference) for one in found]
    tested = [number for number, each in enumerate(chances) if each is not None]
    real = dict(zip(tested, holm([each for each in chances if each is not None]), strict=True))
    return [_decided(one, real[number]) if number in real else one for number, one in enumerate(found)]


def _compared(claim: Claim, values: Mapping[str, Mapping[str, Measure | None]], first: float) -> Verdict:
    """The difference that a claim is about, not judged yet."""
    known = {**values, CHANCE: {"top_1": Measure("", first, 0, (first, first))}}
    for name in (claim.better, claim.than):
        if name not in known:
            return Verdict(claim, UNKNOWN, f"there is no row {name}")
        if known[name].get(claim.column) is None:
            return Verdict(claim, UNKNOWN, f"{claim.column} of {name} was not measured")
    pair = [known[name][claim.column] for name in (claim.better, claim.than)]
    better, than = (measure for measure in pair if measure is not None)
    apart = difference(better, scaled(than, claim.share))
    return Verdict(claim, UNKNOWN, "too few samples for an interval", apart)


def _decided(verdict: Verdict, real: bool) -> Verdict:
    claim, apart = verdict.claim, verdict.difference
    if not real or apart is None:
        return verdict._replace(why="this could be chance")
    ahead = (apart.value < 0) == (claim.column in LOWER)
    return verdict._replace(word=HOLDS if ahead else FAILS, why="")
