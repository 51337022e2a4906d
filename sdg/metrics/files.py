"""Pictures from files, in batches."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from sdg.data.picture import open_picture, to_tensor
from sdg.errors import SDGError


def read_files(
    files: Sequence[Path],
    batch_size: int,
    prepare: Callable[[Image.Image], Image.Image] | None = None,
) -> Iterator[Tensor]:
    """Pictures, upright and in RGB, after ``prepare`` if given: batches (B, 3, H, W) uint8.

    Raises:
        SDGError: a file is not an intact picture, or the pictures differ in size.
    """
    size: tuple[int, int] | None = None
    for start in range(0, len(files), batch_size):
        batch = []
        for path in files[start : start + batch_size]:
            image = open_picture(path)
            image = image if prepare is None else prepare(image)
            if image.size != (size := size or image.size):
                raise SDGError(
                    "{} is {}x{} where the pictures before it are {}x{}: evaluate one size at a time".format(
                        path, *image.size, *size
                    )
                )
            batch.append(to_tensor(image))
        yield torch.stack(batch)
