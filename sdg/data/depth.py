"""Greyscale pictures of more than eight bits, whose white must be known before they can be shown."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, SAMPLEFORMAT

from sdg.errors import SDGError

_SIGNED = 2
"""TIFF's number for a sample that may be negative."""
_FEWEST = 8
"""Bits of a sample, at least."""


def eight_bits(image: Image.Image, tags: Mapping[int, Any], name: str) -> Image.Image:
    """A picture of one channel in Pillow's modes I and F, scaled to mode L; Pillow itself would clip at 255.

    White is 1 for floats and, for whole numbers, the largest of their bits. TIFFs of 32-bit numbers never use
    them all: there, it is the largest number of the fewest bits that hold the picture's values.

    Args:
        tags: of a TIFF, as Pillow reads them; of any other format, none.
        name: what errors call it.

    Raises:
        SDGError: values below black or above white.
    """
    bits = tags.get(BITSPERSAMPLE, (16,))[0]
    signed = tags.get(SAMPLEFORMAT, (1,))[0] == _SIGNED
    values = np.asarray(image)
    if image.mode == "F":
        white = 1
    elif bits < 32:
        white = 2 ** (bits - signed) - 1
    else:
        values = values if signed else values.view(np.uint32)
        white = 2 ** max(_FEWEST, int(values.max()).bit_length()) - 1
    if not (values.min() >= 0 and values.max() <= white):
        raise SDGError(f"{name} has pixel values outside 0 … {white}: save it as an 8- or 16-bit picture")
    shares = values.astype(np.float64) / white
    if tags.get(PHOTOMETRIC_INTERPRETATION) == 0:  # TIFF's "white is zero", which Pillow heeds up to 8 bits
        shares = 1 - shares
    return Image.fromarray(np.rint(shares * 255).astype(np.uint8))
