"""The face networks of the npm package ``@vladmandic/face-api``: expression, age and sex, and identity.

Written anew from how the package describes them; parameters have the package's names. All take faces
(B, 3, H, W) in [0, 255] of any size, which they pad with black to squares and resize themselves.

References:
    | Mandic, ``@vladmandic/face-api`` (MIT), after Mühler, ``face-api.js`` (MIT)
    | King, "dlib", whose ResNet the third is
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.networks.face_layers import Conv, Dense, Scale, Separable, pad_same, resize_bilinear

EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
"""What the logits of :class:`ExpressionNet` stand for."""
SEXES = ("man", "woman")
"""What the logits of sex of :class:`AgeSexNet` stand for."""

_MEAN = (122.782, 117.001, 104.298)
"""Of red, green and blue, in [0, 255]; subtracted from every picture."""


def prepare(faces: Tensor, side: int) -> Tensor:
    """Faces (B, 3, H, W) in [0, 255] as the networks take them: (B, 3, side, side) around 0."""
    height, width = faces.shape[-2:]
    across, down = max(height - width, 0), max(width - height, 0)
    if across or down:
        faces = F.pad(faces, [across // 2, across - across // 2, down // 2, down - down // 2])
    if faces.shape[-1] != side:
        faces = resize_bilinear(faces, side)
    return (faces - faces.new_tensor(_MEAN).view(3, 1, 1)) / 255


class _DenseBlock(nn.Module):
    """Four convolutions, of which the first halves the side; each other sees the sum of those before it."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        first = Conv(3, outputs, 3, stride=2) if inputs == 3 else Separable(inputs, outputs, stride=2)
        self.conv0: Conv | Separable = first
        self.conv1, self.conv2, self.conv3 = (Separable(outputs, outputs) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        total = self.conv0(x).relu()
        for conv in (self.conv1, self.conv2, self.conv3):
            total = total + conv(total.relu())
        return total.relu()


class ExpressionNet(nn.Module):
    """Faces -> logits (B, 7) of ``EXPRESSIONS``."""

    def __init__(self) -> None:
        super().__init__()
        self.dense0, self.dense1 = _DenseBlock(3, 32), _DenseBlock(32, 64)
        self.dense2, self.dense3 = _DenseBlock(64, 128), _DenseBlock(128, 256)
        self.fc = Dense(256, len(EXPRESSIONS))

    def forward(self, faces: Tensor) -> Tensor:
        x = self.dense1(self.dense0(prepare(faces, 112)))
        logits: Tensor = self.fc(self.dense3(self.dense2(x)).mean(dim=(2, 3)))
        return logits


class _Reduction(nn.Module):
    """Two convolutions and a maximum beside one convolution; halves the side."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.separable_conv0, self.separable_conv1 = Separable(inputs, outputs), Separable(outputs, outputs)
        self.expansion_conv = Conv(inputs, outputs, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """The input's own ReLU changes nothing where the input comes from one."""
        y = self.separable_conv1(self.separable_conv0(x.relu()).relu())
        y = F.max_pool2d(pad_same(y, 3, 2, -torch.inf), 3, 2)
        return y + self.expansion_conv(x)


class _Main(nn.Module):
    """Three convolutions beside the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.separable_conv0, self.separable_conv1, self.separable_conv2 = (
            Separable(width, width) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for conv in (self.separable_conv0, self.separable_conv1, self.separable_conv2):
            y = conv(y.relu())
        return x + y


class AgeSexNet(nn.Module):
    """Faces -> ages (B,) in years and logits (B, 2) of ``SEXES``; a small Xception."""

    def __init__(self) -> None:
        super().__init__()
        self.entry_flow = nn.ModuleDict(
            {
                "conv_in": Conv(3, 32, 3, stride=2),
                "reduction_block_0": _Reduction(32, 64),
                "reduction_block_1": _Reduction(64, 128),
            }
        )
        self.middle_flow = nn.ModuleDict({"main_block_0": _Main(128), "main_block_1": _Main(128)})
        self.exit_flow = nn.ModuleDict(
            {"reduction_block": _Reduction(128, 256), "separable_conv": Separable(256, 512)}
        )
        self.fc = nn.ModuleDict({"age": Dense(512, 1), "gender": Dense(512, len(SEXES))})

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        x = self.entry_flow["conv_in"](prepare(faces, 112)).relu()
        blocks = [self.entry_flow["reduction_block_0"], self.entry_flow["reduction_block_1"]]
        for block in [*blocks, *self.middle_flow.values(), *self.exit_flow.values()]:
            x = block(x)
        pooled = x.relu().mean(dim=(2, 3))
        return self.fc["age"](pooled)[:, 0], self.fc["gender"](pooled)


class _Scaled(nn.Module):
    """A convolution, then a factor and a summand for every channel."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        self.conv, self.scale = Conv(inputs, outputs, kernel, stride, valid=stride > 1), Scale(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.scale(self.conv(x))
        return y


class _Residual(nn.Module):
    """Two convolutions beside the identity or, where the side is halved, a mean; new channels are 0 there."""

    def __init__(self, inputs: int, outputs: int, down: bool = False):
        super().__init__()
        self.conv1 = _Scaled(inputs, outputs, stride=2 if down else 1)
        self.conv2, self.down = _Scaled(outputs, outputs), down

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.conv1(x).relu())
        if self.down:
            x = F.avg_pool2d(x, 2)
            x = F.pad(x, [0, 0, 0, 0, 0, y.shape[1] - x.shape[1]])
            y = F.pad(y, [0, x.shape[-1] - y.shape[-1], 0, x.shape[-2] - y.shape[-2]])
        return (x + y).relu()


class IdentityNet(nn.Module):
    """Faces -> embeddings (B, 128): of the same person they are near, within about 0.6 of each other."""

    def __init__(self) -> None:
        super().__init__()
        self.conv32_down = _Scaled(3, 32, kernel=7, stride=2)
        width = 32
        for outputs, blocks in ((32, 3), (64, 3), (128, 2), (256, 2)):
            if outputs > width:
                self.add_module(f"conv{outputs}_down", _Residual(width, outputs, down=True))
            for block in range(1, blocks + 1):
                self.add_module(f"conv{outputs}_{block}", _Residual(outputs, outputs))
            width = outputs
        self.conv256_down_out = _Residual(256, 256, down=True)
        self.fc = nn.Parameter(torch.zeros(256, 128))

    def forward(self, faces: Tensor) -> Tensor:
        first, *blocks = self.children()
        x = F.max_pool2d(first(prepare(faces, 150)).relu(), 3, 2)
        for block in blocks:
            x = block(x)
        return x.mean(dim=(2, 3)) @ self.fc
