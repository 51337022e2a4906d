"""Networks small enough for the tests of this folder."""

import torch
from torch import Tensor

from sdg.networks.clip import CLIP, small_clip
from sdg.networks.stylegan2 import StyleGAN2
from sdg.randomness import keyed_generator


def normal(*shape: int, key: int = 0) -> Tensor:
    return torch.randn(shape, generator=keyed_generator("baselines", key))


def make_generator() -> StyleGAN2:
    """Draws 16-px pictures in which the layers' noise is visible."""
    generator = StyleGAN2(16, latent_dim=8, mapping_layers=2, channel_max=8)
    for i, (name, value) in enumerate(generator.state_dict().items()):
        if not name.endswith(("kernel", "modulation.bias")):
            value.copy_(normal(*value.shape, key=i) * (100 if name.startswith("style") else 1))
    return generator


def make_clip() -> CLIP:
    """Reads 32 pixels."""
    clip = small_clip(
        ["face"],
        image_size=32,
        embed_dim=16,
        vision={"layers": [1, 1, 1, 1], "width": 8, "head_width": 32},
        text={"width": 16, "heads": 2, "layers": 1},
    )
    # PyTorch initialises networks from the global generator.
    for i, (name, parameter) in enumerate(clip.named_parameters()):
        if parameter.ndim > 1:
            parameter.data.copy_(normal(*parameter.shape, key=i) * parameter[0].numel() ** -0.5)
        elif name.endswith("bias"):
            parameter.data.zero_()
    return clip.eval()
