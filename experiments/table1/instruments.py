"""Metrics of this experiment only, in addition to those of ``conf/metrics``."""

from experiments.baselines.measures import faithful
from sdg.metrics.evidence import Evidence
from sdg.metrics.measure import Measure


class Kept:
    """Attributes of the targeted toy face that the judge reads off the samples."""

    protocol = (
        "share of the reference's eight true attributes that the judge reads off the sample; 95 % "
        "intervals over targets and noises"
    )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        measure = faithful(evidence)["attributes kept"]
        return [Measure("", measure.value, measure.count, measure.interval)]
