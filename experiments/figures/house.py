"""A reference that is not a face."""

from pathlib import Path

from PIL import Image, ImageDraw


def draw_house(path: Path, size: int = 256) -> None:
    """A yellow house with a red roof and blue windows, on grass under a pink sky."""
    image = Image.new("RGB", (size, size), "#f7b6c8")
    pen = ImageDraw.Draw(image)

    def at(*places: float) -> list[float]:
        return [place * size for place in places]

    pen.rectangle(at(0, 0.78, 1, 1), fill="#4f9e4a")
    pen.rectangle(at(0.22, 0.42, 0.78, 0.84), fill="#f2cf4a")
    pen.polygon(at(0.14, 0.44, 0.5, 0.14, 0.86, 0.44), fill="#c23b2e")
    for x in (0.3, 0.58):
        pen.rectangle(at(x, 0.5, x + 0.13, 0.62), fill="#3b6fd1", outline="white", width=size // 64)
    pen.rectangle(at(0.44, 0.66, 0.56, 0.84), fill="#6b3f23")
    image.save(path)
