"""The face networks against their package, which computed the golden arrays from made-up weights."""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sdg.networks.face_api import AgeSexNet, ExpressionNet, IdentityNet
from sdg.networks.face_layers import pad_same, resize_bilinear

GOLDEN = load_file(Path(__file__).parents[1] / "golden" / "face_api.safetensors")


def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor with TensorFlow's order of axes; whole numbers alone, so the same in JavaScript."""
    seed = 0
    for letter in name:
        seed = (seed * 31 + ord(letter)) % 65521
    i = np.arange(math.prod(shape))
    x = ((i * 7919 + seed * 101 + i // 7 * 131) % 1009) / 1009 - 0.5
    if len(shape) == 1:
        return 0.2 * x.reshape(shape) + name.endswith("scale/weights")
    fan = 9 if name.endswith("depthwise_filter") else len(i) / shape[-1]
    return (x * math.sqrt(12 / fan)).reshape(shape)


def filled(network: nn.Module) -> nn.Module:
    """A network with these weights."""
    for key, value in network.state_dict().items():
        name, shape = key.replace(".", "/"), tuple(value.shape)
        if len(shape) != 4:
            value.copy_(torch.from_numpy(weights(name, shape)))
        elif name.endswith("depthwise_filter"):
            value.copy_(torch.from_numpy(weights(name, (*shape[2:], *shape[:2]))).permute(2, 3, 0, 1))
        else:
            value.copy_(torch.from_numpy(weights(name, (*shape[2:], shape[1], shape[0]))).permute(3, 2, 0, 1))
    return network


def picture(height: int, width: int) -> Tensor:
    i = np.arange(height * width * 3)
    pixels = (i * 37 + i // 11 * 53 + i // (3 * width) * 19) % 256
    return torch.from_numpy(pixels.reshape(1, height, width, 3)).permute(0, 3, 1, 2).float()


@torch.no_grad()
def test_they_compute_what_the_package_computes() -> None:
    expression, age_sex, identity = map(filled, (ExpressionNet(), AgeSexNet(), IdentityNet()))
    for number, faces in enumerate([picture(64, 64), picture(50, 31)]):
        age, sex = age_sex(faces)
        found = {
            "expression": expression(faces)[0],
            "age": age,
            "sex": sex[0],
            "identity": identity(faces)[0],
        }
        for name, value in found.items():
            torch.testing.assert_close(value, GOLDEN[f"{name}{number}"], atol=1e-4, rtol=1e-4)


def test_same_padding_gives_every_size_divided_by_the_stride_and_its_odd_pixel_comes_last() -> None:
    x = torch.ones(1, 1, 4, 5)
    assert pad_same(x, 3, 2)[0, 0, :, 2].tolist() == [1, 1, 1, 1, 0]
    assert pad_same(x, 3, 2)[0, 0, 2].tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert pad_same(x, 1, 2) is x


def test_pixels_are_resized_from_their_corners() -> None:
    row = torch.tensor([0.0, 4.0, 8.0]).expand(1, 1, 3, 3)
    assert resize_bilinear(row, 6)[0, 0, 5].tolist() == [0, 2, 4, 6, 8, 8]
    assert resize_bilinear(row, 2)[0, 0, 0].tolist() == [0, 6]
