"""The Fréchet distance of samples to a reference on features of any name."""

from sdg.metrics.evidence import Evidence
from sdg.metrics.frechet import frechet_distance
from sdg.metrics.measure import Measure


class Frechet:
    """Distance of the guided samples, or of all where nothing guided them, to the reference.

    It has no interval: resampled sets hold fewer different pictures, and the distance grows for that alone.

    Args:
        features: name of an extractor. On ``inception_tf`` it is FID; on others it is not, and not so called.
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
