"""Architectures read off names and shapes, and what is said of weights that do not fit."""

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import CLIP as OpenCLIP
from torch import Tensor, nn

from sdg.checkpoints import load_weights, save_weights, unfilled
from sdg.checkpoints.adm import adm_architecture, adm_unet
from sdg.checkpoints.clip import public_clip
from sdg.checkpoints.identify import describe, identify
from sdg.checkpoints.known import ENCODERS, GENERATORS, PRIORS
from sdg.checkpoints.stylegan2 import stylegan2_architecture
from sdg.checkpoints.time_resnet import time_resnet_architecture
from sdg.checkpoints.time_vit import time_vit_architecture
from sdg.errors import SDGError
from sdg.networks.clip import CLIP, small_clip
from sdg.networks.stylegan2 import StyleGAN2
from sdg.networks.time_clip import TimeResNet
from sdg.networks.time_vit import TimeViT
from sdg.networks.unet import ADMUNet
from tests.checkpoints.files import save_script
from tests.golden.fill import fill_state_dict
from tests.tiny import configure

SMALL = {"base_channels": 32, "res_blocks": 1, "channel_mult": [1, 2], "attention_factors": [2], "patch": 1}
GOLDEN = Path(__file__).parents[1] / "golden"


def outline(make: Any, **arguments: Any) -> dict[str, Tensor]:
    with torch.device("meta"):
        return make(**arguments).state_dict()


def golden_outline(file: str) -> dict[str, Tensor]:
    """The names and shapes of a public checkpoint."""
    found = {}
    for line in (GOLDEN / file).read_text().splitlines():
        key, _, shape = line.partition(" ")
        found[key] = torch.empty([int(size) for size in shape.strip("()").split(",") if size], device="meta")
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        SMALL,
        SMALL | {"patch": 4, "out_channels": 3},
        SMALL | {"res_blocks": 3, "channel_mult": [2, 1, 4], "attention_factors": [1, 4]},
        SMALL | {"channel_mult": [1], "attention_factors": []},
        SMALL | {"res_blocks": 2, "channel_mult": [1, 1, 2, 2], "attention_factors": []},
        SMALL | {"in_channels": 1, "out_channels": 2, "patch": 2},
    ],
)
def test_a_unet_is_made_again_from_its_shapes(arguments: dict[str, Any]) -> None:
    full = {"in_channels": 3, "out_channels": 6, "head_channels": 32} | arguments
    state = outline(ADMUNet, **full)
    assert adm_architecture(state, head_channels=32, channels=full["in_channels"]) == full


@pytest.mark.parametrize(
    "name, group, parameters", [("adm_lsun", "lsun_bedroom", 552_814_086), ("adm_ffhq", "ffhq", 93_563_910)]
)
def test_public_priors_are_recognised(name: str, group: str, parameters: int) -> None:
    state = golden_outline(f"keys_{name}.txt")
    assert adm_architecture(state) == PRIORS[group]
    found = identify(state)
    assert found is not None
    assert found.network is not None
    assert found.fits.startswith(f"prior={group} ")
    assert sum(parameter.numel() for parameter in found.network.parameters()) == parameters


def test_released_encoders_are_recognised() -> None:
    state = golden_outline("keys_clip_time_rn50x16.txt")
    assert len(state) == 777
    assert time_resnet_architecture(state) == ENCODERS["rn50x16"]
    found = identify(state)
    assert found is not None
    assert found.fits == "encoder=rn50x16 encoder.checkpoint=FILE"


@pytest.mark.parametrize("size", [256, 1024])
def test_public_generators_are_recognised(size: int) -> None:
    state = golden_outline(f"stylegan2_keys_{size}.txt")
    assert stylegan2_architecture(state) == GENERATORS[f"stylegan2_{size}"]
    found = identify(state)
    assert found is not None
    assert found.network is not None
    assert found.fits == f"method=stylegan_clip generator=stylegan2_{size} generator.checkpoint=FILE"
    own = found.network.state_dict()
    assert {key: x.shape for key, x in own.items()} == {key: x.shape for key, x in state.items()}
    del state["convs.2.conv.weight"]
    with pytest.raises(SDGError, match=r"'convs.2.conv.weight' is missing"):
        stylegan2_architecture(state)


