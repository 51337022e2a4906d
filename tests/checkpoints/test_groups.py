"""The groups of conf/ for public models: they compose, and build the networks that the public files fill."""

from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from safetensors.torch import load_file

from sdg.checkpoints import load_weights, locate, save_weights, unfilled
from sdg.checkpoints.identify import identify
from sdg.config import build, one_line
from sdg.networks.time_clip import TimeResNet
from sdg.networks.unet import ADMUNet
from tests.golden.fill import fill, fill_state_dict
from tests.tiny import configure, make_weights

LSUN = ("lsun_bedroom", "lsun_cat", "lsun_horse", "lsun_horse_nodropout")


@pytest.mark.parametrize(
    "group, parameters", [*((group, 552_814_086) for group in LSUN), ("ffhq", 93_563_910)]
)
def test_priors(group: str, parameters: int) -> None:
    prior = configure("sample", [f"prior={group}"]).prior
    with unfilled():
        denoiser = build(prior.denoiser)
    assert sum(parameter.numel() for parameter in denoiser.network.parameters()) == parameters
    assert all(parameter.is_meta for parameter in denoiser.network.parameters())
    assert (denoiser.parameterisation, denoiser.image_size, denoiser.clip) == ("eps", 256, True)
    assert len(denoiser.schedule) == 1000
    assert float(denoiser.schedule.alpha_bar[-1]) == pytest.approx(4.0358e-5, rel=1e-4)
    dropout = {float(m.p) for m in denoiser.network.modules() if isinstance(m, torch.nn.Dropout)}
    assert dropout == ({0.1} if group in LSUN[:3] else {0.0})
    found = identify(denoiser.network.state_dict())
    assert found is not None
    assert group in found.fits
    assert prior.download is False
    assert Path(prior.url).name.removeprefix("diffusion_") == Path(prior.checkpoint).name


@pytest.mark.parametrize(
    "group, parameters",
    [("rn50x16", 260_983_056), ("rn50", 62_052_704), ("vit_b_32", 107_888_640), ("vit_b_16", 106_266_624)],
)
def test_encoders(group: str, parameters: int) -> None:
    encoder = configure("sample", [f"encoder={group}"]).encoder
    with unfilled():
        network, clip = build(encoder.network), build(encoder.clip)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    found = identify(network.state_dict())
    assert found is not None
    assert found.fits == f"encoder={group} encoder.checkpoint=FILE"
    # Fine-tuning can start from this CLIP: the names match, and so does what shapes do not show.
    assert len(network.clip_state(clip.model.visual)) == len(clip.model.visual.state_dict())
    assert clip.embed_dim == encoder.network.output_dim
    header = (Path(__file__).parents[2] / "conf" / "encoder" / f"{group}.yaml").read_text("utf-8")
    assert f"{parameters:,} parameters" in header.splitlines()[0]
    found = identify(clip.state_dict())
    assert found is not None
    assert found.fits == f"encoder={group} encoder.clip_checkpoint=FILE"


def test_our_own_weights_are_recognised() -> None:
    config = configure("sample", [])
    with unfilled():
        prior, encoder = build(config.prior.denoiser), build(config.encoder.network)
    for network, fits in ((prior.network, "prior=toyfaces"), (encoder, "encoder=toyfaces")):
        found = identify(network.state_dict())
        assert found is not None
        assert found.fits.startswith(f"{fits} ")


def test_every_network_of_a_run_may_be_built_unfilled(tmp_path: Path) -> None:
    config = configure("sample", make_weights(tmp_path))
    with unfilled():
        prior, clip = build(config.prior.denoiser), build(config.encoder.clip)
        encoder = build(config.encoder.network)
    load_weights(prior.network, config.prior.checkpoint)
    load_weights(clip, config.encoder.clip_checkpoint)
    load_weights(encoder, config.encoder.checkpoint)
    for network in (prior, clip, encoder):
        assert not any(x.is_meta for x in (*network.parameters(), *network.buffers()))
    expected = load_weights(build(config.encoder.clip), config.encoder.clip_checkpoint)
    with torch.no_grad():
        assert torch.equal(clip.encode_text(["a face"]), expected.encode_text(["a face"]))


