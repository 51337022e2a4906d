"""A sampling run from configuration to files, with tiny random networks."""

import shutil
import signal
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

from sdg.diffusion.noise import NoiseSource
from sdg.errors import SDGError
from sdg.files import file_hash
from sdg.locks import LOCK, locked_folder
from sdg.sampling.build import build_method
from sdg.sampling.plan import PlanEntry, SamplePlan
from sdg.sampling.predicting import PlanData
from sdg.sampling.run import sample
from sdg.sampling.shard import PlanShard
from sdg.sampling.writer import SamplingBar
from tests.tiny import configure, make_weights, pictures


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


def run(weights: list[str], folder: Path, *overrides: str) -> Path:
    settings = ["prompts=[a smiling face, a face with red hair]", "samples_per_prompt=3", "sampler.steps=4"]
    folders = [f"output_dir={folder}", "trainer.accelerator=cpu", "guidance.scale=30"]
    return sample(configure("sample", [*weights, *settings, *folders, *overrides]))


@pytest.fixture(scope="module")
def undisturbed(weights: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run(weights, folder)
    return folder


def test_a_run_leaves_pictures_manifest_and_page(undisturbed: Path):
    assert len(pictures(undisturbed)) == 9
    assert len((undisturbed / "manifest.jsonl").read_text().splitlines()) == 9
    assert (undisturbed / "grid.png").stat().st_size > 0
    page = (undisturbed / "index.html").read_text()
    assert all(f"samples/{name}" in page for name in pictures(undisturbed))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_pictures_do_not_depend_on_the_batch(
    weights: list[str], undisturbed: Path, tmp_path: Path, batch_size: int
):
    run(weights, tmp_path / "run", f"batch_size={batch_size}")
    assert pictures(tmp_path / "run") == pictures(undisturbed)


@pytest.mark.parametrize("samples, group", [(1, 1), (2, 2), (3, 4), (9, 4)])
def test_few_samples_do_not_pay_for_a_whole_group(weights: list[str], samples: int, group: int):
    config = configure("sample", [*weights, "trainer.accelerator=cpu"])
    assert build_method(config, samples=samples).group == config.group == group
    assert build_method(configure("sample", [*weights, "group=3"]), samples=samples).group == 3


def test_a_run_that_grows_keeps_its_group(weights: list[str], tmp_path: Path):
    one = ["prompts=[a face]", "unguided=false", "sampler.steps=1"]
    for n in (1, 5):
        run(weights, tmp_path / "run", *one, f"samples_per_prompt={n}")
        settings = OmegaConf.load(tmp_path / "run" / "config.yaml")
        assert (settings.group, len(pictures(tmp_path / "run"))) == (1, n)


def test_scale_zero_is_no_guidance(weights: list[str], undisturbed: Path, tmp_path: Path):
    run(weights, tmp_path / "run", "guidance.scale=0")
    unguided = pictures(undisturbed)
    for name, content in pictures(tmp_path / "run").items():
        assert content == unguided[f"{int(name[:6]) % 3:06d}.png"]


def test_guidance_changes_the_pictures(undisturbed: Path):
    assert len(set(pictures(undisturbed).values())) == 9


def test_an_interrupted_run_goes_on(weights: list[str], undisturbed: Path, tmp_path: Path):
    run(weights, tmp_path / "run")
    kept = tmp_path / "run" / "samples" / "000004.png"
    before = kept.stat().st_mtime_ns
    for i in (2, 5, 8):
        (tmp_path / "run" / "samples" / f"{i:06d}.png").unlink()
    run(weights, tmp_path / "run")
    assert pictures(tmp_path / "run") == pictures(undisturbed)
    assert kept.stat().st_mtime_ns == before
    assert (tmp_path / "run" / "manifest.jsonl").read_text() == (undisturbed / "manifest.jsonl").read_text()


def test_told_to_end_it_ends_within_a_step_and_keeps_what_is_complete(
    weights: list[str], undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In the second step of the batch's second group: of two groups of two, one is complete."""
    steps = []

    def step(bar: SamplingBar, images: int) -> None:
        steps.append(images)
        if len(steps) == 6:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(SamplingBar, "__call__", step)
        with pytest.raises(SystemExit) as ended:
            run(weights, tmp_path / "run", "batch_size=8", "group=2")
    assert ended.value.code == 143
    assert len(steps) == 6
    assert sorted(pictures(tmp_path / "run")) == ["000000.png", "000001.png"]
    assert not (tmp_path / "run" / LOCK).exists()
    run(weights, tmp_path / "run", "batch_size=8", "group=2")
    assert len(pictures(tmp_path / "run")) == 9


def test_a_second_run_on_the_folder_is_refused_and_changes_nothing(weights: list[str], tmp_path: Path):
    (tmp_path / "run").mkdir()
    with locked_folder(tmp_path / "run"), pytest.raises(SDGError, match=r"/run is in use by process \d+ on "):
        run(weights, tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_process_without_work_may_have_none():
    """Lightning asks the instance."""
    plan = SamplePlan(["a face"], [], 1, 0, 1.0, unguided=False)
    shard = PlanShard(plan, [], 1)
    assert shard.left(rank=1, processes=2) == []
    assert PlanData(shard).allow_zero_length_dataloader_with_multiple_devices


def test_other_weights_under_the_same_name_are_other_settings(weights: list[str], tmp_path: Path):
    (given,) = [word.partition("=")[2] for word in weights if word.startswith("prior.checkpoint=")]
    prior = tmp_path / "prior.safetensors"
    shutil.copy(given, prior)
    here = [*weights, f"prior.checkpoint={prior}"]
    run(here, tmp_path / "run")
    before = pictures(tmp_path / "run")
    save_file({name: 2 * tensor for name, tensor in load_file(prior).items()}, prior)
    with pytest.raises(SDGError, match="samples of other settings"):
        run(here, tmp_path / "run")
    assert pictures(tmp_path / "run") == before


def test_weights_are_known_by_content_however_they_are_named(weights: list[str], tmp_path: Path) -> None:
    """The groups' own paths are interpolations: the files they resolve to are what counts."""
    (given,) = [word.partition("=")[2] for word in weights if word.startswith("prior.checkpoint=")]
    (tmp_path / "toyfaces").mkdir()
    shutil.copy(given, tmp_path / "toyfaces" / "prior.safetensors")
    here = [word for word in weights if not word.startswith("prior.checkpoint=")]
    run([*here, f"paths.checkpoints={tmp_path}"], tmp_path / "run")
    (line,) = [
        text for text in (tmp_path / "run" / "config.yaml").read_text().splitlines() if "  prior.safe" in text
    ]
    assert file_hash(tmp_path / "toyfaces" / "prior.safetensors") in line


def test_pictures_of_other_origin_in_the_folder_do_no_harm(weights: list[str], tmp_path: Path) -> None:
    run(weights, tmp_path / "run")
    shutil.copy(tmp_path / "run/samples/000000.png", tmp_path / "run/samples/._000000.png")
    shutil.copy(tmp_path / "run/samples/000000.png", tmp_path / "run/samples/copy.png")
    run(weights, tmp_path / "run")


def test_a_run_that_leaves_samples_out_says_so(
    weights: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdg.sampling.run._draw", lambda *_: None)
    with pytest.raises(SDGError, match="9 of 9 samples were not drawn: give the same command again"):
        run(weights, tmp_path / "run")


def test_samples_that_become_nan_are_named_and_not_kept(weights: list[str], tmp_path: Path):
    with pytest.raises(
        SDGError, match=r"6 of 9 samples became NaN, the first at step 1 of 4, .* lower guidance.scale"
    ):
        run(weights, tmp_path / "run", "guidance.scale=1e38")
    assert sorted(pictures(tmp_path / "run")) == ["000000.png", "000001.png", "000002.png"]


@pytest.mark.parametrize(
    "override, message",
    [
        ("prior.checkpoint=/nowhere.safetensors", "no checkpoint at /nowhere.safetensors"),
        ("prior.denoiser.image_size=64", "draws 64-px images and the encoder reads 32-px ones"),
        (f"prompts=[{'very ' * 40}long]", "has 41 words, this encoder reads at most 30"),
        ("sampler.steps=1001", "more than the schedule.s 1000"),
        ("sampler.steps=ddim60", "no stride visits exactly 60"),
        ("prompts=[]", "nothing says what the term text should aim at"),
        ("batch_size=0", "batch_size=0 draws nothing"),
        ("group=0", "group=0 is no number of samples"),
        ("guidance.scale=strong", "guidance.scale=strong does not fit: give a number"),
        ("guidance.scale=inf", "guidance.scale=inf is not a number"),
    ],
)
def test_bad_input_leaves_nothing_behind(weights: list[str], tmp_path: Path, override: str, message: str):
    with pytest.raises(Exception, match=message):
        run(weights, tmp_path / "run", override)
    assert not (tmp_path / "run").exists()


def test_a_sweep_does_not_start_several_processes_for_a_job(weights: list[str], tmp_path: Path):
    several = ("hydra.mode=MULTIRUN", "trainer=predict_ddp", "trainer.devices=2")
    with pytest.raises(SDGError, match=r"a sweep \(-m\) cannot start several"):
        run(weights, tmp_path / "run", *several)
    assert not (tmp_path / "run").exists()


def test_half_precision_sees_nearly_the_same(weights: list[str]) -> None:
    x = NoiseSource([(0, i) for i in range(4)]).normal((3, 32, 32))
    clean, gradients = [], []
    for dtype in ("float32", "bfloat16"):
        method = build_method(configure("sample", [*weights, f"dtype={dtype}", "sampler.steps=4"]))
        networks = (method.denoiser.network, method.aims.guidance.encoder)
        assert {p.dtype for network in networks for p in network.parameters()} == {getattr(torch, dtype)}
        step = method.timeline.steps[2]
        clean.append(method.denoiser(x, step).x0.detach())
        score = method.aims([PlanEntry(i, "a face", None, 0, i, 30.0) for i in range(4)])
        gradients.append(score.rise(x, step.level).gradient)
        assert clean[-1].dtype == gradients[-1].dtype == torch.float32
    assert 0 < float((clean[0] - clean[1]).norm() / clean[0].norm()) < 0.02
    alike = torch.cosine_similarity(gradients[0].flatten(1), gradients[1].flatten(1))
    assert (alike > 0.9).all()
    assert (alike < 1).any()


def test_an_unknown_dtype_is_refused(weights: list[str]) -> None:
    with pytest.raises(Exception, match="dtype=int8 is unknown"):
        build_method(configure("sample", [*weights, "dtype=int8", "prompts=[a face]"]))
