"""A CLIP of anyone's as the encoder of clean pictures."""

from typing import Any

from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.time_encoder import Features


class PlainEncoder(nn.Module):
    """Gives a CLIP's embedding of pictures and nothing else: for terms that read only that, text and content.

    Args:
        clip: has ``encode_image``, of pictures (B, 3, S, S) about [-1, 1], and ``image_size``, S.

    Raises:
        SDGError: it lacks one of them.
    """

    def __init__(self, clip: nn.Module):
        super().__init__()
        if missing := [name for name in ("encode_image", "image_size") if not hasattr(clip, name)]:
            raise SDGError(
                f"{type(clip).__name__} has no {missing[0]}, which guiding clean pictures needs: give it one"
            )
        self.clip: Any = clip
        self.image_size = clip.image_size

    def forward(self, x: Tensor, t: Tensor) -> Features:
        """The features of clean pictures; t is not read."""
        return Features((), self.clip.encode_image(x))
