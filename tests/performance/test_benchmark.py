"""The benchmark compares like with like, and its tables say what its numbers say."""

import json
import shutil
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from torch import nn

from experiments.benchmark import __main__ as experiment
from experiments.benchmark import gpu, waiting
from experiments.benchmark.contest import BY_TEXT, GROUPS, OURS, STEP, UNET, Contestant
from experiments.benchmark.distance import race_distances
from experiments.benchmark.grown import GROWTHS
from experiments.benchmark.profiling import ROWS, profile, write_profile
from experiments.benchmark.report import draw_bars, relative, write_tables
from experiments.benchmark.rival import Make, azula_unet, diffusers_unet, rival
from experiments.benchmark.targets import CPU, FFHQ, GPU, TARGETS, write_targets
from experiments.cost.flops import MODELS
from sdg.errors import SDGError
from sdg.networks.refined import RefinedUNet
from sdg.networks.unet import ADMUNet
from tests.golden.fill import fill_state_dict
from tests.tiny import make_weights

FOLDER = Path(experiment.__file__).parent


@pytest.mark.parametrize(
    "settings",
    [
        {"res_blocks": 1, "channel_mult": [1, 1], "attention_factors": [2], "patch": 2},
        {"res_blocks": 2, "channel_mult": [1, 1, 2], "attention_factors": [1, 4]},
        {"res_blocks": 1, "channel_mult": [1, 2, 2], "attention_factors": [2]},
    ],
)
@pytest.mark.parametrize("name, make", [("diffusers", diffusers_unet), ("azula", azula_unet)])
def test_a_rivals_unet_computes_what_ours_does(settings: dict[str, Any], name: str, make: Make) -> None:
    pytest.importorskip(name, reason=f"there is no {name}: '.[dev]' brings it")
    settings |= {"base_channels": 32, "head_channels": 16}
    unet = ADMUNet(**settings).eval()
    unet.load_state_dict(fill_state_dict(unet.state_dict()))
    x, t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([321])
    with torch.no_grad():
        expected = unet(x, t)
        torch.testing.assert_close(rival(unet, settings, make)(x, t), expected, rtol=1e-4, atol=1e-5)
        refined = RefinedUNet(unet, width=32)
        refined.load_state_dict(fill_state_dict(refined.state_dict()))
        theirs = rival(refined, {"unet": settings}, make)
        torch.testing.assert_close(theirs(x, t), refined(x, t), rtol=1e-4, atol=1e-5)
    assert not torch.equal(theirs(x, t), expected)


def test_ratios_are_of_the_same_round() -> None:
    assert relative([2.0, 20.0, 40.0], [1.0, 10.0, 10.0]) == (2.0, 2.0, 4.0)


def test_frechet_distances_are_timed_only_if_they_agree() -> None:
    found = race_distances(48)
    assert found["apart"] < 1e-6
    assert {name: len(times) for name, times in found["milliseconds"].items()} == {"sdg": 2, "scipy": 1}


@pytest.mark.parametrize("options", ["--steps 1", "--batch 0", "--rounds 0"])
def test_a_mistake_is_told_and_nothing_written(tmp_path: Path, options: str) -> None:
    with pytest.raises(SDGError, match="use --steps from 2, --batch and --rounds from 1"):
        experiment.main([*options.split(), "--report", str(tmp_path / "report")])
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="runs on a machine without a GPU")
def test_a_gpu_that_is_not_there_is_told() -> None:
    with pytest.raises(SDGError, match="use --device cpu"):
        experiment.main(["--device", "cuda"])


@pytest.mark.slow
def test_times_what_was_found_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--size", "32", "--batch", "2", "--steps", "2", "--rounds", "2", "--distance", "64"]
    arguments += ["--report", str(tmp_path)]
    experiment.main(arguments)
    report = json.loads((tmp_path / "toyfaces_b2.json").read_text())
    rows = {(row["group"], row["name"]): row for row in report["rows"]}
    assert len(rows) == 21
    assert all(len(row["milliseconds"]) == 2 for row in rows.values())
    own, released = (rows["step guided by text", name] for name in ("sdg", "as released"))
    assert (own["copies"], own["reads"]) == (0, 0)
    assert released["copies"] >= 9
    assert rows["step guided by text", "as released, azula's UNet"]["copies"] >= 9
    assert released["gflop"] > own["gflop"]
    assert "python -m experiments.benchmark --size 32" in (tmp_path / "toyfaces_b2.md").read_text()
    assert "Of 64 features" in (tmp_path / "toyfaces_b2.md").read_text()
    assert (tmp_path / "toyfaces_b2.svg").read_text().count("as released") == 4

    monkeypatch.setattr(experiment, "TOLERANCE", 1e-9)
    with pytest.raises(SDGError, match=r"not the same computation.* as released"):
        experiment.main(arguments)


