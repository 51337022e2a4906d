"""Five small paintings without a face, of any size: references for style guidance."""

from collections.abc import Callable

import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.randomness import keyed_generator

FINE = 4
"""Samples per pixel and axis; their mean is the pixel."""


def draw_style(name: str, size: int = 64) -> Tensor:
    """One of ``STYLES`` as (3, size, size) in [-1, 1], always the same.

    Raises:
        SDGError: there is no such style.
    """
    if name not in STYLES:
        raise SDGError(f"there is no style {name}: choose {', '.join(STYLES)}")
    ticks = (torch.arange(FINE * size) + 0.5) / (FINE * size)
    v, u = torch.meshgrid(ticks, ticks, indexing="ij")
    picture = STYLES[name](u, v)
    return torch.nn.functional.avg_pool2d(picture[None], FINE)[0].clamp(0, 1) * 2 - 1


def dots(u: Tensor, v: Tensor) -> Tensor:
    """Blue and white dots in rows, on orange."""
    row = (v * 6).floor()
    column = u * 6 + 0.5 * (row % 2)
    distance = ((column % 1 - 0.5) ** 2 + (v * 6 % 1 - 0.5) ** 2).sqrt()
    dot = torch.where(((column.floor() + row) % 2 == 0), 0, 1)
    ink = torch.where(dot == 0, _color("#1f4e9e"), _color("#fff6e0"))
    return torch.where(distance < 0.34, ink, _color("#f28a2e"))


def stripes(u: Tensor, v: Tensor) -> Tensor:
    """Slanting stripes in red, cream, teal and black."""
    inks = torch.stack([_color(c)[:, 0, 0] for c in ("#c8323c", "#f7ecd2", "#1e8a86", "#1b1b22")], dim=1)
    return inks[:, ((u + 0.6 * v) * 14).long() % 4]


def night(u: Tensor, v: Tensor) -> Tensor:
    """Swirling bands of blue, and stars."""
    swirl = torch.sin(18 * v + 3 * torch.sin(7 * u) + 2 * torch.sin(11 * (u - v)))
    sky = _color("#0d1b4c") + (swirl * 0.5 + 0.5) * (_color("#4f86d9") - _color("#0d1b4c"))
    for x, y, radius in _places("night", 11):
        glow = torch.exp(-((u - x) ** 2 + (v - y) ** 2) / (0.02 + 0.04 * radius) ** 2)
        sky = sky + glow * (_color("#ffe27a") - sky)
    return sky


def pastel(u: Tensor, v: Tensor) -> Tensor:
    """Soft clouds of pale colours that run into each other."""
    inks = [_color(c) for c in ("#f9c5d1", "#c5e8f7", "#fdf1b8", "#d3f2cf", "#dccdf5")]
    weights = torch.stack(
        [
            torch.exp(-((u - x) ** 2 + (v - y) ** 2) / (0.1 + 0.1 * radius) ** 2)
            for x, y, radius in _places("pastel", 15)
        ]
    )
    weights = weights / (weights.sum(dim=0) + 1e-6)
    return torch.stack([weights[i] * inks[i % 5] for i in range(15)]).sum(dim=0)


def mosaic(u: Tensor, v: Tensor) -> Tensor:
    """Bright tiles with dark joints."""
    places = _places("mosaic", 60)
    distances = torch.stack([((u - x) ** 2 + (v - y) ** 2).sqrt() for x, y, _ in places])
    nearest, which = distances.topk(2, dim=0, largest=False)
    inks = torch.stack(
        [_color(c)[:, 0, 0] for c in ("#e4572e", "#29a0b1", "#f3c13a", "#76b041", "#7d3f98", "#f4f1de")],
        dim=1,
    )
    tiles = inks[:, which[0] % inks.shape[1]]
    return torch.where(nearest[1] - nearest[0] < 0.014, _color("#2b2118"), tiles)


STYLES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    paint.__name__: paint for paint in (dots, stripes, night, pastel, mosaic)
}


def _color(code: str) -> Tensor:
    """``#rrggbb`` as (3, 1, 1) in [0, 1]."""
    return torch.tensor(list(bytes.fromhex(code[1:])), dtype=torch.float32)[:, None, None] / 255


def _places(name: str, count: int) -> list[tuple[float, float, float]]:
    """(x, y, a number for the size), each in [0, 1)."""
    rows = torch.rand(count, 3, generator=keyed_generator("style", name)).tolist()
    return [(x, y, radius) for x, y, radius in rows]
