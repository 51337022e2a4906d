"""The comparison of methods: what it measures, and its commands on tiny networks."""

import argparse
import json
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

from experiments.baselines import __main__ as baselines
from experiments.baselines import measures, sweep
from experiments.baselines.contenders import CONTENDERS, at_hand, read_settings, tuned, words
from experiments.baselines.runs import drawn, led_by_chance, seconds_per_image
from experiments.controls.measures import POSE
from sdg.baselines.resize import LowPass
from sdg.checkpoints import save_weights
from sdg.config import build
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.data.toyfaces.references import write_references
from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.judged import JudgeReader
from sdg.metrics.measure import Measure
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import FolderPictures, open_samples
from sdg.metrics.reader import FeatureReader
from sdg.networks.judge import Judge
from sdg.randomness import keyed_generator
from tests.metrics.examples import SIZE, LookupJudge, Thumbnail, face, pixels, record, write_run
from tests.tiny import configure, make_weights

GENERATOR = [
    f"generator.network.{size}"
    for size in ("latent_dim=8", "mapping_layers=2", "channel_max=8", "image_size=32")
]


def known(numbers: list[int]) -> tuple[Tensor, Tensor]:
    """Attributes and nuisances of faces of the test split."""
    attributes, nuisances = zip(*map(face, numbers), strict=True)
    return torch.cat(attributes), torch.cat(nuisances)


@pytest.fixture
def copies(tmp_path: Path) -> Evidence:
    """Two samples of each of two references: the reference itself, and face 5."""
    write_references(tmp_path / "references", 2, size=SIZE)
    samples = []
    for number in range(2):
        aim = {"reference": str(tmp_path / "references" / f"face_{number:03d}.png")}
        for index, shown in enumerate((number, 5)):
            samples.append((record(None, index, scale=0.0) | aim, pixels(*face(shown))[0]))
    run = open_samples(write_run(tmp_path / "run", samples))
    judge = JudgeReader(LookupJudge(*known([0, 1, 5])), SIZE)
    reader = FeatureReader({"colours": lambda: Thumbnail(1)}, tmp_path / "cache")
    return Evidence(run, Mentions(None), lambda: judge, reader)


def test_a_copy_of_the_reference_keeps_all_of_it(copies: Evidence) -> None:
    kept, pose = measures.faithful(copies).values()
    attributes, nuisances = known([0, 1, 5])
    other = (attributes[:2] == attributes[2]).double().mean().item()
    assert kept.value == pytest.approx((1 + other) / 2)
    reach = torch.tensor(list(NUISANCES.values()), dtype=torch.float64).diff(dim=1)[:, 0] / 2
    away = ((nuisances[:2] - nuisances[2]).abs() / reach)[:, [list(NUISANCES).index(n) for n in POSE]]
    assert pose.value == pytest.approx(away.mean().item() / 2, rel=1e-5)
    assert kept.count == pose.count == 4


def test_pixels_are_compared_through_the_low_pass(copies: Evidence) -> None:
    drawn_faces = torch.cat([pixels(*face(number)) for number in (0, 1, 5)]).double()
    away = (drawn_faces[:2] - drawn_faces[2]).abs().mean().item()
    assert measures.pixel_distance(copies, LowPass(SIZE, 1)).value == pytest.approx(away / 2, rel=1e-5)
    means = drawn_faces.mean(dim=(2, 3))
    through = (means[:2] - means[2]).abs().mean().item()
    assert measures.pixel_distance(copies, LowPass(SIZE, SIZE)).value == pytest.approx(through / 2, rel=1e-4)


def test_similarity_is_to_what_a_sample_aimed_at(copies: Evidence) -> None:
    means = torch.cat([pixels(*face(number)) for number in (0, 1, 5)]).double().mean(dim=(2, 3))
    other = torch.nn.functional.cosine_similarity(means[:2], means[2:]).mean().item()
    assert measures.similarity(copies, "colours").value == pytest.approx((1 + other) / 2, rel=1e-5)


def test_chance_has_other_samples_for_every_target(tmp_path: Path) -> None:
    samples = [(record(None, i), pixels(*face(i))[0]) for i in range(7)]
    free = open_samples(write_run(tmp_path / "unguided", samples))
    led = led_by_chance(free, ["a face", "a hat"], "prompts", 3)
    assert [(r["prompt"], r["reference"], r["index"]) for r in led.records] == [
        *[("a face", None, i) for i in range(3)],
        *[("a hat", None, i) for i in range(3)],
    ]
    assert led.files == free.files[:6]
    towards = led_by_chance(free, ["a.png"], "references", 2).records
    assert [Path(r["reference_file"]).is_absolute() for r in towards] == [True, True]
    every = FolderPictures(free.source, [*free.files, *led.files], [*free.records, *led.records])
    judge = JudgeReader(LookupJudge(*known(list(range(7)))), SIZE)
    evidence = Evidence(every, Mentions(None), lambda: judge)
    assert len(evidence.unguided_rows) == 7
    assert torch.equal(evidence.guided.attributes, known(list(range(6)))[0])


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


