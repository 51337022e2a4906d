"""The fine-tunings on real data compose; one of them runs, at toy size always and at full size when asked."""

import csv
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException

from sdg.checkpoints import read_state, save_weights
from sdg.composition import ROOT
from sdg.config import build
from sdg.data.file_data import FileData
from sdg.sampling.run import sample
from sdg.training.run import train
from tests.data.pictures import make_folder
from tests.tiny import NETWORKS, configure, make_weights

EXPERIMENTS = ["ffhq_clip", "lsun_bedroom_clip", "lsun_cat_clip", "lsun_horse_clip"]
TOY = [
    "+experiment=ffhq_clip",
    "prior=toyfaces",
    "encoder=toyfaces",
    *NETWORKS,
    "data.enlarge=true",
    "data.size=32",
    "data.batch_size=8",
    "data.workers=0",
    "model.optimisation.warmup=5",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.log_every_n_steps=1",
    "+trainer.enable_progress_bar=false",
    "~callbacks.bar",
]


@pytest.fixture(scope="module")
def clip_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_weights(tmp_path_factory.mktemp("weights"))[-2]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_composes_data_prior_and_encoder_of_its_name(tmp_path: Path, name: str):
    root = make_folder(tmp_path, 1)
    config = configure("train", [f"+experiment={name}", f"data.root={root}"])
    data = build(config.data)
    assert isinstance(data, FileData)
    assert data.title == config.name.removesuffix("_clip") == name.removesuffix("_clip")
    assert data.size == config.prior.denoiser.image_size == config.encoder.network.image_size == 256
    assert (config.data.batch_size, config.model.optimisation.lr) == (24, 1e-4)
    assert config.trainer.max_steps == 50000
    assert config.output_dir == f"outputs/train/{name}"
    assert len(build(config.model.schedule)) == 1000
    assert data.source.preparation == ("adm" if name == "ffhq_clip" else "box")


@pytest.mark.parametrize(
    "name", ["ffhq", "folder", "lsun_bedroom", "lsun_cat", "lsun_horse", "lsun_church_outdoor"]
)
def test_data_without_a_path_says_so(name: str):
    with pytest.raises(InstantiationException, match=f"say where {name} is"):
        build(configure("train", [f"data={name}"]).data)


def test_fine_tuning_on_files_learns_them_and_skips_the_damaged(
    tmp_path: Path, clip_checkpoint: str, capsys: pytest.CaptureFixture
):
    root = make_folder(tmp_path / "set", 12, damaged=(3,))
    run = [f"data.root={root}", f"data.cache={tmp_path / 'cache'}", f"output_dir={tmp_path / 'run'}"]
    settings = ["data.train_count=8", "data.on_corrupt=skip", "model.optimisation.lr=3e-3"]
    steps = ["trainer.max_steps=60", "trainer.val_check_interval=60"]
    train(configure("train", [*TOY, *run, *settings, *steps, clip_checkpoint]))
    with open(next((tmp_path / "run" / "logs").rglob("metrics.csv"))) as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert len(losses) == 60
    assert statistics.mean(losses[-15:]) < 0.8 * statistics.mean(losses[:15])
    assert list((tmp_path / "run" / "figures").glob("retrieval_*.png"))
    assert "8 to train on and 4 to validate on" in (tmp_path / "run" / "ffhq_clip.md").read_text()
    lines = [line for line in capsys.readouterr().out.splitlines() if "00003.png" in line]
    assert len(lines) == 1


