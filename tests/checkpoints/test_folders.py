"""Public models that are folders: looked for, told, or fetched file by file, and loaded from there."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from sdg.checkpoints import folders
from sdg.checkpoints.__main__ import main
from sdg.checkpoints.catalogue import CATALOGUE, public_file
from sdg.checkpoints.folders import located_folder
from sdg.composition import compose
from sdg.errors import SDGError
from sdg.sampling.networks import Compute, Networks

NAMES = ("ddpm_celebahq", "ddpm_church", "ddpm_bedroom", "ddpm_cat", "ldm_celebahq")
URL = "https://huggingface.co/google/ddpm-cat-256/resolve/main"
FILES = {"config.json": None, "scheduler_config.json": None, "diffusion_pytorch_model.bin": "ab"}


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str | None]]:
    """What is fetched, from a folder ``there`` of the test's in place of its address."""
    monkeypatch.setenv("SDG_CACHE", str(tmp_path / "cache"))
    asked: list[tuple[str, str | None]] = []

    def fetch(url: str, target: Path, sha256: str | None = None) -> Path:
        asked.append((url, sha256))
        shutil.copy(tmp_path / "there" / url.removeprefix(f"{URL}/"), target)
        return target

    monkeypatch.setattr(folders, "fetch", fetch)
    return asked


def test_nothing_is_fetched_unasked(fetched: list[Any], tmp_path: Path) -> None:
    with pytest.raises(
        SDGError, match=r"add prior\.download=true to fetch 3 files from .*ddpm-cat-256/resolve"
    ):
        located_folder("checkpoints/ddpm-cat-256", URL, FILES)
    assert located_folder(str(tmp_path), URL, FILES) == str(tmp_path)
    assert located_folder(f"{tmp_path}@raw", URL, FILES) == f"{tmp_path}@raw"
    assert located_folder("elsewhere", None, None) == "elsewhere"
    assert fetched == []


@torch.no_grad()
def test_a_fetched_folder_is_a_prior(
    fetched: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    diffusers = pytest.importorskip("diffusers", reason="there is no diffusers: '.[dev]' brings it")
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
    model = diffusers.UNet2DModel(8, block_out_channels=(32,), layers_per_block=1, **blocks).eval()
    model.save_pretrained(tmp_path / "there", safe_serialization=False)
    diffusers.DDPMScheduler(beta_end=0.01).save_pretrained(tmp_path / "there")
    words = ["prior=ddpm_cat", "prior.download=true", f"prior.checkpoint={tmp_path / 'ddpm-cat-256'}"]
    prior = compose("sample", words).method.prior
    denoiser = Networks().denoiser(_plain(prior), Compute())
    assert [url.removeprefix(f"{URL}/") for url, _ in fetched] == list(FILES)
    x, t = torch.randn(1, 3, 8, 8), torch.tensor([7])
    torch.testing.assert_close(denoiser.network(x, t), model(x, t).sample)
    assert (tmp_path / "cache" / "ddpm-cat-256" / "config.json").is_file()
    Networks().denoiser(_plain(prior), Compute())
    assert len(fetched) == 3
    assert "ddpm-cat-256 is taken" in capsys.readouterr().out


def _plain(prior: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    settings: Any = OmegaConf.to_container(prior, resolve=True)
    return settings


@pytest.mark.parametrize("name", NAMES)
def test_cards_and_configurations_say_the_same(name: str) -> None:
    prior, card = compose("sample", [f"prior={name}"]).prior, public_file(name)
    assert (prior.url, tuple(sorted(prior.files))) == (card.url, tuple(sorted(card.parts)))
    assert Path(prior.checkpoint).name == card.file
    assert prior.download is False


def test_cards_and_checklists_of_folders(fetched: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    card = public_file("ddpm_cat")
    assert not card.here
    for part in card.parts:
        (card.place / part).parent.mkdir(parents=True, exist_ok=True)
        (card.place / part).write_text(json.dumps({}))
    assert card.here
    main(["ddpm_cat"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("  [x] prior.checkpoint: ")
    assert sum(bool(card.parts) for card in CATALOGUE) == len(NAMES)
