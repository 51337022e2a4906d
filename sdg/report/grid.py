"""Labelled grids of pictures, as one PNG."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

INK, PAPER, FAINT = (28, 28, 32), (255, 255, 255), (120, 120, 128)


def draw_grid(
    rows: Sequence[tuple[str, Sequence[Image.Image]]],
    columns: Sequence[str] = (),
    cell: int = 128,
    group: int = 1,
    lead: int = 0,
    label: int = 230,
) -> Image.Image:
    """Pictures in rows, with a sentence to the left of each row and a word above each column.

    Args:
        rows: label and pictures of each row; all have as many pictures as the first.
        columns: labels of the columns, or none.
        cell: side of a picture in pixels; smaller ones are enlarged without smoothing.
        group: number of pictures set close together, with a wider gap after each group.
        lead: number of pictures before the first group, set apart.
        label: width of the column of sentences in pixels; 0: none.
    """
    gap, wide, margin = 4, 16, 20
    font, small = ImageFont.load_default(size=16), ImageFont.load_default(size=13)
    groups = [i if i < lead else lead + (i - lead) // group for i in range(len(rows[0][1]))]
    lefts = [margin + label + i * (cell + gap) + g * (wide - gap) for i, g in enumerate(groups)]
    top = margin + (24 if columns else 0)
    size = (lefts[-1] + cell + margin, top + len(rows) * (cell + 2 * gap) - 2 * gap + margin)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for left, text in zip(lefts, columns, strict=False):
        pen.text((left + cell / 2, margin + 8), text, FAINT, small, anchor="mm")
    for i, (text, pictures) in enumerate(rows):
        y = top + i * (cell + 2 * gap)
        lines = "\n".join(textwrap.wrap(text, 26)[:5])
        pen.multiline_text((margin, y + cell / 2), lines, INK, font, anchor="lm", spacing=5)
        for left, picture in zip(lefts, pictures, strict=True):
            resample = Image.Resampling.NEAREST if picture.width < cell else Image.Resampling.LANCZOS
            sheet.paste(picture.resize((cell, cell), resample), (left, y))
    return sheet


def open_picture(path: str | Path) -> Image.Image:
    """A picture as RGB, fully loaded."""
    with Image.open(path) as image:
        return image.convert("RGB")
