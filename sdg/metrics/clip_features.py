"""CLIP embeddings as features: from a CLIP that did not guide, or from the guide itself."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from sdg.checkpoints import load_weights
from sdg.checkpoints.places import find_file
from sdg.errors import SDGError
from sdg.files import file_hash
from sdg.metrics.extractor import Extractor
from sdg.networks.clip import CLIP
from sdg.networks.time_clip import TimeResNet
from sdg.pixels import from_bytes


class ClipFeatures(Extractor):
    """CLIP's image embeddings, of length 1; texts give its text embeddings, so inner products are cosines.

    Args:
        clip: the network, without its weights.
        checkpoint: the weights, as :func:`sdg.checkpoints.open_checkpoint` takes them.

    Raises:
        SDGError: the weights are missing or do not fit.
    """

    def __init__(self, clip: CLIP, checkpoint: str | Path):
        size = clip.image_size
        super().__init__(
            f"CLIP's image embedding, L2-normalised; pictures of another size than {size} px resized "
            "(bicubic, antialiased, float32, not rounded)",
            file_hash(find_file(checkpoint)),
        )
        self.clip = load_weights(clip, checkpoint, torch.float32)
        self.freeze()

    def forward(self, pictures: Tensor) -> Tensor:
        return self.clip.encode_image(from_bytes(pictures))

    @torch.no_grad()
    def texts(self, prompts: Sequence[str]) -> Tensor:
        return torch.cat([self.clip.encode_text(prompts[i : i + 64]) for i in range(0, len(prompts), 64)])


class GuideFeatures(ClipFeatures):
    """The time-dependent encoder's embedding at t = 0, of length 1, with CLIP's texts: what guidance sees.

    Args:
        encoder: the network, without its weights.
        encoder_checkpoint: its weights.
        clip: the CLIP whose text embeddings guided, without its weights.
        checkpoint: CLIP's weights.

    Raises:
        SDGError: the weights are missing or do not fit.
    """

    def __init__(
        self, encoder: TimeResNet, encoder_checkpoint: str | Path, clip: CLIP, checkpoint: str | Path
    ):
        super().__init__(clip, checkpoint)
        self.protocol = "embedding of the time-dependent encoder at t = 0, L2-normalised"
        self.weights = file_hash(find_file(encoder_checkpoint))
        self.encoder = load_weights(encoder, encoder_checkpoint, torch.float32)
        self.freeze()

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        if (size := self.encoder.image_size) != height or size != width:
            raise SDGError(
                f"the guide reads pictures of {size}x{size}, these are {width}x{height}: choose the encoder "
                "that guided them"
            )
        x = from_bytes(pictures)
        pooled = self.encoder(x, torch.zeros(1, dtype=torch.int64, device=x.device)).pooled
        return torch.nn.functional.normalize(pooled, dim=-1)