def test_a_generator_of_another_size_is_told_what_to_set() -> None:
    sizes = {"latent_dim": 8, "mapping_layers": 2, "channel_max": 16, "channel_multiplier": 0.0625}
    state = outline(StyleGAN2, image_size=128, **sizes)
    assert stylegan2_architecture(state) == {"image_size": 128, **sizes}
    assert "generator.network.image_size=128 generator.network.latent_dim=8 " in describe(state)


@pytest.mark.parametrize("group", GENERATORS)
def test_the_generators_known_are_those_of_the_configuration(group: str) -> None:
    network = configure("sample", [f"generator={group}"]).generator.network
    arguments = {key: value for key, value in network.items() if key != "_target_"}
    assert stylegan2_architecture(outline(StyleGAN2, **arguments)) == GENERATORS[group]


def test_a_vision_transformer_is_made_again_from_its_shapes() -> None:
    sizes = {"patch": 8, "width": 128, "layers": 3, "heads": 2, "output_dim": 16, "image_size": 40}
    sizes |= {"sinusoid_dim": 16, "time_dim": 24}
    state = outline(TimeViT, **sizes, stages=[0, 1, 2, 3, 3])
    assert time_vit_architecture(state) == sizes
    assert "encoder=vit_b_32 encoder.checkpoint=FILE encoder.network.patch=8 " in describe(state)
    found = identify(state)
    assert found is not None
    assert found.network is not None
    assert {key: x.shape for key, x in found.network.state_dict().items()} == {
        key: x.shape for key, x in state.items()
    }
    with pytest.raises(SDGError, match="give head_width"):
        time_vit_architecture(state, head_width=48)


def test_another_encoder_is_told_what_to_set() -> None:
    sizes = {"layers": [1, 2, 1, 1], "width": 8, "heads": 4, "output_dim": 16, "image_size": 64}
    state = outline(TimeResNet, **sizes, sinusoid_dim=16, time_dim=24)
    assert time_resnet_architecture(state) == sizes | {"sinusoid_dim": 16, "time_dim": 24}
    assert "encoder=rn50x16 encoder.checkpoint=FILE encoder.network.layers=[1,2,1,1] " in describe(state)
    with pytest.raises(SDGError, match="give head_width"):
        time_resnet_architecture(state, head_width=48)


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"label_emb.weight": (1000, 128)}, "wants a class label"),
        ({"input_blocks.2.0.op.weight": (32, 32, 3, 3)}, "resamples by convolutions"),
        ({"input_blocks.1.0.emb_layers.1.weight": (48, 128)}, "fits neither norms nor sums"),
        ({"input_blocks.0.0.weight": (32, 7, 3, 3)}, "7 channels, which 3-channel images do not fold to"),
        ({"input_blocks.1.0.in_layers.2.weight": None}, "is missing"),
        ({"output_blocks.3.0.in_layers.2.weight": None}, "output_blocks.*is missing"),
        ({"input_blocks.1.0.in_layers.2.weight": (48, 32, 3, 3)}, "not multiples of its base 32"),
    ],
)
def test_relatives_of_adm_are_told_apart(change: dict[str, tuple[int, ...] | None], reason: str) -> None:
    state = outline(ADMUNet, **SMALL, head_channels=32)
    for key, shape in change.items():
        if shape is None:
            del state[key]
        else:
            state[key] = torch.empty(shape, device="meta")
    with pytest.raises(SDGError, match=reason):
        adm_architecture(state, head_channels=32)