def test_a_vision_transformer_is_fine_tuned_and_guides(tmp_path: Path):
    """``encoder=vit_b_32`` at toy size, from the training to the pictures."""
    vision = "{layers: 2, width: 16, head_width: 8, patch_size: 8}"
    text = "{context_length: 8, width: 16, heads: 2, layers: 1}"
    words = [
        "~encoder.clip",
        f"+encoder.clip={{_target_: sdg.networks.clip.small_clip, vocabulary: [a, face], image_size: 32, "
        f"embed_dim: 16, vision: {vision}, text: {text}}}",
        "encoder.network={_target_: sdg.networks.time_vit.TimeViT, patch: 8, width: 16, layers: 2, heads: 2, "
        "output_dim: 16, quick_gelu: false, stages: [0, 1, 1, 2, 2], image_size: 32, sinusoid_dim: 8, "
        "time_dim: 16}",
        f"encoder.clip_checkpoint={tmp_path / 'clip.safetensors'}",
    ]
    choice = "encoder=vit_b_32"
    networks = [word for word in NETWORKS if not word.startswith("encoder")]
    save_weights(tmp_path / "clip.safetensors", build(configure("train", [choice, *words]).encoder.clip))
    run = [f"data.root={make_folder(tmp_path / 'set', 8)}", f"output_dir={tmp_path / 'run'}"]
    run += [f"data.cache={tmp_path / 'cache'}", "trainer.max_steps=3"]
    toy = [word for word in TOY if not word.startswith("encoder")]
    train(configure("train", [*toy, choice, *words, *run]))
    trained = read_state(tmp_path / "run" / "ffhq_clip.safetensors")
    assert trained["emb_layers.1.weight"].abs().max() > 0  # it started at 0

    weights = make_weights(tmp_path)  # of a prior
    words += [*networks, next(word for word in weights if word.startswith("prior.checkpoint"))]
    words += [f"encoder.checkpoint={tmp_path / 'run' / 'ffhq_clip.safetensors'}", "prompts=[a face]"]
    words += ["sampler.steps=3", "samples_per_prompt=1", f"output_dir={tmp_path / 'out'}"]
    sample(configure("sample", [choice, *words, "trainer.accelerator=cpu"]))
    records = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert [record["prompt"] for record in records] == [None, "a face"]
    pictures = [(tmp_path / "out" / "samples" / f"{i:06d}.png").read_bytes() for i in range(2)]
    assert pictures[0] != pictures[1]


def test_a_run_on_a_cache_ends_with_the_weights_of_one_on_its_source(tmp_path: Path, clip_checkpoint: str):
    root = make_folder(tmp_path / "set", 8)
    states = []
    for name in ("source", "cache"):
        run = [f"data.root={root}", f"data.cache={tmp_path / 'cache'}", f"output_dir={tmp_path / name}"]
        config = configure("train", [*TOY, *run, "trainer.max_steps=2", clip_checkpoint])
        train(config)
        states.append(read_state(tmp_path / name / "ffhq_clip.safetensors"))
        build(config.data).write_cache()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_wrong_path_leaves_nothing_behind(tmp_path: Path, clip_checkpoint: str):
    run = [f"data.root={tmp_path / 'nowhere'}", f"output_dir={tmp_path / 'run'}"]
    with pytest.raises(InstantiationException, match="nowhere is not there"):
        train(configure("train", [*TOY, *run, clip_checkpoint]))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_real_ffhq_fine_tuning_takes_two_steps_on_a_cpu_within_20_gib(tmp_path: Path):
    """With CLIP RN50x16 of full size and random weights; the command as a user gives it."""
    root = make_folder(tmp_path / "set", 8)
    clip = build(configure("train", ["encoder=rn50x16"]).encoder.clip)
    save_weights(tmp_path / "clip.safetensors", clip)
    del clip
    words = ["+experiment=ffhq_clip", f"data.root={root}", "data.enlarge=true", "trainer.max_steps=2"]
    words += [f"encoder.clip_checkpoint={tmp_path / 'clip.safetensors'}", f"output_dir={tmp_path / 'run'}"]
    words += ["trainer.accelerator=cpu", "trainer.log_every_n_steps=1", f"data.cache={tmp_path / 'cache'}"]
    result = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *words], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"peak memory {peak:.1f} GiB")
    assert peak < 20
    with open(next((tmp_path / "run" / "logs").rglob("metrics.csv"))) as file:
        losses = [float(row["train/loss"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert len(losses) == 2
    assert all(0 < loss < 100 for loss in losses)
