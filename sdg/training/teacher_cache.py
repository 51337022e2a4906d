"""Cached embeddings of the teacher: the frozen encoder sees every picture once, not once per epoch."""

from collections.abc import Callable

import torch
from torch import Tensor


class TeacherCache:
    """A frozen image encoder with a cache, keyed by a picture's index and whether it is mirrored.

    The cache fills during training, in main memory: with CLIP RN50x16, 3 kB for each of the two views of a
    picture, 0.4 GB for FFHQ.

    Args:
        encode: images (B, 3, H, W) to embeddings (B, D), each independent of the others.
    """

    def __init__(self, encode: Callable[[Tensor], Tensor]):
        self.encode = encode
        self._known: dict[tuple[int, bool], Tensor] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __call__(self, images: Tensor, index: Tensor, flipped: Tensor) -> Tensor:
        """Embeddings (B, D) of images (B, 3, H, W), identified by ``index`` and ``flipped``, (B,) each."""
        keys = list(zip(index.tolist(), flipped.tolist(), strict=True))
        unknown = {key: row for row, key in enumerate(keys) if key not in self._known}
        if unknown:
            embeddings = self.encode(images[list(unknown.values())]).cpu()
            self._known.update(zip(unknown, embeddings, strict=True))
        return torch.stack([self._known[key] for key in keys]).to(images.device)
