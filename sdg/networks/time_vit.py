"""CLIP's vision transformer made time-dependent by adaptive LayerNorm; beyond the paper.

Before the attention and before the MLP of every block, and before the projection to the embedding,

    y <- LayerNorm(x) * (1 + scale(t)) + shift(t)

with LayerNorm's own weight and bias kept. Parameter names are CLIP's, under ``visual``, plus those of the
time layers.

References:
    | Scalable Diffusion Models with Transformers (Peebles & Xie, 2022)
    | https://arxiv.org/abs/2212.09748
    | Learning Transferable Visual Models From Natural Language Supervision (Radford et al., 2021)
    | https://arxiv.org/abs/2103.00020
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.clip_blocks import FiLM
from sdg.networks.time_encoder import POOLED, Features, TimeEncoder


class TimeViT(TimeEncoder):
    """CLIP's vision transformer as a function of a noisy image and its timestep; by default ViT-B/32.

    Its stages are the tokens at five chosen depths, as maps (B, width, n, n) with n = image_size / patch.

    Args:
        patch: Side of a patch in pixels.
        width: Channels of a token.
        layers: Number of blocks.
        heads: Number of attention heads, a divisor of ``width``.
        output_dim: Size D of the embedding.
        quick_gelu: The activation that OpenAI's weights need; most others in open_clip need GELU.
        stages: After which blocks the five stages are taken; 0 is before the first.
        image_size: Side of the square images, a multiple of ``patch``.
        sinusoid_dim: Number of values in the sinusoidal embedding of t, even.
        time_dim: Hidden size of the time layers.
        reads_states, channels: See :class:`TimeEncoder`; codes may be read in smaller patches than CLIP's.

    Raises:
        SDGError: A size that the network cannot take, or stages that are not five of its depths.
    """

    positions, entrance = "visual.positional_embedding", "visual.conv1.weight"

    def __init__(
        self,
        patch: int = 32,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        output_dim: int = 512,
        quick_gelu: bool = True,
        stages: Sequence[int] = (0, 3, 6, 9, 12),
        image_size: int = 256,
        sinusoid_dim: int = 128,
        time_dim: int = 512,
        reads_states: bool = False,
        channels: int = 3,
    ) -> None:
        super().__init__(image_size, patch, sinusoid_dim, reads_states, channels)
        if width % heads:
            raise SDGError(f"{heads} heads do not divide the {width} channels of a token: choose a divisor")
        if len(stages) != 5 or not all(0 <= place <= layers for place in stages):
            raise SDGError(f"stages={list(stages)} are not five places from 0 to {layers}: choose such")
        self.stages = tuple(stages)
        act = QuickGELU if quick_gelu else nn.GELU
        self.visual = VisionTransformer(
            image_size, patch, width, layers, heads, mlp_ratio=4.0, output_dim=output_dim, act_layer=act
        )
        if channels != 3:
            self.visual.conv1 = nn.Conv2d(channels, width, patch, patch, bias=False)
        self.add_time_layers([width] * (2 * layers + 1), time_dim)

    def encode(self, x: Tensor, film: FiLM, depth: int) -> Features:
        visual = self.visual
        patches = visual.conv1(x)
        tokens = torch.cat([visual.class_embedding.expand(len(x), 1, -1), patches.flatten(2).mT], dim=1)
        x = visual.ln_pre(tokens + visual.positional_embedding)
        states, stages = [x], self.stages[: depth + 1]
        read = len(visual.transformer.resblocks) if depth == POOLED else max(stages)
        for block in visual.transformer.resblocks[:read]:
            h = modulated_layer_norm(block.ln_1, x, film)
            x = x + block.attn(h, h, h, need_weights=False)[0]
            x = x + block.mlp(modulated_layer_norm(block.ln_2, x, film))
            states.append(x)
        maps = tuple(states[place][:, 1:].mT.unflatten(2, patches.shape[2:]) for place in stages)
        if depth < POOLED:
            return Features(maps, x.new_empty(len(x), 0))
        return Features(maps, modulated_layer_norm(visual.ln_post, x[:, :1], film)[:, 0] @ visual.proj)

    def clip_state(self, visual: nn.Module) -> dict[str, Tensor]:
        self.check_pixels(visual)
        if not isinstance(visual, VisionTransformer):
            raise SDGError(
                f"a TimeViT starts from CLIP's vision transformers, not from a {type(visual).__name__}: "
                f"choose a ViT model, or encoder=rn50x16"
            )
        own, theirs = (_hidden_choices(tower) for tower in (self.visual, visual))
        if own != theirs:
            raise SDGError(
                f"this CLIP has {theirs} and encoder.network {own}: set encoder.network.heads and .quick_gelu"
            )
        return {f"visual.{key}": value for key, value in visual.state_dict().items()}


def modulated_layer_norm(norm: nn.LayerNorm, x: Tensor, film: FiLM) -> Tensor:
    """norm(x) * (1 + scale) + shift with the next pair of ``film``; x has shape (B, N, C)."""
    scale, shift = next(film)
    gain = 1 + scale
    if len(gain) == 1:
        # One affine for the whole batch folds into the norm's own: one pass over the tokens instead of two.
        weight, bias = norm.weight * gain[0], norm.bias * gain[0] + shift[0]
        return F.layer_norm(x, norm.normalized_shape, weight, bias, norm.eps)
    return norm(x) * gain[:, None] + shift[:, None]


def _hidden_choices(tower: VisionTransformer) -> str:
    """What the shapes of a tower's weights do not show."""
    block = tower.transformer.resblocks[0]
    return f"{block.attn.num_heads} heads, {type(block.mlp.gelu).__name__}, pooling by {tower.pool_type}"