@pytest.mark.slow
def test_what_agrees_in_float32_is_timed_in_half_precision(tmp_path: Path) -> None:
    arguments = ["--dtype", "bfloat16", "--size", "32", "--batch", "1", "--steps", "2", "--rounds", "1"]
    experiment.main([*arguments, "--distance", "0", "--report", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"toyfaces_bfloat16_b1.{kind}" for kind in ("json", "md", "svg")),
        "targets.md",
    }
    text = (tmp_path / "toyfaces_bfloat16_b1.md").read_text()
    assert ", bfloat16: 32-px pictures, 1 at a time" in text
    assert "![Times, in those of sdg](toyfaces_bfloat16_b1.svg)" in text
    assert "Fréchet" not in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_networks_and_steps_are_compiled_too_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the compiler's front end alone."""
    compile_ = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda module: compile_(module, backend="eager"))
    arguments = ["--compile", "--size", "32", "--batch", "1", "--steps", "2", "--rounds", "1"]
    experiment.main([*arguments, "--distance", "0", "--report", str(tmp_path)])
    text = (tmp_path / "toyfaces_b1.md").read_text()
    for way in ("channels_last", "compiled"):
        assert text.count(f"\n| sdg, {way} | ") == 4
        assert text.count(f"\n| diffusers, {way} | ") == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_call_for_a_gpu_runs_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_ = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda module: compile_(module, backend="eager"))
    monkeypatch.setattr(gpu, "RUNS", gpu.RUNS[-1:])
    small = ["--device", "cpu", "--model", "toyfaces", "--size", "32", "--steps", "2", "--rounds", "1"]
    gpu.main([*small, "--report", str(tmp_path)])
    assert "sdg, compiled" in (tmp_path / "toyfaces_bfloat16_b1.md").read_text()
    assert (tmp_path / "targets.md").exists()


