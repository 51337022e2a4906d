"""From attributes and nuisances to pictures."""

import torch
from torch import Tensor

from sdg.data.toyfaces import palette
from sdg.data.toyfaces.attributes import ATTRIBUTES, NUISANCES, sample_attributes, sample_nuisances
from sdg.data.toyfaces.canvas import Canvas
from sdg.data.toyfaces.face import Face, draw
from sdg.errors import SDGError

_PIXELS_AT_ONCE = 1 << 17  # keeps the working set in the processor's cache
_HEAD_CENTRE = 0.13  # below the middle of the picture, to leave room for a hat


@torch.no_grad()
def render(attributes: Tensor, nuisances: Tensor, size: int = 64) -> Tensor:
    """Draw faces. A picture's bits depend only on its own row, and a larger size shows the same picture.

    Args:
        attributes: (N, 8) int64, columns as ``ATTRIBUTES``.
        nuisances: (N, 11) float32, columns as ``NUISANCES``.
        size: side in pixels.

    Returns:
        (N, 3, size, size) float32 in [-1, 1].

    Raises:
        SDGError: shapes or values outside the tables, or a size below 8.
    """
    _check(attributes, nuisances, size)
    images = torch.empty(len(attributes), 3, size, size)
    step = max(1, _PIXELS_AT_ONCE // size**2)
    for start in range(0, len(attributes), step):
        rows = slice(start, start + step)
        images[rows] = _render_chunk(attributes[rows], nuisances[rows].float(), size)
    return images


def faces(seed: int, index: Tensor, size: int = 64) -> tuple[Tensor, Tensor]:
    """Images (N, 3, size, size) in [-1, 1] and attributes (N, 8) of faces ``index`` (N,) for a ``seed``."""
    attributes = sample_attributes(seed, index)
    return render(attributes, sample_nuisances(seed, index), size), attributes


def _render_chunk(attributes: Tensor, nuisances: Tensor, size: int) -> Tensor:
    n = dict(zip(NUISANCES, nuisances[:, :, None, None].unbind(1), strict=True))
    centres = (torch.arange(size) + 0.5) * (2 / size) - 1
    x = (centres[None, None, :] - n["x"]) / n["scale"]
    y = (centres[None, :, None] - n["y"] - _HEAD_CENTRE) / n["scale"]
    x, y = torch.broadcast_tensors(x, y)

    # The rotation from h ~ tan(tilt / 2), to third order: sines are not rounded alike on all machines.
    half = n["tilt"] * (torch.pi / 360)
    h = half * (1 + half * half / 3)
    cos, sin = (1 - h * h) / (1 + h * h), 2 * h / (1 + h * h)
    # The head turns about the neck, so that it stays on the shoulders.
    neck = 0.45
    face = Face(attributes, nuisances, cos * x + sin * (y - neck), cos * (y - neck) - sin * x + neck, x, y)

    background = palette.BACKGROUND[face.column("background")][:, :, None, None]
    canvas = Canvas(background, size, 2 / (size * n["scale"]))
    draw(face, canvas)

    warmth = n["warmth"][:, None]
    tint = torch.cat([1 + warmth, torch.ones_like(warmth), 1 - warmth], dim=1)
    return (canvas.image * (n["brightness"][:, None] * tint)).clamp_(0, 1) * 2 - 1


def _check(attributes: Tensor, nuisances: Tensor, size: int) -> None:
    if attributes.ndim != 2 or attributes.shape[1] != len(ATTRIBUTES):
        raise SDGError(f"attributes must be (N, {len(ATTRIBUTES)}), got {tuple(attributes.shape)}")
    if nuisances.shape != (len(attributes), len(NUISANCES)):
        raise SDGError(
            f"nuisances must be ({len(attributes)}, {len(NUISANCES)}), got {tuple(nuisances.shape)}"
        )
    if size < 8:
        raise SDGError(f"a face needs at least 8 pixels a side, got {size}")
    for (name, values), column in zip(ATTRIBUTES.items(), attributes.unbind(1), strict=True):
        if len(column) and not 0 <= int(column.min()) <= int(column.max()) < len(values):
            raise SDGError(f"attribute {name} must be in 0..{len(values) - 1} ({', '.join(values)})")
