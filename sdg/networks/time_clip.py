"""The time-dependent CLIP image encoder E'_I(x_t, t): CLIP's ResNet tower with norms modulated by t.

After every BatchNorm of the stem and every bn1, bn2, bn3 of a bottleneck, before the ReLU,

    y <- y * (1 + scale(t)) + shift(t)

The norms inside ``downsample`` are left alone. Parameter names are those of the released fine-tuned encoders
(docs/networks.md, the encoder), which is why the stem and three of the four stages live in ``visual_frozen``.

References:
    | More Control for Free! Image Synthesis with Semantic Diffusion Guidance (Liu et al., 2021)
    | https://arxiv.org/abs/2112.05744
"""

from collections.abc import Sequence

from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.clip_blocks import AttentionPool, FiLM, make_stage, modulated_norm
from sdg.networks.time_encoder import POOLED, Features, TimeEncoder

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
"""First part of a parameter's name in CLIP's tower -> in ours (docs/networks.md, the encoder)."""


class TimeResNet(TimeEncoder):
    """CLIP's ResNet tower as a function of a noisy image and its timestep; by default RN50x16 at 256 px.

    Its stages are the stem and layer1 … layer4, of side image_size / (4, 4, 8, 16, 32). On CPUs the memory
    format channels_last is faster.

    Args:
        layers: Number of bottlenecks in each of the four stages.
        width: Channels of the stem, even; the stages have 4, 8, 16 and 32 times as many.
        heads: Heads of the attention pool, a divisor of ``32 * width``.
        output_dim: Size D of the embedding.
        image_size: Side of the square images, a multiple of 32.
        sinusoid_dim: Number of values in the sinusoidal embedding of t, even.
        time_dim: Hidden size of the time layers.
        reads_states, channels: See :class:`TimeEncoder`.

    Raises:
        SDGError: A size that the network cannot take.
    """

    positions, entrance = "attn_pool.positional_embedding", "visual_frozen.0.weight"

    def __init__(
        self,
        layers: Sequence[int] = (6, 8, 18, 8),
        width: int = 96,
        heads: int = 48,
        output_dim: int = 768,
        image_size: int = 256,
        sinusoid_dim: int = 128,
        time_dim: int = 512,
        reads_states: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__(image_size, 32, sinusoid_dim, reads_states, channels)
        half = width // 2
        stem: list[nn.Module] = []
        for in_channels, out, stride in ((channels, half, 2), (half, half, 1), (half, width, 1)):
            conv = nn.Conv2d(in_channels, out, 3, stride, padding=1, bias=False)
            stem += [conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
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

        norms = [
            module
            for name, module in self.named_modules()
            if isinstance(module, nn.BatchNorm2d) and "downsample" not in name
        ]
        self.add_time_layers([norm.num_features for norm in norms], time_dim)

    def encode(self, x: Tensor, film: FiLM, depth: int) -> Features:
        *stem, layer1, layer2, layer3 = self.visual_frozen
        for module in stem:
            x = modulated_norm(module, x, film) if isinstance(module, nn.BatchNorm2d) else module(x)
        stages = [x]
        for stage in (layer1, layer2, layer3, self.layer4)[:depth]:
            for block in stage.children():
                x = block(x, film)
            stages.append(x)
        return Features(tuple(stages), self.attn_pool(x) if depth == POOLED else x.new_empty(len(x), 0))

    def clip_state(self, visual: nn.Module) -> dict[str, Tensor]:
        self.check_pixels(visual)
        pool = getattr(visual, "attnpool", None)
        if not isinstance(pool, nn.Module):
            raise SDGError(
                f"a TimeResNet starts from CLIP's ResNet towers, not from a {type(visual).__name__}: "
                f"choose an RN model, or encoder=vit_b_32"
            )
        if pool.num_heads != self.attn_pool.num_heads:
            raise SDGError(
                f"this CLIP's attention pool has {pool.num_heads} heads, encoder.network.heads is "
                f"{self.attn_pool.num_heads}: give it the same"
            )
        split = ((key.partition("."), value) for key, value in visual.state_dict().items())
        return {f"{CLIP_TO_TIME[part]}.{rest}": value for (part, _, rest), value in split}