def test_one_call_makes_every_report_of_the_gpus_column(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(gpu, "benchmark", lambda words: made.append(experiment.name(experiment.parse(words))))
    gpu.main([])
    assert set(made) == {target.file for target in TARGETS if target.kind == GPU}
    words = FFHQ.split()[3:]
    made = [experiment.name(experiment.parse(run)) for run in ([], words)]
    assert {*made, "growth"} == {target.file for target in TARGETS if target.kind == CPU}


@pytest.mark.slow
def test_a_profile_is_written_instead_of_a_report(tmp_path: Path) -> None:
    arguments = ["--profile", "--size", "32", "--batch", "1", "--steps", "2", "--report", str(tmp_path)]
    experiment.main(arguments)
    (file,) = tmp_path.iterdir()
    assert file.name == "toyfaces_b1_profile.md"
    assert "convolution" in file.read_text()
    assert "python -m experiments.benchmark --profile" in file.read_text()


def test_a_profile_has_the_share_of_each_operator(tmp_path: Path) -> None:
    x = torch.ones(256, 256)

    def run() -> torch.Tensor:
        for _ in range(2):
            y = x @ x @ x + 1
        return y

    shares = {share.operator: share for share in profile(Contestant(STEP, OURS, run), 2)}
    assert sum(share.share for share in shares.values()) == pytest.approx(1)
    assert next(iter(shares)) == "aten::mm"
    assert (shares["aten::mm"].calls, shares["aten::add"].calls) == (2, 1)

    quick = f"{OURS}, channels_last"
    names = ((UNET, OURS), (STEP, OURS), (STEP, "as released"), (BY_TEXT, OURS), (BY_TEXT, quick))
    write_profile([Contestant(*name, run) for name in names], 2, "`this`, there.", tmp_path / "x.md")
    text = (tmp_path / "x.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        f"## {STEP}: {OURS}",
        f"## {BY_TEXT}: {OURS}",
        f"## {BY_TEXT}: {quick}",
    ]
    assert text.count("| aten::mm | ") == 3
    assert text.count("\n| ") <= 3 * (ROWS + 2)


def row(group: str, name: str, milliseconds: list[float], gflop: float | None) -> dict[str, Any]:
    counted = dict.fromkeys(("operators", "copies", "reads", "peak_megabytes"), gflop and 7)
    row = {"group": group, "name": name, "milliseconds": milliseconds, "gflop": gflop}
    return row | counted | {"kernels": None, "apart": 0.0}


def test_what_is_compiled_has_the_arithmetic_of_channels_last(tmp_path: Path) -> None:
    rows = [row(group, OURS, [4.0, 8.0], 10.0 * (i + 1)) for i, group in enumerate(GROUPS)]
    rows += [
        row(group, f"{OURS}, channels_last", [3.0, 6.0], 8.0 * (i + 1)) for i, group in enumerate(GROUPS[:3])
    ]
    rows += [row(group, f"{OURS}, compiled", [2.0, 4.0], None) for group in GROUPS[:3]]
    report = {
        **dict.fromkeys(("command", "machine", "sdg", "torch", "dtype", "model", "name"), "x"),
        **dict.fromkeys(("batch", "rounds", "steps"), 2),
        "size": None,
        "gpu": False,
        "rows": rows,
        "peaks": [{"name": kind, "gflop_per_second": 1e4} for kind in ("convolution", "matmul")],
        "distance": {"width": 9, "milliseconds": {"sdg": [2.0, 4.0], "scipy": [20.0]}, "apart": 1e-9},
    }
    write_tables(report, tmp_path / "x.md")
    text = (tmp_path / "x.md").read_text()
    assert "| sdg, compiled | 0.50 (0.50 … 0.50) | 0.80 | 0.80 | 24.0 |" in text
    assert "| sdg, compiled | text | 1.00 (1.00 … 1.00) | 1.50 |" in text
    assert "5.0 to 10.0 times as fast" in text


def test_targets_are_held_against_the_fastest_of_our_ways(tmp_path: Path) -> None:
    ours = {UNET: 10.0, STEP: 11.0, BY_TEXT: 20.0}
    rows = [row(group, OURS, [ms, ms], 5.0) for group, ms in ours.items()]
    rows += [row(group, f"{OURS}, channels_last", [ms / 2, ms / 2], 5.0) for group, ms in ours.items()]
    rows += [
        row(BY_TEXT, f"{OURS}, bfloat16", [8.0, 8.0], 5.0),
        row(UNET, f"{OURS}, bfloat16", [1.0, 1.0], 5.0),
    ]
    rows += [row(UNET, "diffusers", [5.5, 5.5], 5.0), row(BY_TEXT, "as released", [16.0, 16.0], 5.0)]
    peaks = [{"name": "convolution", "gflop_per_second": 2000.0}]
    report = {"rows": rows, "peaks": peaks, "distance": None}
    (tmp_path / "ffhq_b1.json").write_text(json.dumps(report))
    usual = GROWTHS["ffhq"].usual
    times = {
        f"{usual}, guided": [1.5],
        f"{usual}, unguided": [1.0],
        f"{usual._replace(pictures=4)}, guided": [4.0],
    }
    (tmp_path / "growth.json").write_text(json.dumps({"ffhq": {"times": times}}))
    write_targets(tmp_path)
    lines = (tmp_path / "targets.md").read_text().splitlines()
    by = "| sdg, channels_last | ffhq_b1 |"
    grown = "| CPU | ≤ {} | {}, **missed** | sdg, channels_last | growth |"
    assert "| guided by text, in times of unguided: FFHQ, RN50x16 " + grown.format("1.4", "1.50") in lines
    assert "| one guided picture, in times of four: FFHQ " + grown.format("0.3", "0.38") in lines
    assert f"| UNet, in times of diffusers' speed: FFHQ | CPU | ≥ 1.2 | 1.10, **missed** {by}" in lines
    assert f"| guided step, in times of the speed as released: FFHQ | CPU | ≥ 1.4 | 1.60, met {by}" in lines
    assert f"| UNet, share of the convolution's peak: FFHQ | CPU | ≥ 0.45 | 0.50, met {by}" in lines
    in_half = (
        "| guided step, in times of the speed as released: FFHQ, ours in bfloat16 | CPU | ≥ 1.4 | 2.00, met"
    )
    assert f"{in_half} | sdg, bfloat16 | ffhq_b1 |" in lines
    assert sum("not measured here" in line for line in lines) == len(TARGETS) - 6


def test_targets_on_file_are_those_of_the_reports_on_file(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.json"):
        shutil.copy(file, tmp_path)
    write_targets(tmp_path)
    assert (tmp_path / "targets.md").read_text("utf-8") == (FOLDER / "targets.md").read_text("utf-8")


@pytest.mark.parametrize(
    "file", [FOLDER / f"{name}.json" for name in ("ffhq_b1", "toyfaces")], ids=lambda p: p.stem
)
def test_tables_on_file_are_those_of_the_numbers_on_file(file: Path, tmp_path: Path) -> None:
    report = json.loads(file.read_text("utf-8"))
    assert report["model"] in MODELS
    assert all(row["apart"] < experiment.allowed(row["name"]) for row in report["rows"])
    write_tables(report, tmp_path / "table.md")
    assert (tmp_path / "table.md").read_text("utf-8") == file.with_suffix(".md").read_text("utf-8")
    draw_bars(report, tmp_path / "bars.svg")
    kept, drawn = file.with_suffix(".svg").read_text("utf-8"), (tmp_path / "bars.svg").read_text("utf-8")
    if f"Matplotlib v{matplotlib.__version__}," in kept:  # another release writes other paths
        assert len(drawn) == len(kept)


def test_waiting_is_told_of_processes_and_of_a_next_drawing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PROCESSES", {"nothing": ["-c", ""]})
    monkeypatch.setattr(waiting, "CHANGES", {"another seed": [{"seed": 1}]})
    words = ["--rounds", "1", "--report", str(tmp_path), "--sample", *make_weights(tmp_path)]
    waiting.main([*words, "sampler.steps=3"])
    lines = (tmp_path / "waiting.md").read_text("utf-8").splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")] == [
        *("| a new process", "| nothing", "| a studio's next drawing", "| another seed")
    ]
