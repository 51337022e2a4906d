"""Attribute marginals: does the prior draw each kind of face as often as it occurs in the data?"""

from sdg.data.toyfaces import ATTRIBUTES, MARGINALS
from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure


class Marginals:
    """Share of each attribute value among unguided samples beside the data's, and the largest deviation.

    Args:
        least: fewest samples allowed; with 100, chance alone moves a share by 5 points.
    """

    protocol = (
        "share of each attribute value among unguided samples, as the judge reads it; data: its probability"
    )

    def __init__(self, least: int = 100):
        self.least = least

    def __call__(self, evidence: Evidence) -> list[Measure]:
        evidence.judge.toyfaces_side()
        count = len(evidence.unguided)
        if count < self.least:
            raise SDGError(
                f"marginals need {self.least} unguided samples or more, here are {count}: "
                "draw more (guidance.scale=0 samples_per_prompt=1000), or leave this metric out"
            )
        shares = [
            Measure(
                f"{name}/{value}", (column == i).double().mean().item(), count, beside=("data", probability)
            )
            for (name, values), column in zip(ATTRIBUTES.items(), evidence.unguided.attributes.T, strict=True)
            for i, (value, probability) in enumerate(zip(values, MARGINALS[name], strict=True))
        ]
        largest = max(abs(share.value - share.beside[1]) for share in shares if share.beside)
        return [Measure("largest_deviation", largest, count), *shares]
