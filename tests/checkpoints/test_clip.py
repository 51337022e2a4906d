"""Public CLIPs: open_clip's table decides how they were trained, and the words that load them are right."""

from collections.abc import Callable
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import CLIP as OpenCLIP
from open_clip.transformer import QuickGELU
from torch import nn

from sdg.checkpoints import unfilled
from sdg.checkpoints.clip import clip_words, public_clip, quick_gelu_of
from sdg.checkpoints.identify import identify
from sdg.config import build
from sdg.errors import SDGError
from sdg.networks.pixels import CLIP_MEAN, CLIP_STD
from tests.tiny import configure

LAION = "open_clip:ViT-B-32/laion2b_s34b_b79k"


def made(name: str, checkpoint: str | None = None) -> Any:
    with torch.device("meta"):
        return public_clip(name, checkpoint)


def activations(module: nn.Module) -> set[type]:
    return {type(x) for x in module.modules() if isinstance(x, QuickGELU | nn.GELU)}


@pytest.mark.parametrize(
    "name, checkpoint, expected, told",
    [
        ("ViT-B-32-quickgelu", LAION, nn.GELU, True),
        ("ViT-B-32", LAION, nn.GELU, False),
        ("ViT-B-32", "open_clip:ViT-B-32/openai", QuickGELU, True),
        ("ViT-B-32-quickgelu", "open_clip:ViT-B-32/openai", QuickGELU, False),
        ("ViT-B-32", "open_clip:ViT-B-32/metaclip_400m", QuickGELU, True),
        ("ViT-B-32", "some/file.pt", nn.GELU, False),
        ("ViT-B-32-quickgelu", None, QuickGELU, False),
    ],
)
def test_the_table_of_open_clip_gives_the_activation(
    name: str, checkpoint: str, expected: type, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = made(name, checkpoint)
    assert activations(clip.model.visual) == activations(clip.model.transformer) == {expected}
    printed = capsys.readouterr().out
    assert (f"{checkpoint} was trained with {expected.__name__}, which is used" in printed) == told


@pytest.mark.parametrize(
    "checkpoint, mean, std",
    [
        ("open_clip:ViT-L-14/laion2b_s32b_b82k", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("open_clip:ViT-L-14/openai", CLIP_MEAN, CLIP_STD),
        (None, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    ],
)
def test_the_table_of_open_clip_gives_the_pixels(
    checkpoint: str | None, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    with unfilled():
        clip = public_clip("ViT-L-14-quickgelu", checkpoint)
    assert clip.normalise.mean.flatten().tolist() == pytest.approx(mean)
    assert clip.normalise.std.flatten().tolist() == pytest.approx(std)
    # White is (1 - mean) / std.
    white = clip.normalise(torch.ones(1, 3, 1, 1)).flatten().tolist()
    assert white == pytest.approx([(1 - m) / s for m, s in zip(mean, std, strict=True)])


def test_an_encoder_refuses_a_clip_of_other_pixels_or_activation() -> None:
    encoder = configure("sample", ["encoder=vit_b_32", "encoder.network.quick_gelu=false"]).encoder
    with torch.device("meta"):
        network = build(encoder.network)
    network.clip_state(made("ViT-B-32", LAION).model.visual)
    with pytest.raises(SDGError, match=r"QuickGELU.*set encoder\.network\.heads and \.quick_gelu"):
        network.clip_state(made("ViT-B-32-quickgelu").model.visual)
    visual = made("ViT-B-32", LAION).model.visual
    visual.image_mean = (0.5, 0.5, 0.5)
    with pytest.raises(SDGError, match=r"takes pixels of mean \(0\.5, 0\.5, 0\.5\)"):
        network.clip_state(visual)


def test_the_groups_follow_the_table() -> None:
    encoder = configure("sample", ["encoder=vit_b_32", f"encoder.clip_checkpoint={LAION}"]).encoder
    with torch.device("meta"):
        assert activations(build(encoder.clip)) == {nn.GELU}
    config = configure("evaluate", ["+features=clip_vit_b_32", f"features.clip_vit_b_32.checkpoint={LAION}"])
    with torch.device("meta"):
        assert activations(build(config.features.clip_vit_b_32.clip)) == {nn.GELU}


@pytest.mark.parametrize(
    "name, expected",
    [
        ("RN50-quickgelu", "encoder=rn50 encoder.clip_checkpoint=FILE"),
        ("RN50", "encoder=rn50 encoder.clip_checkpoint=FILE encoder.clip.name=RN50"),
        (
            "ViT-B-32",
            "encoder=vit_b_32 encoder.clip_checkpoint=FILE encoder.clip.name=ViT-B-32 "
            "encoder.network.quick_gelu=False",
        ),
        (
            "RN101-quickgelu",
            "encoder=rn50 encoder.clip_checkpoint=FILE encoder.clip.name=RN101-quickgelu "
            "encoder.network.output_dim=512 encoder.network.layers=[3,4,23,3]",
        ),
        ("ViT-M-16-alt", "metrics only: features.clip_vit_b_32.clip.name=ViT-M-16-alt"),
    ],
)
def test_the_words_name_what_differs(name: str, expected: str) -> None:
    assert clip_words(name).startswith(expected)


@pytest.mark.parametrize(
    "name, quick",
    [("RN101", True), ("RN50x4", True), ("RN50x64", True), ("ViT-L-14", True), ("ViT-B-32", False)],
)
def test_the_words_of_inspect_are_right(name: str, quick: bool) -> None:
    """What they compose takes the file's shapes, and an encoder can be made from it."""
    with torch.device("meta"):
        state = OpenCLIP(**open_clip.get_model_config(name)).state_dict()
    found = identify(state, quick)
    assert found is not None
    assert found.fits.startswith("encoder=")
    words = found.fits.replace("FILE", "nowhere.pt").split()
    encoder = configure("sample", words).encoder
    with torch.device("meta"):
        clip, network = build(encoder.clip), build(encoder.network)
    shapes = {key.removeprefix("model."): x.shape for key, x in clip.state_dict().items()}
    assert shapes == {key: x.shape for key, x in state.items()}
    own = {key: x.shape for key, x in network.state_dict().items()}
    for key, value in network.clip_state(clip.model.visual).items():
        assert own[key] == value.shape or key == network.positions
    if name.startswith("ViT"):
        assert activations(clip.model.visual) == {QuickGELU if quick else nn.GELU}


def outcome(function: Callable[[str], Any], name: str) -> str:
    """The one line that refuses a model, or nothing; any other exception is a failure."""
    try:
        function(name)
    except SDGError as error:
        return str(error)
    return ""


def test_no_name_of_open_clip_ends_in_a_traceback() -> None:
    """Here for the words; making all of them takes a minute: see below."""
    refusals = [line for name in open_clip.list_models() if (line := outcome(clip_words, name))]
    assert 50 < len(refusals) < len(open_clip.list_models()) - 30
    assert not any("\n" in line for line in refusals)
    assert quick_gelu_of("open_clip:ViT-B-32/openai") is True
    assert quick_gelu_of("w.pt") is None


@pytest.mark.slow
def test_every_model_of_open_clip_is_made_or_refused() -> None:
    refusals = [line for name in open_clip.list_models() if (line := outcome(made, name))]
    assert not any("\n" in line for line in refusals)
