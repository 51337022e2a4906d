"""A small CLIP with a ResNet tower, under open_clip's parameter names and without its seconds of imports.

References:
    | Learning Transferable Visual Models From Natural Language Supervision (Radford et al., 2021)
    | https://arxiv.org/abs/2103.00020
"""

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sdg.networks.clip_blocks import AttentionPool, make_stage


class ImageTower(nn.Module):
    """CLIP's ResNet: a stem of three convolutions, four stages, attention instead of a mean.

    Args:
        layers: number of bottlenecks in each of the four stages.
        width: channels of the stem, even; the stages have 4, 8, 16 and 32 times as many.
        heads: heads of the attention pool, a divisor of ``32 * width``.
        output_dim: size D of the embedding.
        image_size: side of the square images, a multiple of 32.
    """

    def __init__(
        self, layers: Sequence[int], width: int, heads: int, output_dim: int, image_size: int
    ) -> None:
        super().__init__()
        half, channels = width // 2, 32 * width
        self.conv1, self.bn1 = nn.Conv2d(3, half, 3, 2, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = nn.Conv2d(half, half, 3, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = nn.Conv2d(half, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.avgpool = nn.AvgPool2d(2)
        blocks1, blocks2, blocks3, blocks4 = layers
        self.layer1 = make_stage(width, width, blocks1, stride=1)
        self.layer2 = make_stage(4 * width, 2 * width, blocks2, stride=2)
        self.layer3 = make_stage(8 * width, 4 * width, blocks3, stride=2)
        self.layer4 = make_stage(16 * width, 8 * width, blocks4, stride=2)
        self.attnpool = AttentionPool(image_size // 32, channels, heads, output_dim)
        for name in ("q_proj", "k_proj", "v_proj", "c_proj"):
            nn.init.normal_(getattr(self.attnpool, name).weight, std=channels**-0.5)
        for name, parameter in self.named_parameters():
            if name.endswith("bn3.weight") and name.startswith("layer"):
                nn.init.zeros_(parameter)  # a block starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, 3, S, S), normalised for CLIP -> (B, D)."""
        x = self.bn1(self.conv1(x)).relu_()
        x = self.bn2(self.conv2(x)).relu_()
        x = self.avgpool(self.bn3(self.conv3(x)).relu_())
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.attnpool(x)


class TextBlock(nn.Module):
    """Causal self-attention and an MLP, each behind its norm and added to its input, (N, L, C)."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        widen, narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.mlp = nn.Sequential(OrderedDict(c_fc=widen, gelu=nn.GELU(), c_proj=narrow))
        inwards, back = width**-0.5, width**-0.5 * (2 * layers) ** -0.5
        nn.init.normal_(self.attn.in_proj_weight, std=inwards)
        nn.init.normal_(self.attn.out_proj.weight, std=back)
        nn.init.normal_(widen.weight, std=(2 * width) ** -0.5)
        nn.init.normal_(narrow.weight, std=back)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class TextTransformer(nn.Module):
    """The blocks of the text tower, (N, L, C) -> (N, L, C); ``mask`` is added to the logits of attention."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(TextBlock(width, heads, layers) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class SmallCLIP(nn.Module):
    """Both towers, with open_clip's names and initialisation: its weights fit, and give the same embeddings.

    Args:
        visual: the image tower, whose embeddings have ``embed_dim`` numbers.
        embed_dim: size D of both embeddings.
        vocabulary: number of tokens.
        context_length: L, the number of tokens in every text.
        width, heads, layers: of the text tower.
    """

    def __init__(
        self,
        visual: ImageTower,
        embed_dim: int,
        vocabulary: int,
        context_length: int,
        width: int,
        heads: int,
        layers: int,
    ) -> None:
        super().__init__()
        self.visual = visual
        self.transformer = TextTransformer(width, heads, layers)
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.empty(context_length, width))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, embed_dim))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        causal = torch.full((context_length, context_length), -math.inf).triu_(1)
        self.register_buffer("attn_mask", causal, persistent=False)
        self.attn_mask: Tensor
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        nn.init.normal_(self.text_projection, std=width**-0.5)

    def encode_image(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S), normalised for CLIP -> (B, D)."""
        embedding: Tensor = self.visual(images)
        return embedding

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Tokens (N, L), the largest of a row being the end of its text -> (N, D)."""
        x = self.token_embedding(tokens) + self.positional_embedding
        x = self.ln_final(self.transformer(x, self.attn_mask.to(x.dtype)))
        ends = x[torch.arange(len(x), device=x.device), tokens.argmax(1)]
        return ends @ self.text_projection
