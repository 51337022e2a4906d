"""Where sampling starts, and which part of a picture it must keep."""

from pathlib import Path

import torch

from sdg.data.picture import picture_size, read_picture
from sdg.errors import SDGError


class Start:
    """Noise, or a picture to edit.

    Args:
        image: path of the picture to begin from; None: pure noise.
        strength: share of the chain to run, above 0 (nearly all of the picture is kept) to 1 (nothing is);
            None: 0.6 with a picture, 1 without.
        mask: path of a mask with the picture's proportions: white is redrawn, black is kept.

    Raises:
        SDGError: a file is not a picture, there is a mask or strength without a picture, or the mask has
            other proportions.
    """

    def __init__(self, image: str | None = None, strength: float | None = None, mask: str | None = None):
        if mask is not None and image is None:
            raise SDGError("start.mask keeps parts of a picture, and there is none: give start.image=FILE")
        if strength is not None and image is None:
            raise SDGError(
                "start.strength is how far back a picture is taken, and there is none: give start.image=FILE"
            )
        width_height = None if image is None else picture_size(image)
        if width_height and mask is not None:
            (w, h), (mask_w, mask_h) = width_height, picture_size(mask)
            if w * mask_h != h * mask_w:
                raise SDGError(
                    f"{mask} is {mask_w} x {mask_h} pixels and {image} {w} x {h}: "
                    "give a mask of the picture's proportions"
                )
        self.image, self.mask = image, mask
        self.strength = strength if strength is not None else 1.0 if image is None else 0.6

    def picture(self, size: int, device: torch.device) -> torch.Tensor | None:
        """The clean picture to begin from, (1, 3, size, size) in [-1, 1]; None for pure noise."""
        return None if self.image is None else read_picture(Path(self.image), size)[None].to(device)
