"""CLIP: what open_clip's model is shown and told, and vectors of length 1."""

import pytest
import torch
import torch.nn.functional as F
from open_clip.model import CLIP as OpenCLIP
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from torch import Tensor

from sdg.networks.clip import CLIP, small_clip
from sdg.networks.pixels import CLIP_MEAN, CLIP_STD
from tests.golden.fill import fill_state_dict


@pytest.fixture(scope="module")
def clip() -> CLIP:
    clip = small_clip(
        ["a", "face", "red"],
        image_size=32,
        embed_dim=16,
        vision={"layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        text={"context_length": 8, "width": 16, "heads": 2, "layers": 1},
    )
    clip.load_state_dict(fill_state_dict(clip.state_dict()))
    return clip.eval()


def images(side: int) -> Tensor:
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("side", [32, 48, 20])
@torch.no_grad()
def test_pictures_of_any_size_are_resized_normalised_and_embedded_at_length_1(clip: CLIP, side: int) -> None:
    x = images(side)
    if side != 32:
        x = F.interpolate(x, (32, 32), mode="bicubic", antialias=True)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    expected = clip.model.encode_image(((x + 1) / 2 - mean) / std)
    expected = expected / expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(clip.encode_image(images(side)), expected)


@torch.no_grad()
def test_texts_are_embedded_at_length_1(clip: CLIP) -> None:
    texts = ["a red face", "a face"]
    expected = clip.model.encode_text(clip.tokenizer(texts))
    torch.testing.assert_close(clip.encode_text(texts), expected / expected.norm(dim=1, keepdim=True))
    assert clip.embed_dim == 16


def test_the_small_one_is_by_default_that_of_toyfaces() -> None:
    """As in conf/encoder/toyfaces.yaml: a ResNet of four stages of two, three layers of text, 128 numbers."""
    words = ["a", "face"]
    clip = small_clip(words)
    vision, text = (
        {"layers": [2, 2, 2, 2], "width": 24, "head_width": 64},
        {"width": 128, "heads": 4, "layers": 3},
    )
    same = small_clip(words, 64, 128, vision, text | {"context_length": 32})
    shapes = [{name: value.shape for name, value in each.state_dict().items()} for each in (clip, same)]
    assert shapes[0] == shapes[1]
    assert (clip.image_size, clip.embed_dim) == (64, 128)
    assert clip.model.transformer.resblocks[0].attn.num_heads == 4
    assert len(clip.model.transformer.resblocks) == 3
    assert clip.model.positional_embedding.shape == (32, 128)
    assert clip.model.visual.attnpool.num_heads == 12  # 32 x 24 channels in heads of 64


def test_the_small_one_is_open_clips_under_the_same_names() -> None:
    """Both towers and their gradients, in float64, while training and when trained; and how weights start."""
    vision = CLIPVisionCfg(layers=[1, 2, 1, 1], width=8, head_width=32, image_size=64)
    theirs = OpenCLIP(16, vision, CLIPTextCfg(9, 20, width=16, heads=2, layers=2)).double()
    ours = small_clip(
        [f"w{i}" for i in range(16)],
        64,
        16,
        {"layers": [1, 2, 1, 1], "width": 8, "head_width": 32},
        {"context_length": 9, "width": 16, "heads": 2, "layers": 2},
    ).model.double()
    assert ours.token_embedding.num_embeddings == 20
    started = {name: value.std().item() for name, value in ours.named_parameters() if value.numel() > 200}
    for name, value in theirs.named_parameters():
        if name in started:
            assert started[name] == pytest.approx(value.std().item(), rel=0.3, abs=1e-12), name
    weights = fill_state_dict(theirs.state_dict())
    theirs.load_state_dict(weights)
    ours.load_state_dict(weights)
    x = images(64).double()
    tokens = torch.tensor([[1, 4, 5, 19, 0, 0, 0, 0, 0], [1, 7, 19, 0, 0, 0, 0, 0, 0]])
    for training in (True, False):
        results = []
        for model in (theirs, ours):
            model.train(training).zero_grad()
            image, text = model.encode_image(x), model.encode_text(tokens)
            (image.sin().sum() + text.sin().sum()).backward()
            gradients = {name: value.grad for name, value in model.named_parameters()}
            results.append((image, text, gradients))
        torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-9)
    assert torch.equal(ours.visual.bn1.running_mean, theirs.visual.bn1.running_mean)
