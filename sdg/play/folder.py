"""What the page keeps: uploaded and drawn pictures, each under a name that follows from its content."""

import functools
import hashlib
import io
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.studio import Pictures, Step
from sdg.studio.picture import side_by_side

_SIDE = 192
"""Smaller pictures are enlarged to this side in a GIF, without smoothing."""
_CANVAS = 320
"""Side of a canvas to brush on."""
BRUSH = "#c2452d"
"""Its colour."""
_PACE, _REST = 80, 1500
"""Milliseconds for which a GIF shows each step, and the result."""


class Folder:
    """The only folder that the page writes to.

    Args:
        root: is made when first needed. Relative, so that commands that name a file in it are short.
    """

    def __init__(self, root: Path = Path("outputs/play")):
        self.root = root
        self._cache = root / "cache"

    def prepare(self, port: int) -> None:
        """Let Gradio, which is not imported yet, keep its files here, and tell nobody of its use."""
        self._cache = self.root / "cache" / str(port)
        os.environ["GRADIO_TEMP_DIR"] = str(self._cache.resolve())
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

    def forget(self) -> None:
        """Remove what Gradio kept."""
        shutil.rmtree(self._cache, ignore_errors=True)

    def keep_picture(self, square: Image.Image, name: str) -> str:
        """Keep what the networks see of an upload; returns its path.

        Args:
            name: of the file that was uploaded.
        """
        stem = re.sub(r"[^\w-]", "_", Path(name).stem, flags=re.ASCII)[:40] or "picture"
        return str(self._keep("pictures", stem, "png", _file(square, "png")))

    def keep_mask(self, layers: Sequence[Image.Image]) -> str | None:
        """Keep what was brushed as a mask; returns its path, or None if nothing was.

        Args:
            layers: of one size, transparent where nothing was brushed.
        """
        if not layers:
            return None
        strokes = [layer.convert("RGBA").getchannel("A") for layer in layers]
        brushed = functools.reduce(ImageChops.lighter, strokes)
        if brushed.getbbox() is None:
            return None
        return str(self._keep("pictures", "mask", "png", _file(brushed, "png")))

    def keep_drawing(self, pictures: Pictures, steps: Sequence[Step]) -> list[str]:
        """Keep guided pictures, each with its settings inside, and the chain that led to them; their paths.

        Args:
            pictures: those without guidance first, as a plan has them.
            steps: all of them.
        """
        guided = [picture for picture in pictures if picture.entry.aimed]
        paths = [
            self._keep("drawn", f"seed{picture.seed}-{picture.index}", "png", picture.png)
            for picture in guided
        ]
        chain = self._keep("drawn", f"seed{guided[0].seed}-chain", "gif", as_gif(steps))
        return [str(path) for path in (*paths, chain)]

    def _keep(self, room: str, stem: str, suffix: str, content: bytes) -> Path:
        path = self.root / room / f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.{suffix}"
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, content)
        except OSError as error:
            raise SDGError(f"cannot write {path} ({error.strerror}): make room there") from error
        return path


def to_brush(picture: str | None, mask: str | None = None) -> dict[str, Any] | None:
    """A kept picture, large enough to be brushed on, and what was brushed on it before; None without it."""
    if picture is None:
        return None
    with Image.open(picture) as opened:
        below = opened.convert("RGB")
    below = below.resize((max(_CANVAS, below.width),) * 2, Image.Resampling.NEAREST)
    layers = []
    if mask is not None:
        layer = Image.new("RGBA", below.size, BRUSH)
        with Image.open(mask) as opened:
            layer.putalpha(opened.convert("L").resize(below.size))
        layers.append(layer)
    return {"background": below, "layers": layers, "composite": None}


def as_gif(steps: Sequence[Step]) -> bytes:
    """An animation of a drawing, each guided picture beside the one of the same noise that is not."""
    first, *others = [_enlarged(side_by_side(paired(step.images), columns=2)) for step in steps]
    stream, times = io.BytesIO(), [*[_PACE] * len(others), _REST]
    first.save(stream, format="gif", save_all=True, append_images=others, duration=times, loop=0)
    return stream.getvalue()


def paired(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Pictures without guidance and then as many with it, in pairs of the same noise."""
    half = len(images) // 2
    return [image for pair in zip(images[:half], images[half:], strict=True) for image in pair]


def _enlarged(image: Image.Image) -> Image.Image:
    """With colours of its own: those of all steps together are too many for a GIF."""
    times = max(1, 2 * _SIDE // image.width)
    image = image.quantize(256, dither=Image.Dither.NONE)
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def _file(image: Image.Image, format: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=format)
    return stream.getvalue()
