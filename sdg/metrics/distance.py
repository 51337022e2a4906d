"""The Fréchet distance of samples to a reference, on any named features."""

from sdg.metrics.evidence import Evidence
from sdg.metrics.frechet import frechet_distance
from sdg.metrics.measure import Measure


class Frechet:
    """Distance of the guided samples, or of all samples if none were guided, to the reference.

    It has no interval: resampled sets hold fewer distinct pictures, which alone increases the distance.

    Args:
        features: name of an extractor. The distance is FID, and called so, on ``inception_tf`` only.
    """

    compares = True

    def __init__(self, features: str):
        self.features = (features,)
        self.protocol = (
            f"squared Fréchet distance (unbiased covariances, float64) of {features} features of the samples "
            "to those of the whole reference"
        )

    def __call__(self, evidence: Evidence) -> list[Measure]:
        (name,) = self.features
        reference = evidence.reference_moments(name)
        samples = evidence.features.moments(name, evidence.samples, evidence.rows)
        return [Measure("", frechet_distance(samples, reference), samples.count)]
