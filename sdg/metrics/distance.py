"""The Fréchet distance of samples to a reference, on any named features."""

from sdg.metrics.evidence import Evidence
from sdg.metrics.frechet import contributions, frechet_distance
from sdg.metrics.intervals import Spread
from sdg.metrics.measure import Measure, measured

_CHUNK = 1024


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
            "to those of the whole reference; it falls as sets grow; 95 % interval over targets and noises, "
            "for sets of this size and this reference"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        (name,) = self.features
        reference = evidence.reference_moments(name)
        samples = evidence.features.moments(name, evidence.samples, evidence.rows)
        value = frechet_distance(samples, reference)
        features = evidence.features.features(name, evidence.samples, evidence.rows)
        spread = Spread.of(evidence.units, contributions(features.split(_CHUNK), samples, reference))
        return [measured("", value, samples.count, spread)]
