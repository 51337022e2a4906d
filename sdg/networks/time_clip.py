"""The time-dependent CLIP image encoder E'_I(x_t, t): CLIP's ResNet tower with norms modulated by t.

After every BatchNorm of the stem and every bn1, bn2, bn3 of a bottleneck, before the ReLU,

    y <- y * (1 + scale(t)) + shift(t)

The norms inside ``downsample`` are left alone. Parameter names are those of the released fine-tuned encoders
(docs/method.md, the encoder), which is why the stem and three of the four stages live in ``visual_frozen``.

References:
    | More Control for Free! Image Synthesis with Semantic Diffusion Guidance (Liu et al., 2021)
    | https://arxiv.org/abs/2112.05744
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.clip_blocks import AttentionPool, FiLM, make_stage, modulated_norm, resize_positions
from sdg.networks.embedding import timestep_embedding
from sdg.networks.pixels import NormalisePixels

if TYPE_CHECKING:
    from open_clip.modified_resnet import ModifiedResNet

CLIP_TO_TIME = {
    "conv1": "visual_frozen.0",
    "bn1": "visual_frozen.1",
    "conv2": "visual_frozen.3",
    "bn2": "visual_frozen.4",
    "conv3": "visual_frozen.6",
    "bn3": "visual_frozen.7",
    "layer1": "visual_frozen.10",
    "layer2": "visual_frozen.11",
    "layer3": "visual_frozen.12",
    "layer4": "layer4",
    "attnpool": "attn_pool",
}
"""First part of a parameter's name in CLIP's tower -> in ours (docs/method.md, the encoder)."""


class Features(NamedTuple):
    """What one forward of the encoder gives to all guidance terms."""

    stages: tuple[Tensor, ...]
    """Five maps (B, C_k, H_k, W_k), stem and layer1..layer4, of side image_size / (4, 4, 8, 16, 32)."""
    pooled: Tensor
    """CLIP's image embedding (B, D), not normalised."""


