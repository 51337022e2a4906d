r"""ILVR (Choi et al. 2021, arXiv 2108.02938): every state takes its low frequencies from a reference.

After a step x_t -> x_s, guided or not,

.. math:: x_s \leftarrow x_s - \phi(x_s) + \phi(y_s), \qquad y_s \sim q(y_s | y)

where y is the reference picture, noised afresh each time. The larger φ's factor N, the fewer frequencies are
held and the freer the sample.
"""

from typing import Literal

from torch import Tensor, nn

from sdg.baselines.resize import LowPass
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.timeline import Step
from sdg.errors import SDGError


class ILVR(nn.Module):
    """The references' constraint on x_s, applied after a step.

    Args:
        image_size: side S of the pictures.
        factor: N, a power of two that divides S; 1 leaves nothing to the prior.
        range_t: only steps with a larger *respaced* index are constrained (as released): the last
            ``range_t + 1`` are free; -1 constrains all.
        level: noise level of the reference: ``s`` is that of x_s (the paper), ``t`` that of x_t before the
            step (the released code).

    Raises:
        SDGError: an invalid factor or level.
    """

    def __init__(self, image_size: int, factor: int, range_t: int = 0, level: Literal["s", "t"] = "s"):
        super().__init__()
        if level not in ("s", "t"):
            raise SDGError(f"ILVR's level={level} is unknown: use s (the paper) or t (the released code)")
        self.low_pass = LowPass(image_size, factor)
        self.range_t, self.level = range_t, level

    def forward(self, x_s: Tensor, step: Step, reference: Tensor, noise: NoiseSource) -> Tensor:
        """The constrained x_s.

        Args:
            x_s: (B, C, S, S), the state after ``step``.
            reference: clean pictures y (B or 1, C, S, S) in [-1, 1].
            noise: the references' own, from a stream that nothing else uses; drawn once for each
                constrained step.

        Raises:
            SDGError: references of another shape.
        """
        if reference.shape[1:] != x_s.shape[1:]:
            shapes = ["x".join(map(str, images.shape[1:])) for images in (reference, x_s)]
            raise SDGError(
                f"a reference of {shapes[0]} cannot hold samples of {shapes[1]}: crop and resize it"
            )
        if step.index <= self.range_t:
            return x_s
        level = step.level_s if self.level == "s" else step.level
        y_s = level.diffuse(reference, noise.normal(x_s.shape[1:], x_s.device))
        # φ is linear: a single pass computes φ(y_s) - φ(x_s).
        return x_s + self.low_pass(y_s - x_s)
