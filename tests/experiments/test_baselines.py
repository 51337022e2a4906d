"""The comparison of methods: what it measures, and its commands on tiny networks."""

import argparse
import json
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from experiments.baselines import __main__ as baselines
from experiments.baselines import sweep
from experiments.baselines.contenders import CONTENDERS, Settings, at_hand, read_settings, tuned, words
from experiments.grid import Point
from experiments.running import draw, seconds_per_image
from sdg.checkpoints import save_weights
from sdg.config import build
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.errors import SDGError
from sdg.metrics.measure import Measure
from sdg.networks.judge import Judge
from sdg.randomness import keyed_generator
from tests.tiny import configure, make_weights

GENERATOR = [
    f"generator.network.{size}"
    for size in ("latent_dim=8", "mapping_layers=2", "channel_max=8", "image_size=32")
]


def options(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**given)


def test_scales_go_before_what_the_sweep_found(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    given = options(settings=path, scales={"clip_x0": 7.0, "ilvr": 4.0})
    assert words(tuned("ilvr", given)) == ["constraint.factor=4"]
    assert tuned("stylegan_clip", given) == {}
    path.write_text(
        json.dumps({"clip_x0": {"guidance.scale": 50}, "stylegan_clip": {"method.search.lr": 0.05}})
    )
    assert words(tuned("clip_x0", given)) == ["guidance.scale=7"]
    assert words(tuned("stylegan_clip", given)) == ["method.search.lr=0.05"]
    path.write_text(
        json.dumps({"stylegan_clip": {"method.search.space.space": "w", "method.search.steps": 300}})
    )
    assert words(tuned("stylegan_clip", given)) == ["method.search.space.space=w", "method.search.steps=300"]
    path.write_text("[]")
    with pytest.raises(SDGError, match="write it anew with sweep"):
        read_settings(path)


def searched(method: str, own: Settings, right: float) -> Point[sweep.Way]:
    return Point(sweep.Way(method, own), {"alignment/mentioned": Measure("", right, 1)})


def test_the_sweep_keeps_the_mildest_of_equals_and_the_best_in_as_many_steps() -> None:
    scales = ((1.0, 0.5), (2.0, 0.75), (4.0, 0.75), (8.0, 0.25))
    points = [searched("clip_x0", {"guidance.scale": scale}, right) for scale, right in scales]
    assert sweep.chosen(points) == {"clip_x0": {"guidance.scale": 2.0}}
    tried = ((10, 0.1, 0.5), (10, 0.2, 0.6), (20, 0.1, 0.9))
    points = [
        searched("s", {"method.search.steps": steps, "lr": rate}, right) for steps, rate, right in tried
    ]
    found = {name: own["lr"] for name, own in sweep.chosen(points).items()}
    assert found == {"s": 0.1, "s_10": 0.2, "s_20": 0.1}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("weights")
    generator = build(configure("sample", GENERATOR).generator.network)
    for parameter in generator.parameters():
        parameter.data.normal_(std=0.5, generator=keyed_generator("tiny generator", parameter.ndim))
    save_weights(folder / "generator.safetensors", generator)
    made = [*make_weights(folder), *GENERATOR, f"generator.checkpoint={folder}/generator.safetensors"]
    return [*made, "trainer.accelerator=cpu", "group=2"]


@pytest.fixture(scope="module")
def judging(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> list[str]:
    torch.manual_seed(0)
    judge = Judge({k: len(v) for k, v in ATTRIBUTES.items()}, len(NUISANCES), image_size=32, features=16)
    path = tmp_path_factory.mktemp("judge") / "judge.safetensors"
    save_weights(path, judge)
    settings = [f"judge.checkpoint='{path}'", "judge.network.image_size=32", "+judge.network.features=16"]
    return [*settings, *(word for word in tiny if word.startswith("encoder."))]


def test_methods_without_weights_are_left_out_and_told(
    tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    absent = [*tiny, "generator.checkpoint=nowhere.safetensors"]
    assert at_hand(list(CONTENDERS), absent) == ["unguided", "ilvr", "sdg", "clip_x0"]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("stylegan_clip is left out: there is no checkpoint at nowhere.safetensors")
    with pytest.raises(SDGError, match="no method has its weights"):
        at_hand(["stylegan_clip"], absent)


def test_the_clock_counts_what_each_part_of_a_run_drew(tiny: list[str], tmp_path: Path) -> None:
    words = ["method=unguided", "samples_per_prompt=3", "unguided=false", "sampler.steps=1", *tiny]
    for _ in range(2):
        folder = draw(tmp_path / "run", words)
        (folder / "samples" / "000001.png").unlink(missing_ok=True)
    times = [json.loads(line) for line in (folder / "seconds.jsonl").read_text().splitlines()]
    assert [part["images"] for part in times] == [3, 1]
    for clock in ("wall", "cpu"):
        assert seconds_per_image(folder, clock) == pytest.approx(sum(part[clock] for part in times) / 4)
    draw(folder, words)
    draw(folder, words)
    assert len((folder / "seconds.jsonl").read_text().splitlines()) == 3
    assert seconds_per_image(tmp_path, "wall") is None


def folders(tmp_path: Path) -> list[str]:
    return ["--output", str(tmp_path / "output"), "--report", str(tmp_path / "report")]


def table(text: str, title: str = "") -> dict[str, list[str]]:
    """First cell -> the others, of the table below a title."""
    below = text.partition(title)[2] if title else text
    rows = [line for line in below.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: row[1:] for row in cells}


@pytest.mark.slow
def test_a_sweep_of_one_scale_writes_what_it_found(
    tiny: list[str], judging: list[str], tmp_path: Path
) -> None:
    few = ["--methods", "clip_x0", "--clip-scales", "3", "--prompts", "2", "--steps", "2"]
    baselines.main(["sweep", *few, *folders(tmp_path), "--sample", *tiny, "--evaluate", *judging])
    found = json.loads((tmp_path / "report" / "settings.json").read_text())
    assert found == {"clip_x0": {"guidance.scale": 3}}
    assert (tmp_path / "report" / "sweep.md").read_text().count(" | yes |") == 1


@pytest.mark.slow
def test_the_sweep_writes_what_it_found_and_the_comparison_uses_it(
    tiny: list[str], judging: list[str], tmp_path: Path
) -> None:
    more = ["--sample", *tiny, "--evaluate", *judging]
    grid = [
        "--clip-scales",
        "3",
        "--spaces",
        "z",
        "w",
        "--search-steps",
        "2",
        "--rates",
        "0.1",
        "0.2",
        "--prompts",
        "2",
        "--steps",
        "2",
    ]
    baselines.main(["sweep", *grid, *folders(tmp_path), *more])
    found = json.loads((tmp_path / "report" / "settings.json").read_text())
    assert found["clip_x0"] == {"guidance.scale": 3}
    assert found["stylegan_clip"]["method.search.steps"] == 2
    assert found["stylegan_clip"]["method.search.space.space"] in ("z", "w")
    assert found["stylegan_clip_2"] == found["stylegan_clip"]
    page = (tmp_path / "report" / "sweep.md").read_text()
    assert "`python -m experiments.baselines sweep --clip-scales 3" in page
    assert page.count(" | yes |") == 2
    assert page.count("| stylegan_clip | ") == 4

    few = ["--prompts", "2", "--references", "2", "--samples", "2", "--steps", "2", "--scales", "sdg=5"]
    settings = ["--settings", str(tmp_path / "report" / "settings.json")]
    baselines.main(["methods", *few, *settings, *folders(tmp_path / "all"), *more])
    page = (tmp_path / "all" / "report" / "methods.md").read_text()
    prompts, references = table(page, "## Prompts"), table(page, "## References")
    assert prompts[""] == ["sdg", "clip_x0", "stylegan_clip"]
    assert references[""] == ["ilvr", "sdg", "clip_x0"]
    assert prompts.keys() - references.keys() == {"mentioned right", "all right"}
    assert "–" not in prompts["CPU seconds per image"] + prompts["diversity"] + references["diversity"]
    assert "- sdg_prompts_5: `guidance=text_paper guidance.scale=5`" in page
    assert "- clip_x0_prompts_3: `method=clip_x0 guidance=text_paper guidance.scale=3`" in page
    runs = tmp_path / "all" / "output"
    assert sorted(path.name for path in runs.iterdir() if (path / "manifest.jsonl").exists()) == [
        *(
            "clip_x0_prompts_3",
            "clip_x0_references_3",
            "ilvr_references",
            "sdg_prompts_5",
            "sdg_references_5",
        ),
        f"stylegan_clip_prompts_{found['stylegan_clip']['method.search.space.space']}_2_"
        + f"{found['stylegan_clip']['method.search.lr']:g}",
    ]
    for name, estimator, scale in (
        ("sdg_references_5", "sdg.SDG", 5),
        ("clip_x0_references_3", "universal.Universal", 3),
    ):
        config = OmegaConf.load(runs / name / "config.yaml")
        assert config.estimator._target_ == f"sdg.estimators.{estimator}"
        assert config.guidance.scale == scale
        assert list(config.guidance.terms) == ["content"]
    for name, columns in (("methods", 4), ("methods_references", 5)):
        with Image.open(tmp_path / "all" / "report" / f"{name}.png") as figure:
            assert figure.width > columns * 128
            assert figure.height > 2 * 128


@pytest.mark.slow
def test_ilvr_is_measured_at_every_n(tiny: list[str], judging: list[str], tmp_path: Path) -> None:
    few = ["--factors", "16", "2", "--references", "2", "--samples", "2", "--steps", "4"]
    baselines.main(["ilvr", *few, *folders(tmp_path), "--sample", *tiny, "--evaluate", *judging])
    page = (tmp_path / "report" / "ilvr.md").read_text()
    rows = table(page)
    assert list(rows) == ["N", "2", "16"]
    assert [rows[name][:2] for name in list(rows)[1:]] == [
        ["16", "16 × 16"],
        ["128", "2 × 2"],
    ]
    assert "unguided" in rows["2"][rows["N"].index("pixels through φ")]
    assert (tmp_path / "report" / "ilvr.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "words, remedy",
    [
        (["ilvr", "--samples", "1"], "use --samples from 2"),
        (["methods", "--references", "1"], "use --references from 2"),
        (["ilvr", "--factors", "3"], "N=3 is no power of two"),
    ],
)
def test_a_mistake_is_told_before_anything_is_drawn(tmp_path: Path, words: list[str], remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        baselines.main([*words, *folders(tmp_path)])
    assert not list(tmp_path.iterdir())
