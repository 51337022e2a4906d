"""Pictures and masks from files, prepared as the public checkpoints were trained on them."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sdg.data.depth import eight_bits
from sdg.errors import SDGError
from sdg.files import printable
from sdg.pixels import from_bytes

# Listed, because Pillow would otherwise pass some files to other programs (PostScript to Ghostscript).
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION = 0x0112  # EXIF tag
LONGEST = 100  # times the short side; enlarging a thinner strip would fill the memory


def read_picture(path: str | Path, size: int) -> Tensor:
    """A picture, (3, size, size) float32 in [-1, 1], prepared by ``adm_square``.

    Raises:
        SDGError: the file is missing, empty, damaged, too large, or not a picture.
    """
    return from_bytes(to_tensor(adm_square(open_picture(path), size)))


def read_mask(path: str | Path, size: int) -> Tensor:
    """A mask, (1, size, size) float32 in [0, 1]: white is 1, grey is in between, transparent is white.

    It goes through the same ``adm_square`` as in ``read_picture``, so a mask of the picture's own size
    (compare ``picture_size``) stays aligned with it. Raises as ``read_picture``.
    """
    return to_tensor(adm_square(open_picture(path).convert("L"), size)).float() / 255


def picture_size(path: str | Path) -> tuple[int, int]:
    """(width, height) in pixels of a picture as it is displayed, that is, after EXIF rotation."""
    return open_picture(path).size


def open_picture(source: str | Path | BinaryIO, name: str | None = None) -> Image.Image:
    """The decoded picture, upright and in 8-bit RGB: alpha over white, more bits scaled, first frame only.

    Args:
        source: a path, or an open binary file with the encoded bytes.
        name: what errors call it; the path by default.
    """
    name = printable(str(source)) if name is None else name
    Image.init()
    with warnings.catch_warnings():
        # Pillow warns of odd metadata and of sizes near its limit; neither prevents reading the pixels.
        warnings.simplefilter("ignore")
        try:
            with Image.open(source, formats=[each for each in FORMATS if each in Image.OPEN]) as image:
                if max(1, *image.size) > LONGEST * min(image.size):
                    raise SDGError(f"{name} is {image.width} x {image.height} pixels, a strip: crop it first")
                image.load()
                return _rgb(_upright(image), getattr(image, "tag_v2", {}), name)
        except SDGError:
            raise
        except FileNotFoundError as error:
            raise SDGError(f"{name} is not there: check the path") from error
        except (PermissionError, IsADirectoryError) as error:
            raise SDGError(f"{name} cannot be read ({error.strerror}): give a picture file") from error
        except Image.DecompressionBombError as error:
            raise SDGError(f"{name} has more pixels than can be safely opened: make it smaller") from error
        except Image.UnidentifiedImageError as error:
            raise SDGError(
                f"{name} is empty, damaged or no picture: save it as PNG, JPEG or WebP, or leave it out"
            ) from error
        except Exception as error:  # decoders raise nearly anything on damaged files
            reason = " ".join(str(error).split()) or type(error).__name__
            raise SDGError(
                f"{name} is a damaged picture ({reason}): fetch or save it again, or leave it out"
            ) from error


def adm_square(image: Image.Image, size: int) -> Image.Image:
    """The centre square, cut as in the public ADM training code and the paper's release.

    BOX halving while the short side is at least ``2 * size``, BICUBIC to short side ``size``, centre crop.
    """
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    return _centre(image, size, Image.Resampling.BICUBIC)


def box_square(image: Image.Image, size: int) -> Image.Image:
    """The centre square, cut as ADM did for LSUN: BOX to short side ``size``, centre crop."""
    return _centre(image, size, Image.Resampling.BOX)


PREPARATIONS: dict[str, Callable[[Image.Image, int], Image.Image]] = {"adm": adm_square, "box": box_square}


def to_tensor(image: Image.Image) -> Tensor:
    """An 8-bit picture as (C, H, W) uint8."""
    pixels = torch.from_numpy(np.array(image))
    return pixels.reshape(image.height, image.width, -1).permute(2, 0, 1).contiguous()


def _centre(image: Image.Image, size: int, filter: Image.Resampling) -> Image.Image:
    scale = size / min(image.size)
    width, height = (round(side * scale) for side in image.size)
    image = image.resize((width, height), filter)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # like viewers: unreadable metadata means no rotation
        orientation = None
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _rgb(image: Image.Image, tags: Mapping[int, Any], name: str) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = eight_bits(image, tags, name)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        return white.convert("RGB")
    return image.convert("RGB")