def test_the_sweep_keeps_the_mildest_of_equals() -> None:
    points = [
        sweep.Point("clip_x0", {"guidance.scale": s}, {"mentioned right": Measure("", right, 1)}, None)
        for s, right in ((1.0, 0.5), (2.0, 0.75), (4.0, 0.75), (8.0, 0.25))
    ]
    assert sweep.choose(points).settings == {"guidance.scale": 2.0}
    assert sweep.in_steps(points) == {}
    searched = [
        sweep.Point(
            "s", {"method.search.steps": n, "lr": lr}, {"mentioned right": Measure("", right, 1)}, None
        )
        for n, lr, right in ((10, 0.1, 0.5), (10, 0.2, 0.6), (20, 0.1, 0.9))
    ]
    assert {name: found["lr"] for name, found in sweep.in_steps(searched).items()} == {
        "s_10": 0.2,
        "s_20": 0.1,
    }


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
    given = options(output=tmp_path, seed=0, steps=1, sample=tiny)
    for _ in range(2):
        folder = drawn(given, "run", ["method=unguided"], 3)
        (folder / "samples" / "000001.png").unlink(missing_ok=True)
    times = [json.loads(line) for line in (folder / "seconds.jsonl").read_text().splitlines()]
    assert [part["images"] for part in times] == [3, 1]
    for clock in ("wall", "cpu"):
        assert seconds_per_image(folder, clock) == pytest.approx(sum(part[clock] for part in times) / 4)
    drawn(given, "run", ["method=unguided"], 3)
    drawn(given, "run", ["method=unguided"], 3)
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
    assert (tmp_path / "report" / "sweep.md").read_text().count("| **`") == 1


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
    assert page.count("| **`") == 2
    assert page.count("| stylegan_clip | ") == 4

    few = ["--prompts", "2", "--references", "2", "--samples", "2", "--steps", "2", "--scales", "sdg=5"]
    settings = ["--settings", str(tmp_path / "report" / "settings.json")]
    baselines.main(["methods", *few, *settings, *folders(tmp_path / "all"), *more])
    page = (tmp_path / "all" / "report" / "methods.md").read_text()
    prompts, references = table(page, "## Prompts"), table(page, "## References")
    assert prompts[""] == ["unguided", "sdg", "clip_x0", "stylegan_clip"]
    assert references[""] == ["unguided", "ilvr", "sdg", "clip_x0"]
    assert prompts.keys() - references.keys() == {"mentioned right", "all right"}
    assert references["found by its guide"][:2] == ["–", "–"]
    assert "–" not in prompts["seconds per image"] + prompts["diversity"] + references["diversity"]
    assert "- sdg: `guidance.scale=5`" in page
    assert "- clip_x0: `guidance.scale=3`" in page
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
        "unguided",
        "warm_up",
    ]
    for name, estimator, scale in (
        ("sdg_references_5", "sdg.SDG", 5),
        ("clip_x0_references_3", "universal.Universal", 3),
    ):
        config = OmegaConf.load(runs / name / "config.yaml")
        assert config.estimator._target_ == f"sdg.estimators.{estimator}"
        assert config.guidance.scale == scale
        assert list(config.guidance.terms) == ["content"]
    with Image.open(tmp_path / "all" / "report" / "methods.png") as figure:
        assert figure.width > 6 * 128
        assert figure.height > 4 * 128


@pytest.mark.slow
def test_ilvr_is_measured_at_every_n(tiny: list[str], judging: list[str], tmp_path: Path) -> None:
    few = ["--factors", "16", "2", "--references", "2", "--samples", "2", "--steps", "4"]
    baselines.main(["ilvr", *few, *folders(tmp_path), "--sample", *tiny, "--evaluate", *judging])
    page = (tmp_path / "report" / "ilvr.md").read_text()
    rows = table(page)
    assert list(rows) == ["N", "2", "16", "unguided"]
    assert [rows[name][:2] for name in list(rows)[1:]] == [
        ["16", "16 × 16"],
        ["128", "2 × 2"],
        ["", "nothing"],
    ]
    through = rows["N"].index("pixels through φ")
    assert rows["unguided"][through : through + 2] == ["–", "–"]
    assert (tmp_path / "report" / "ilvr.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "words, remedy",
    [
        (["ilvr", "--samples", "1"], "use --samples 2 or more"),
        (["methods", "--references", "1"], "use --prompts 1 and --references 2"),
        (["ilvr", "--factors", "3"], "N=3 is no power of two"),
    ],
)
def test_a_mistake_is_told_before_anything_is_drawn(tmp_path: Path, words: list[str], remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        baselines.main([*words, *folders(tmp_path)])
    assert not list(tmp_path.iterdir())
