"""Constraints: conditions imposed on a state after a step of any sampler."""

from torch import Tensor

from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.timeline import Step


class KnownRegion:
    """Keeps part of an image: after every step that part is put back, noised to the level just reached.

    RePaint's combination without its resampling (Lugmayr et al. 2022, arXiv 2201.09865, eq. 8). The finished
    image contains the known part exactly.

    Args:
        image: clean, (B or 1, C, H, W) in [-1, 1].
        free: (B or 1, 1, H, W) in [0, 1]: 1 where the sampler may draw, 0 where the image is kept.
        noise: the known part's own source, one generator per sample.
    """

    def __init__(self, image: Tensor, free: Tensor, noise: NoiseSource):
        self.image, self.free, self.noise = image, free, noise

    def __call__(self, x_s: Tensor, step: Step) -> Tensor:
        known = step.level_s.diffuse(self.image, self.noise.normal(x_s.shape[1:], x_s.device))
        return self.free * x_s + (1 - self.free) * known

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order."""
        self.noise = self.noise.keep(rows)
        self.image, self.free = (part if len(part) == 1 else part[rows] for part in (self.image, self.free))
