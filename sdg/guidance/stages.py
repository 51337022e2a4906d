"""Which of the encoder's stage maps a term looks at, and how much each counts."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from sdg.errors import SDGError
from sdg.guidance.weight import number
from sdg.networks.time_encoder import Features

STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")


class StageWeights:
    """Weights of the five stages.

    Args:
        weights: by name; a stage that is not named is ignored.

    Raises:
        SDGError: an unknown stage, a weight that is not a finite number, or no nonzero weight.
    """

    def __init__(self, weights: Mapping[str, float]):
        if stray := weights.keys() - set(STAGES):
            raise SDGError(f"stages names {sorted(stray)}: the encoder has {', '.join(STAGES)}")
        self.weights = {STAGES.index(name): w for name, w in weights.items() if number(w, f"stages.{name}")}
        if not self.weights:
            raise SDGError(
                f"stages weighs nothing: give for example {{layer3: 1}} out of {', '.join(STAGES)}"
            )

    @property
    def depth(self) -> int:
        """The deepest stage in use, of 0 … 4."""
        return max(self.weights)

    def pairs(self, features: Features, target: Features) -> Sequence[tuple[float, Tensor, Tensor]]:
        """(weight, map of x_t, map of the target) for every stage in use; maps (B or 1, C, H, W).

        Raises:
            SDGError: the encoder has fewer stages.
        """
        if max(self.weights) >= len(features.stages):
            raise SDGError(
                f"this encoder gives {len(features.stages)} stage maps, and a term reads "
                f"{STAGES[max(self.weights)]}: use guidance=text or content, or an encoder with all five"
            )
        return [(w, features.stages[k], target.stages[k]) for k, w in self.weights.items()]
