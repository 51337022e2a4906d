"""A latent prior of diffusers' layout: guided by decoded pictures, or by an encoder of its codes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.errors import HydraException
from PIL import Image

from sdg.checkpoints import save_weights
from sdg.config import build
from sdg.data.toyfaces.references import write_references
from sdg.errors import SDGError
from sdg.sampling.run import sample
from tests.tiny import configure, make_weights

diffusers = pytest.importorskip("diffusers", reason="there is no diffusers: '.[dev]' brings it")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings of a tiny latent prior and CLIP; an encoder that reads its codes, 32 x 32 x 3 for 64 px."""
    folder = tmp_path_factory.mktemp("latent")
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
    sizes: Any = {"block_out_channels": (32,), "layers_per_block": 1} | blocks
    diffusers.UNet2DModel(32, 3, 3, **sizes).save_pretrained(folder / "ldm" / "unet")
    coding: Any = {"block_out_channels": (32, 32), "down_block_types": ("DownEncoderBlock2D",) * 2}
    coding |= {"up_block_types": ("UpDecoderBlock2D",) * 2, "scaling_factor": 1.0}
    diffusers.VQModel(**coding).save_pretrained(folder / "ldm" / "vqvae")
    diffusers.DDIMScheduler(clip_sample=False).save_pretrained(folder / "ldm" / "scheduler")
    tiny = [word for word in make_weights(folder) if not word.startswith("prior.")]
    codes = ["encoder.network.reads_states=true", "encoder.network.image_size=32"]
    save_weights(
        folder / "codes.safetensors",
        build(configure("sample", [*tiny, *map("+{}".format, codes[:1])]).encoder.network),
    )
    write_references(folder, 1, size=80)
    return [
        "prior=diffusers",
        f"prior.checkpoint={folder / 'ldm'}",
        *tiny,
        f"references=[{folder / 'face_000.png'}]",
    ]


def run(words: list[str], folder: Path, *more: str) -> list[np.ndarray]:
    usual = [
        "samples_per_prompt=1",
        "sampler=ddim",
        "sampler.steps=2",
        "trainer.accelerator=cpu",
        "guidance=content",
    ]
    strong = ["guidance.normalise=true", "guidance.scale=3", f"output_dir={folder}"]
    sample(configure("sample", [*words, *usual, *strong, *more]))
    return [np.asarray(Image.open(path)) for path in sorted((folder / "samples").iterdir())]


def test_decoded_pictures_guide(words: list[str], tmp_path: Path) -> None:
    start = words[-1].removeprefix("references=[").removesuffix("]")
    drawn = run(words, tmp_path, "estimator=clip_x0", f"start.image={start}", "snapshots=1")
    assert [picture.shape for picture in drawn] == [(64, 64, 3)] * 2
    assert not (drawn[0] == drawn[1]).all()
    record = json.loads((tmp_path / "manifest.jsonl").read_text().splitlines()[1])
    assert record["scores"]["content"] > -1


def test_an_encoder_of_codes_guides(words: list[str], tmp_path: Path) -> None:
    folder = Path(words[1].removeprefix("prior.checkpoint=")).parent
    reads = ["+encoder.network.reads_states=true", f"encoder.checkpoint={folder / 'codes.safetensors'}"]
    drawn = run(words, tmp_path, *reads)
    assert [picture.shape for picture in drawn] == [(64, 64, 3)] * 2
    assert not (drawn[0] == drawn[1]).all()


@pytest.mark.parametrize(
    "more, reason",
    [
        ([], "noised codes are no pictures: use an estimator that reads clean ones"),
        (["estimator=clip_x0", "constraint=ilvr"], "constraint=ilvr holds pixels of noised states"),
    ],
)
def test_what_needs_pixels_is_refused(words: list[str], tmp_path: Path, more: list[str], reason: str) -> None:
    with pytest.raises((SDGError, HydraException), match=reason):
        run(words, tmp_path, *more)
    assert not (tmp_path / "samples").exists()
