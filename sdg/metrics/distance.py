"""The Fréchet distance of samples to a reference, on any named features."""

from sdg.metrics.evidence import Evidence
from sdg.metrics.frechet import contributions, frechet_distance
from sdg.metrics.intervals import Spread
from sdg.metrics.measure import Measure, measured
from sdg.metrics.pictures import Pictures
from sdg.metrics.units import Units


class Frechet:
    """Distance of the guided samples, or of all samples if none were guided, to the reference.

    Args:
        features: name of an extractor. The distance is FID, and called so, on ``inception_tf`` only.
    """

    compares = True

    def __init__(self, features: str):
        self.features = (features,)
        self.protocol = (
            f"squared Fréchet distance (unbiased covariances, float64) of {features} features of the samples "
            "to those of the whole reference; it falls as sets grow; 95 % interval over targets, noises and "
            "the reference's pictures, where these are given, for sets of this size"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        (name,) = self.features
        reader, its = evidence.features, evidence.reference
        reference = evidence.reference_moments(name)
        samples = reader.moments(name, evidence.samples, evidence.rows)
        value = frechet_distance(samples, reference)
        own = contributions(reader.parts(name, evidence.samples, evidence.rows), samples, reference)
        spreads = [Spread.of(evidence.units, own)]
        if isinstance(its, Pictures):
            there = contributions(reader.parts(name, its, range(len(its))), reference, samples)
            spreads.append(Spread.of(Units.alone(len(its)), there))
        return [measured("", value, samples.count, *spreads)]