def test_heads_are_asked_for_where_the_assumption_fails() -> None:
    state = outline(ADMUNet, **SMALL | {"base_channels": 96}, head_channels=96)
    with pytest.raises(SDGError, match="give its head_channels"):
        adm_architecture(state, head_channels=128)


@torch.no_grad()
def test_a_unet_built_from_its_file_is_the_same_network(tmp_path: Path) -> None:
    source = ADMUNet(**SMALL, head_channels=32)
    source.load_state_dict(fill_state_dict(source.state_dict()))
    torch.save({"model": source.state_dict()}, tmp_path / "w.pt")
    with unfilled():
        network = adm_unet(str(tmp_path / "w.pt"), head_channels=32)
    load_weights(network, tmp_path / "w.pt")
    x_t, t = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([500])
    assert torch.equal(network(x_t, t), source(x_t, t))


def test_the_wrong_file_is_told_what_it_is_for(tmp_path: Path) -> None:
    encoder = TimeResNet([1, 1, 1, 1], width=4, heads=2, output_dim=16, image_size=32, time_dim=8)
    save_weights(tmp_path / "encoder.safetensors", encoder)
    unet = ADMUNet(**SMALL, head_channels=32)
    message = (
        r"does not fit ADMUNet: .* such keys in all\); it holds the weights of a time-dependent encoder: use"
    )
    with pytest.raises(SDGError, match=message):
        load_weights(unet, tmp_path / "encoder.safetensors")
    save_weights(tmp_path / "other.safetensors", nn.Linear(2, 3))
    with pytest.raises(SDGError, match=r"its 2 tensors \(bias, weight, …\) are of no network known here"):
        load_weights(unet, tmp_path / "other.safetensors")


def test_openais_archive_fills_our_clip(tmp_path: Path) -> None:
    """Half-precision TorchScript with settings among the weights, as OpenAI published its CLIPs."""
    source, target = tiny_clip(), tiny_clip()
    source.load_state_dict(fill_state_dict(source.state_dict()))
    state = {key.removeprefix("model."): value for key, value in source.state_dict().items()}
    halves = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    settings = {name: torch.tensor(77) for name in ("input_resolution", "context_length", "vocab_size")}
    save_script(halves | settings, tmp_path / "RN.pt")
    load_weights(target, tmp_path / "RN.pt")
    for key, value in target.state_dict().items():
        assert value.dtype == source.state_dict()[key].dtype
        assert torch.equal(value, halves[key.removeprefix("model.")].to(value.dtype))


def tiny_clip() -> CLIP:
    return small_clip(
        ["a", "face"],
        image_size=32,
        embed_dim=16,
        vision={"layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        text={"context_length": 8, "width": 16, "heads": 2, "layers": 1},
    )


@pytest.mark.parametrize("name", ["RN50x16", "ViT-B-32"])
def test_public_clips_are_recognised(name: str) -> None:
    state = outline(OpenCLIP, **open_clip.get_model_config(name))
    found = identify(state)
    assert found is not None
    assert found.name.startswith(f"CLIP ({name} or {name}-quickgelu")
    assert found.network is not None
    own = found.network.state_dict()
    assert {key.removeprefix("model."): x.shape for key, x in own.items()} == {
        k: x.shape for k, x in state.items()
    }
    ours = identify(own)
    assert ours is not None
    assert (ours.name, ours.fits) == (found.name, found.fits)


def test_public_clip_is_open_clips_own_with_its_tokenizer() -> None:
    with unfilled():
        clip = public_clip("RN50-quickgelu")
    assert clip.image_size == 224
    assert clip.embed_dim == 1024
    assert clip.tokenizer(["a face"]).shape == (1, 77)
    assert any(isinstance(module, open_clip.transformer.QuickGELU) for module in clip.modules())
    with pytest.raises(SDGError, match="no model RN51: choose RN50"):
        public_clip("RN51")
    with pytest.raises(SDGError, match="not made as OpenAI's"):
        public_clip("roberta-ViT-B-32")
