"""What an encoder is shown of a prior's states, and what is refused."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from sdg.diffusion.codec import Codec, Pixels
from sdg.errors import SDGError
from sdg.guidance.eyes import Eyes
from sdg.networks.time_encoder import Features
from sdg.pixels import to_grey

T = torch.zeros(1, dtype=torch.int64)


class Mean(nn.Module):
    """Sees the mean colour of pictures of 8 px."""

    image_size = 8

    def forward(self, x: Tensor, t: Tensor) -> Features:
        assert x.shape[1:] == (3, 8, 8)
        return Features((), x.mean(dim=(2, 3)))


class Doubling(Codec):
    """Codes of half the side and one channel."""

    pixels = False

    def encode(self, pictures: Tensor) -> Tensor:
        return F.avg_pool2d(pictures[:, :1], 2)

    def decode(self, states: Tensor) -> Tensor:
        return F.interpolate(states.expand(-1, 3, -1, -1), scale_factor=2)

    def picture_size(self, side: int) -> int:
        return 2 * side


def test_grey_and_padded_states_are_shown_as_pictures() -> None:
    states = torch.rand(2, 1, 10, 10, generator=torch.Generator().manual_seed(0)).requires_grad_()
    seen = Eyes(Mean(), Pixels(1, padding=1), 10, 1)(states, T)
    inside = states[:, :, 1:-1, 1:-1].mean(dim=(1, 2, 3))
    torch.testing.assert_close(seen.pooled, inside[:, None].expand(-1, 3))
    (gradient,) = torch.autograd.grad(seen.pooled.sum(), states)
    assert torch.equal(gradient[:, :, 0], torch.zeros(2, 1, 10))  # nobody sees the border
    torch.testing.assert_close(gradient[:, :, 5, 5], torch.full((2, 1), 3 / 64))


def test_clean_pictures_are_resized() -> None:
    states = torch.full((1, 3, 12, 12), 0.5)
    torch.testing.assert_close(
        Eyes(Mean(), Pixels(), 12, 3, clean=True)(states, T).pooled, torch.full((1, 3), 0.5)
    )
    with pytest.raises(SDGError, match="draws 12-px images and the encoder reads 8-px ones"):
        Eyes(Mean(), Pixels(), 12, 3)


def test_codes_are_decoded_if_they_are_clean_or_read_as_they_are() -> None:
    codes = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    seen = Eyes(Mean(), Doubling(), 4, 1, clean=True)(codes, T)
    torch.testing.assert_close(seen.pooled[:, 0], codes.mean(dim=(1, 2, 3)))
    with pytest.raises(SDGError, match="noised codes are no pictures: use an estimator"):
        Eyes(Mean(), Doubling(), 4, 1)

    class Reader(nn.Module):
        image_size, channels, reads_states = 4, 1, True

        def forward(self, x: Tensor, t: Tensor) -> Features:
            return Features((), x.flatten(1))

    assert torch.equal(Eyes(Reader(), Doubling(), 4, 1)(codes, T).pooled, codes.flatten(1))
    with pytest.raises(
        SDGError, match="the encoder reads states of 1 channels and side 4, the prior's have 4 and 4"
    ):
        Eyes(Reader(), Doubling(), 4, 4)


def test_an_encoder_says_what_it_takes() -> None:
    with pytest.raises(SDGError, match="Identity does not say what size"):
        Eyes(nn.Identity(), Pixels(), 8, 3)


def test_grey_is_pillows_and_keeps_grey_to_the_last_bit() -> None:
    pixels = torch.randint(256, (3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    ours = to_grey(pixels[None].float())
    theirs = pil_to_tensor(to_pil_image(pixels).convert("L")).float()
    assert (ours[0] - theirs).abs().max() <= 0.51  # Pillow's are whole numbers
    grey: Any = Image.new("L", (4, 4), 77)
    same = pil_to_tensor(grey.convert("RGB"))[None].float() / 127.5 - 1
    assert torch.equal(to_grey(same), same[:, :1])


@pytest.mark.parametrize("channels, padding", [(1, 0), (1, 2), (3, 0), (3, 3)])
def test_pixels_come_back(channels: int, padding: int) -> None:
    codec = Pixels(channels, padding)
    pictures = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    states = codec.encode(pictures)
    assert states.shape == (2, channels, 6 + 2 * padding, 6 + 2 * padding)
    assert torch.equal(codec.decode(states), pictures)
    assert codec.picture_size(states.shape[-1]) == 6
    assert torch.equal(states[..., 0, 0], pictures[:, :channels, 0, 0])
