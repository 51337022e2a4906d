"""Small line charts for pages, as SVG."""

import html
from collections.abc import Sequence

_WIDTH, _HEIGHT = 360, 80


def draw_curves(title: str, lines: Sequence[Sequence[float]]) -> str:
    """Several lines over the same steps in one frame, with the extremes written on the left."""
    values = [value for line in lines for value in line]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    paths = []
    for line in lines:
        across = max(len(line) - 1, 1)
        points = (
            f"{60 + (_WIDTH - 64) * i / across:.1f},{4 + (_HEIGHT - 8) * (high - value) / span:.1f}"
            for i, value in enumerate(line)
        )
        paths.append(f'<polyline points="{" ".join(points)}" />')
    text = '<text x="54" y="{y}" text-anchor="end" font-size="10" fill="currentColor">{value:.3g}</text>'
    extremes = text.format(y=12, value=high) + text.format(y=_HEIGHT - 4, value=low)
    return (
        f"<figure><figcaption>{html.escape(title)}, step by step</figcaption>"
        f'<svg width="{_WIDTH}" height="{_HEIGHT}">{extremes}'
        f'<g fill="none" stroke="currentColor" opacity=".5">{"".join(paths)}</g></svg></figure>'
    )
