"""Drawing a face, from back to front.

Head coordinates: the origin is between the eyes and the nose, y points down, and 1 is half the picture at
scale 1; the skull is about 0.8 wide and 1 high. Every paired part is drawn once, over |x|.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sdg.data.toyfaces import palette
from sdg.data.toyfaces.attributes import ATTRIBUTES, NUISANCES
from sdg.data.toyfaces.canvas import Canvas, arc, box, capsule, circle, ellipse, minus, union


@dataclass
class Face:
    """One batch of faces to draw.

    Args:
        attributes: (N, 8) int64, columns as ``ATTRIBUTES``.
        nuisances: (N, 11) float32, columns as ``NUISANCES``.
        x, y: (N, H, W) head coordinates of the pixels, rotated with the head.
        body_x, body_y: the same before the rotation.
    """

    attributes: Tensor
    nuisances: Tensor
    x: Tensor
    y: Tensor
    body_x: Tensor
    body_y: Tensor

    def __post_init__(self) -> None:
        self.skin = palette.SKIN[self.column("skin")][:, :, None, None]
        self.hair = palette.HAIR[self.column("hair_color")][:, :, None, None]
        self.lips = palette.LIPS[self.column("skin")][:, :, None, None]
        self.clothes = palette.along_clothes(self.nuisance("clothes").flatten())[:, :, None, None]
        self.width = self.nuisance("face_width")
        self.ax = self.x.abs() / self.width

    def column(self, name: str) -> Tensor:
        return self.attributes[:, list(ATTRIBUTES).index(name)]

    def has(self, name: str, value: str = "yes") -> Tensor:
        """(N, 1, 1) bool."""
        return (self.column(name) == ATTRIBUTES[name].index(value))[:, None, None]

    def nuisance(self, name: str) -> Tensor:
        """(N, 1, 1)"""
        return self.nuisances[:, list(NUISANCES).index(name), None, None]


def draw(face: Face, canvas: Canvas) -> None:
    """Paint the whole face on the canvas."""
    for layer in (
        _hair_behind,
        _body,
        _head,
        _beard,
        _mouth,
        _nose,
        _lenses,
        _eyes,
        _hair,
        _brows,
        _glasses,
        _hat,
    ):
        layer(face, canvas)


def _skull(face: Face) -> Tensor:
    """An egg: an ellipse that narrows towards the chin."""
    return ellipse(face.ax * (1 + 0.16 * face.y), face.y, 0.41, 0.51)


def _hair_outline(face: Face) -> Tensor:
    """The outer edge of the hair, as a distance."""
    crown = ellipse(face.ax, face.y + 0.12, 0.475, 0.50)
    tuft = ellipse(face.x + 0.10, face.y + 0.50, 0.30, 0.17)
    short = torch.maximum(union(crown, tuft, 0.10), face.y - 0.06)
    mane = ellipse(face.ax, face.y + 0.06, 0.53, 0.58)
    falls = box(face.ax, face.y - 0.30, 0.47 + 0.12 * face.y, 0.42, 0.18)
    return torch.where(face.has("hair_length", "long"), union(mane, falls, 0.15), short)


def _lens(face: Face) -> Tensor:
    return circle(face.ax - 0.185, face.y + 0.03, 0.142)


def _hair_behind(face: Face, canvas: Canvas) -> None:
    canvas.paint(_hair_outline(face), face.hair * 0.78)


def _body(face: Face, canvas: Canvas) -> None:
    ax, y = face.body_x.abs(), face.body_y
    shoulders = union(ellipse(ax, y - 1.22, 0.74, 0.56), box(ax, y - 1.6, 0.74, 0.45, 0.1), 0.2)
    neck = box(ax, y - 0.50, 0.165, 0.30, 0.10)
    collar = ellipse(ax, y - 0.70, 0.255, 0.14)
    canvas.paint(shoulders, face.clothes)
    canvas.paint(torch.maximum(collar, shoulders), face.clothes * 0.78)
    canvas.paint(union(neck, ellipse(ax, y - 0.68, 0.20, 0.11), 0.05), face.skin * 0.86)


def _head(face: Face, canvas: Canvas) -> None:
    ears = circle(face.ax - 0.425, face.y - 0.03, 0.095)
    skull = _skull(face)
    cheeks = circle(face.ax - 0.245, face.y - 0.155, 0.13)
    canvas.paint(ears, face.skin * 0.93)
    canvas.paint(circle(face.ax - 0.43, face.y - 0.03, 0.05), face.skin * 0.78)
    canvas.paint(skull, face.skin)
    canvas.glow(cheeks, 0.12, palette.BLUSH, 0.33)


def _beard(face: Face, canvas: Canvas) -> None:
    jaw = torch.maximum(_skull(face) - 0.035, 0.02 - face.y)
    bare = union(
        ellipse(face.ax, face.y + 0.02, 0.345, 0.21), ellipse(face.ax, face.y - 0.275, 0.215, 0.125), 0
    )
    moustache = capsule(face.ax - 0.10, face.y - 0.172, 0.09, 0.022, 0.035)
    canvas.paint(union(minus(jaw, bare), moustache), face.hair * 0.9, face.has("beard"))


def _mouth(face: Face, canvas: Canvas) -> None:
    x, y = face.x, face.y - 0.26
    smile = torch.maximum(
        ellipse(x, y + 0.05, 0.185, 0.165), minus(-y - 0.045, ellipse(x, y + 0.42, 0.7, 0.40))
    )
    flat = capsule(x, y, 0.125, 0.0, 0.027)
    frown = arc(x, y - 0.145, 0.17, (0.80, 0.60), 0.031)
    smiling = face.has("expression", "smiling")
    canvas.paint(torch.where(face.has("expression", "neutral"), flat, frown), face.lips, ~smiling)
    canvas.paint(smile, palette.MOUTH, smiling)
    canvas.paint(torch.maximum(smile + 0.012, y - 0.015), palette.WHITE, smiling)
    canvas.paint(torch.maximum(smile + 0.012, ellipse(x, y - 0.12, 0.09, 0.055)), palette.TONGUE, smiling)


def _nose(face: Face, canvas: Canvas) -> None:
    nose = union(
        ellipse(face.x, face.y - 0.105, 0.05, 0.035), capsule(face.x, face.y - 0.05, 0.0, 0.05, 0.016), 0.05
    )
    canvas.paint(nose, face.skin * 0.80)


def _lenses(face: Face, canvas: Canvas) -> None:
    """Under the eyes, so that these stay bright; paler than any skin, so that glasses show on each."""
    canvas.paint(_lens(face), palette.LENS, 0.38 * face.has("glasses"))


def _eyes(face: Face, canvas: Canvas) -> None:
    size = face.nuisance("eye_size")
    x, y = (face.ax - 0.175) / size, (face.y + 0.035) / size
    look = face.nuisance("gaze") * 0.025
    # Both pupils look the same way; the fold |x| alone would make them squint.
    look = torch.where(face.x < 0, -look, look)
    canvas.paint(ellipse(x, y, 0.088, 0.098), palette.WHITE)
    canvas.paint(circle(x - look, y - 0.006, 0.065), palette.INK)
    canvas.paint(circle(x - look + torch.where(face.x < 0, -0.022, 0.022), y + 0.024, 0.023), palette.WHITE)


def _brows(face: Face, canvas: Canvas) -> None:
    slope = torch.where(face.has("expression", "frowning"), 0.048, 0.012)
    lift = torch.where(face.has("expression", "smiling"), 0.02, 0.0)
    y = face.y + 0.185 + lift - face.nuisance("brow")
    canvas.paint(
        capsule(face.ax - 0.18, y - 1.5 * (face.ax - 0.18) * (face.ax - 0.18), 0.08, slope, 0.024),
        face.hair * 0.62,
    )


def _glasses(face: Face, canvas: Canvas) -> None:
    wears = face.has("glasses")
    bridge = box(face.ax, face.y + 0.05, 0.06, 0.018, 0.01)
    temple = box(face.ax - 0.37, face.y + 0.06, 0.055, 0.02, 0.01)
    canvas.paint(union(_lens(face).abs() - 0.024, union(bridge, temple)), palette.FRAME, wears)


def _hair(face: Face, canvas: Canvas) -> None:
    x, y, ax = face.x, face.y, face.ax
    outline = _hair_outline(face)
    fringe = ellipse(x / face.width - 0.05, y - 0.20, 0.40, 0.43)
    curtain = union(ellipse(ax, y - 0.16, 0.345, 0.42), box(ax, y - 0.8, 0.30, 0.55, 0.1), 0.1)
    opening = torch.where(face.has("hair_length", "long"), curtain, fringe)
    hair = minus(outline, opening)
    shine = circle(x + 0.05, y + 0.05, 0.42).abs() - 0.07
    canvas.paint(hair, face.hair)
    canvas.glow(torch.maximum(torch.maximum(shine, hair), y + 0.34), 0.07, palette.WHITE, 0.20)


def _hat(face: Face, canvas: Canvas) -> None:
    """A knitted cap that leaves the fringe and the sides of the hair visible."""
    wears = face.has("hat")
    y = face.y + 0.42 - 0.18 * face.ax * face.ax
    dome = torch.maximum(ellipse(face.ax, y, 0.50, 0.36), y)
    canvas.paint(circle(face.x, y + 0.39, 0.095), palette.HAT_TRIM, wears)
    canvas.paint(dome, palette.HAT, wears)
    canvas.paint(box(face.ax, y, 0.525, 0.085, 0.07), palette.HAT_TRIM, wears)
