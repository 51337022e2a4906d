"""CLIP as sdg uses it: a model with its tokenizer, for images in [-1, 1]."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.networks.pixels import CLIP_MEAN, CLIP_STD, NormalisePixels
from sdg.networks.small_clip import ImageTower, SmallCLIP
from sdg.networks.tokenizer import StrictTokenizer, WordTokenizer

if TYPE_CHECKING:  # it takes seconds
    from open_clip.model import CLIP as OpenCLIP


class CLIP(nn.Module):
    """The original image encoder E_I and text encoder E_L, both giving vectors of length 1.

    Args:
        model: open_clip's CLIP, or a small one of the same names.
        tokenizer: texts to (N, L) int64.
        image_size: side of the images the visual tower takes; others are resized (bicubic, antialiased).
        mean, std: of the pixels it was trained on: see :class:`NormalisePixels`.
    """

    def __init__(
        self,
        model: Union["OpenCLIP", SmallCLIP],
        tokenizer: WordTokenizer | StrictTokenizer,
        image_size: int,
        mean: Sequence[float] = CLIP_MEAN,
        std: Sequence[float] = CLIP_STD,
    ):
        super().__init__()
        self.model, self.tokenizer, self.image_size = model, tokenizer, image_size
        self.normalise = NormalisePixels(mean, std)
        # Where open_clip keeps them, for encoders that are made from this tower.
        model.visual.image_mean, model.visual.image_std = tuple(mean), tuple(std)

    @property
    def embed_dim(self) -> int:
        """Size D of the embeddings."""
        return self.model.text_projection.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.logit_scale.device

    def encode_image(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1] -> (B, D), L2-normalised."""
        if images.shape[-1] != self.image_size:
            side = (self.image_size, self.image_size)
            images = F.interpolate(images, side, mode="bicubic", antialias=True)
        return F.normalize(self.model.encode_image(self.normalise(images)), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Texts -> (N, D), L2-normalised; raises SDGError for an empty or over-long text."""
        tokens = self.tokenizer(texts).to(self.device)
        return F.normalize(self.model.encode_text(tokens), dim=-1)


def small_clip(
    vocabulary: Sequence[str],
    image_size: int = 64,
    embed_dim: int = 128,
    vision: dict[str, Any] | None = None,
    text: dict[str, Any] | None = None,
) -> CLIP:
    """A new CLIP over a word-level vocabulary, with random weights.

    Args:
        vision: ``layers`` of the four stages, ``width`` and ``head_width`` of a ResNet tower; with one
            number of layers, the fields of open_clip's ``CLIPVisionCfg`` for a ViT.
        text: ``context_length``, ``width``, ``heads`` and ``layers``.
    """
    text_fields = {"context_length": 32, "width": 128, "heads": 4, "layers": 3} | (text or {})
    vision_fields: dict[str, Any] = {"layers": [2, 2, 2, 2], "width": 24, "head_width": 64} | (vision or {})
    tokenizer = WordTokenizer(vocabulary, text_fields["context_length"])
    model: OpenCLIP | SmallCLIP
    if isinstance(vision_fields["layers"], int):
        from open_clip import model as theirs

        vision_tower = theirs.CLIPVisionCfg(image_size=image_size, **vision_fields)
        text_tower = theirs.CLIPTextCfg(vocab_size=tokenizer.size, **text_fields)
        model = theirs.CLIP(embed_dim, vision_tower, text_tower)
    else:
        layers, width = vision_fields["layers"], vision_fields["width"]
        heads = 32 * width // vision_fields["head_width"]
        tower = ImageTower(layers, width, heads, embed_dim, image_size)
        model = SmallCLIP(tower, embed_dim, tokenizer.size, **text_fields)
    return CLIP(model, tokenizer, image_size)