class TimeResNet(nn.Module):
    """CLIP's ResNet tower as a function of a noisy image and its timestep; by default RN50x16 at 256 px.

    In eval mode (always, when guiding) the samples of a batch do not interact. On CPUs the memory format
    channels_last is the faster one. A new instance has random weights: load a checkpoint, or start from
    :meth:`from_clip`.

    Args:
        layers: Number of bottlenecks in each of the four stages.
        width: Channels of the stem, even; the stages have 4, 8, 16 and 32 times as many.
        heads: Heads of the attention pool, a divisor of ``32 * width``.
        output_dim: Size D of the embedding.
        image_size: Side of the square images, a multiple of 32.
        sinusoid_dim: Number of values in the sinusoidal embedding of t, even.
        time_dim: Hidden size of the time layers.

    Raises:
        SDGError: A size that the network cannot take.
    """

    def __init__(
        self,
        layers: Sequence[int] = (6, 8, 18, 8),
        width: int = 96,
        heads: int = 48,
        output_dim: int = 768,
        image_size: int = 256,
        sinusoid_dim: int = 128,
        time_dim: int = 512,
    ) -> None:
        super().__init__()
        if image_size < 32 or image_size % 32:
            nearest = max(32, 32 * round(image_size / 32))
            raise SDGError(
                f"the encoder's image size must be a multiple of 32, got {image_size}: choose {nearest}"
            )
        self.image_size, self.sinusoid_dim = image_size, sinusoid_dim
        half = width // 2
        stem: list[nn.Module] = []
        for in_channels, channels, stride in ((3, half, 2), (half, half, 1), (half, width, 1)):
            conv = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
            stem += [conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        blocks1, blocks2, blocks3, blocks4 = layers
        self.visual_frozen = nn.Sequential(
            *stem,
            nn.AvgPool2d(2),
            make_stage(width, width, blocks1, stride=1),
            make_stage(4 * width, 2 * width, blocks2, stride=2),
            make_stage(8 * width, 4 * width, blocks3, stride=2),
        )
        self.layer4 = make_stage(16 * width, 8 * width, blocks4, stride=2)
        self.attn_pool = AttentionPool(image_size // 32, 32 * width, heads, output_dim)

        self.modulated_channels = tuple(
            module.num_features
            for name, module in self.named_modules()
            if isinstance(module, nn.BatchNorm2d) and "downsample" not in name
        )
        """C of each modulated norm in forward order; ``emb_layers`` gives each C scales, then C shifts."""
        self.time_embed = nn.Sequential(
            nn.Linear(sinusoid_dim, time_dim), nn.ReLU(), nn.Linear(time_dim, time_dim)
        )
        self.emb_layers = nn.Sequential(nn.ReLU(), nn.Linear(time_dim, 2 * sum(self.modulated_channels)))

        self.normalise = NormalisePixels()

    def forward(self, x_t: Tensor, t: Tensor) -> Features:
        """Encode noisy images.

        Args:
            x_t: Images on the scale [-1, 1] with their noise, not clamped, (B, 3, image_size, image_size).
            t: Original timesteps 0..999, never respaced indices, of shape (B,); or (1,) if all images share
                one, which computes the modulation once and folds it into the norms.

        Raises:
            SDGError: A tensor of the wrong shape.
        """
        size = self.image_size
        if x_t.shape[1:] != (3, size, size):
            shape = "x".join(map(str, x_t.shape))
            raise SDGError(
                f"the encoder takes {size}x{size} images, got {shape}: resize them to Bx3x{size}x{size}"
            )
        if t.shape not in ((len(x_t),), (1,)):
            raise SDGError(
                f"the encoder takes one t per image or one for all, got {tuple(t.shape)}: pass ({len(x_t)},)"
            )
        film = self._film(t)
        *stem, layer1, layer2, layer3 = self.visual_frozen
        x = self.normalise(x_t)
        for module in stem:
            x = modulated_norm(module, x, film) if isinstance(module, nn.BatchNorm2d) else module(x)
        stages = [x]
        for stage in (layer1, layer2, layer3, self.layer4):
            for block in stage.children():
                x = block(x, film)
            stages.append(x)
        return Features(tuple(stages), self.attn_pool(x))

    def _film(self, t: Tensor) -> FiLM:
        """The (scale, shift) pairs of timesteps (B,), in forward order (docs/method.md, the encoder)."""
        embedding = timestep_embedding(t, self.sinusoid_dim).to(self.normalise.mean.dtype)
        # Under autocast, back to full precision: 1 + scale would round a small scale away.
        values = self.emb_layers(self.time_embed(embedding)).to(embedding.dtype)
        chunks = iter(
            values.split([channels for channels in self.modulated_channels for _ in range(2)], dim=1)
        )
        return zip(chunks, chunks, strict=True)

    @classmethod
    def from_clip(
        cls,
        visual: "ModifiedResNet",
        image_size: int,
        *,
        positional: Literal["interpolate", "random"] = "interpolate",
        modulation: Literal["zero", "default"] = "zero",
        sinusoid_dim: int = 128,
        time_dim: int = 512,
        generator: torch.Generator | None = None,
    ) -> Self:
        """Start from a copy of CLIP's image tower, on the CPU and in float32.

        With the default options and in eval mode the new encoder *is* that tower at every t, with its grid of
        positions resized to ``image_size`` (docs/method.md, the encoder).

        Args:
            visual: ``visual`` of an open_clip model with a ResNet tower. It is left untouched.
            image_size: Side of the noisy images, a multiple of 32; may differ from the tower's own.
            positional: ``interpolate`` resizes the grid of positions, ``random`` draws a new embedding, as
                the released code does.
            modulation: ``zero`` starts with scale = shift = 0, ``default`` with PyTorch's initialisation of a
                Linear, as the released code does.
            sinusoid_dim: As for the constructor.
            time_dim: As for the constructor.
            generator: Source of all weights that CLIP does not have; without one, PyTorch's global generator.

        Raises:
            SDGError: ``visual`` is not a ModifiedResNet, an option is unknown, or a size does not fit.
        """
        from open_clip.modified_resnet import ModifiedResNet

        if not isinstance(visual, ModifiedResNet):
            kind = type(visual).__name__
            raise SDGError(
                f"only CLIP's ResNet towers can be made time-dependent, not {kind}: choose an RN model"
            )
        if positional not in {"interpolate", "random"}:
            raise SDGError(f"positional must be 'interpolate' or 'random', got {positional!r}")
        if modulation not in {"zero", "default"}:
            raise SDGError(f"modulation must be 'zero' or 'default', got {modulation!r}")
        encoder = cls(
            layers=[len(stage) for stage in (visual.layer1, visual.layer2, visual.layer3, visual.layer4)],
            width=visual.conv3.out_channels,
            heads=visual.attnpool.num_heads,
            output_dim=visual.attnpool.c_proj.out_features,
            image_size=image_size,
            sinusoid_dim=sinusoid_dim,
            time_dim=time_dim,
        )
        state = encoder.state_dict()
        for key, value in visual.state_dict().items():
            part, rest = key.split(".", 1)
            state[f"{CLIP_TO_TIME[part]}.{rest}"] = value
        key = "attn_pool.positional_embedding"
        state[key] = resize_positions(state[key], image_size // 32)
        encoder.load_state_dict(state)

        if positional == "random":
            positions = encoder.attn_pool.positional_embedding
            nn.init.normal_(positions, std=positions.shape[1] ** -0.5, generator=generator)
        for layer in (*encoder.time_embed, *encoder.emb_layers):
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5  # PyTorch's default, drawn from our generator
                nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        if modulation == "zero":
            for parameter in encoder.emb_layers.parameters():
                nn.init.zeros_(parameter)
        return encoder