@torch.no_grad()
def test_any_unet_of_adms_kind_is_loaded_by_its_path_alone(tmp_path: Path) -> None:
    source = ADMUNet(32, 2, (1, 1, 2), (4,), 32, out_channels=3, patch=2)
    source.load_state_dict(fill_state_dict(source.state_dict()))
    save_weights(tmp_path / "w.safetensors", source, dtype=torch.float32)
    overrides = [f"prior.checkpoint={tmp_path / 'w.safetensors'}", "prior.denoiser.network.head_channels=32"]
    prior = configure("sample", ["prior=adm", *overrides]).prior
    with unfilled():
        denoiser = build(prior.denoiser)
    load_weights(denoiser.network, locate(prior.checkpoint, prior.get("url")))
    x_t, t = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([500])
    assert torch.equal(denoiser.network(x_t, t), source(x_t, t))


@torch.no_grad()
def test_any_unet_of_diffusers_is_loaded_by_its_folder_alone(tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers", reason="there is no diffusers: '.[dev]' brings it")
    blocks = {"down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"]}
    model = diffusers.UNet2DModel(16, block_out_channels=(32,), layers_per_block=1, **blocks).eval()
    model.save_pretrained(tmp_path)
    diffusers.DDPMScheduler(num_train_timesteps=700, beta_end=0.01).save_pretrained(tmp_path)
    words = ["prior=diffusers", f"prior.checkpoint={tmp_path}"]
    prior = configure("sample", words).prior
    with unfilled():
        denoiser = build(prior.denoiser).eval()
    load_weights(denoiser.network, prior.checkpoint)
    x_t, t = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([500])
    assert torch.equal(denoiser.network(x_t, t), model(x_t, t).sample)
    assert len(denoiser.schedule) == 700
    # An encoder that is fine-tuned with it is shown its states.
    codec = build(configure("train", ["+experiment=ffhq_clip", *words]).model.codec)
    assert codec.encode(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("group, path", [("adm", "null"), ("diffusers", "null"), ("diffusers", "FILE")])
def test_a_prior_that_is_read_off_its_file_needs_one(tmp_path: Path, group: str, path: str) -> None:
    (tmp_path / "w.pt").touch()
    checkpoint = path.replace("FILE", str(tmp_path / "w.pt"))
    prior = configure("sample", [f"prior={group}", f"prior.checkpoint={checkpoint}"]).prior
    with pytest.raises(InstantiationException) as caught:
        build(prior.denoiser)
    assert "prior.checkpoint" in one_line(caught.value)
    assert "give" in one_line(caught.value)


def test_every_group_names_its_command_and_size() -> None:
    folder = Path(__file__).parents[2] / "conf"
    for group, number in {**dict.fromkeys(LSUN, "552,814,086"), "ffhq": "93,563,910"}.items():
        text = (folder / "prior" / f"{group}.yaml").read_text(encoding="utf-8")
        assert number in text.splitlines()[0]
        assert f"# python sample.py prior={group} " in text


def test_released_encoders_fill_the_group_strictly(tmp_path: Path) -> None:
    """With fewer blocks, but by the released names: an extra or missing one would be refused."""
    overrides = ["encoder=rn50x16", "encoder.network.layers=[1,1,1,1]", "encoder.network.width=8"]
    sizes = ["encoder.network.heads=4", "encoder.network.output_dim=16", "encoder.network.image_size=64"]
    network = build(configure("sample", [*overrides, *sizes]).encoder.network)
    assert isinstance(network, TimeResNet)
    state = fill_state_dict(network.state_dict())
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "clip_ffhq.pt")
    load_weights(network, tmp_path / "clip_ffhq.pt")
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.slow
@torch.no_grad()
def test_a_file_of_the_public_layout_gives_the_golden_output(tmp_path: Path) -> None:
    """The FFHQ model at full size: written as its authors write, loaded by its group."""
    golden = load_file(Path(__file__).parents[1] / "golden" / "adm_ffhq.safetensors")
    prior = configure("sample", ["prior=ffhq", f"prior.checkpoint={tmp_path / 'ffhq_10m.pt'}"]).prior
    with unfilled():
        network = build(prior.denoiser).network.eval()
    state = {key: fill(key, value.shape) for key, value in network.state_dict().items()}
    torch.save(state, prior.checkpoint)
    load_weights(network, locate(prior.checkpoint, prior.url, prior.sha256, prior.download))
    output = network(golden["x"], golden["t"])
    assert float((output - golden["out"]).norm() / golden["out"].norm()) <= 1e-4
