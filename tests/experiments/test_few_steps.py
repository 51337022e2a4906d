"""Fewer steps: which ways are compared, what they cost, and the command on tiny networks."""

import json
from pathlib import Path

import pytest
import torch

from experiments.few_steps import __main__ as experiment
from experiments.few_steps.table import cheapest
from experiments.few_steps.ways import Way, ways
from experiments.grid import Point
from sdg.checkpoints import save_weights
from sdg.composition import ROOT
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.errors import SDGError
from sdg.metrics.measure import Measure
from sdg.networks.judge import Judge
from tests.tiny import make_weights


def test_every_sampler_takes_every_number_of_steps_and_one_asks_less_often() -> None:
    compared = ways(experiment.parse([]))
    assert compared[0] == Way("ddpm", 100, 400.0)
    assert len(compared) == len({way.name for way in compared}) == 4 * 5 + 2 * 3
    less = [way for way in compared if way.less]
    assert {way.sampler for way in less} == {"dpmpp_2m_sde"}
    assert less[0].settings[-1] == "guidance.every=2"
    assert {way.steps for way in less} == {20, 50}


def test_the_documentation_says_what_the_page_says() -> None:
    """Shares of what is mentioned, and times, of the rows that docs/performance.md cites."""
    page = (ROOT / "experiments/few_steps/results.md").read_text(encoding="utf-8")
    table = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if "|" in line
    ]
    titles = table[0]
    rows = {tuple(cells[:3]): dict(zip(titles, cells, strict=True)) for cells in table[2:]}

    def cited(sampler: str, steps: int, less: str = "") -> tuple[float, float]:
        row = rows[sampler, str(steps), less]
        return tuple(float(row[name].split()[0]) for name in ("mentioned right", "time"))  # type: ignore[return-value]

    fast, balanced = (cited("dpmpp_2m_sde", steps) for steps in (10, 20))
    exact, every, within = (
        cited("ddpm", 100),
        cited("dpmpp_2m_sde", 20, "every 2 steps"),
        cited("dpmpp_2m_sde", 20, "progress 0.1 to 0.7"),
    )
    text = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert (
        f"{fast[0]:.2f}, {balanced[0]:.2f} and {exact[0]:.2f} of the mentioned attributes are right, "
        f"in {fast[1]:.2f}, {balanced[1]:.2f} and 1 of the time (`experiments/few_steps`)"
    ) in text
    assert (
        f"{balanced[0]:.3f} of the mentioned attributes are right, and {exact[0]:.3f} with 100 of `ddpm`, "
        f"in {balanced[1]:.2f} of the time. In those 20 steps, with the encoder at every second one "
        f"{every[0]:.3f} in {every[1]:.2f}, within an interval {within[0]:.3f} in {within[1]:.2f}"
    ) in text


def test_a_spacing_stands_after_the_samplers_name() -> None:
    settings = Way("dpmpp_2m:karras", 5, 800.0).settings
    assert settings[:4] == [
        "sampler=dpmpp_2m", "sampler.steps=5", "guidance.scale=800", "sampler/spacing=karras",
    ]  # fmt: skip


def test_the_default_takes_half_an_hour() -> None:
    """On one core, at 25 ms for a guided step of one picture; the rest of the time is the judge's."""
    options = experiment.parse([])
    steps = sum(way.steps for way in ways(options))
    pictures = options.prompts * options.samples + 4 * options.rounds
    assert steps * pictures * 0.025 / 60 < 28


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--less", "euler"], "--less euler has no guidance scale"),
        (["--parts", "5"], "24 prompts cannot be dealt to 5 parts evenly"),
        (["--rounds", "0"], "use --rounds from 1"),
        (["--samples", "1"], "use --samples from 2"),
    ],
)
def test_a_mistake_is_told_and_nothing_drawn(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(SDGError, match=message):
        experiment.main([*arguments, "--output", str(tmp_path / "output")])
    assert not list(tmp_path.iterdir())


def test_a_sampler_without_a_scale_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        experiment.parse(["--samplers", "ddpm"])
    assert "ddpm is not NAME=NUMBER, such as ddpm=400" in capsys.readouterr().err


def test_the_cheapest_that_is_no_worse_is_named() -> None:
    found = [(100, 0.90), (50, 0.95), (20, 0.91), (10, 0.85), (5, 0.60)]
    points = [
        Point(Way("ddpm", steps, 1.0), {"a": Measure("a", value, 1, (value - 0.1, value + 0.1))})
        for steps, value in found
    ]
    times = {point.way.name: [point.way.steps / 10, point.way.steps / 5] for point in points}
    assert cheapest(points, times, "a") == "ddpm, 20 steps (0.910 against 0.900), in 0.20 of the time"
    assert cheapest(points, times, "a", surely=False).startswith("ddpm, 10 steps (0.850 against 0.900)")


def tiny(folder: Path, *words: str) -> list[str]:
    """The command's arguments for tiny networks, whose weights lie in ``folder``."""
    torch.manual_seed(0)
    judge = Judge({k: len(v) for k, v in ATTRIBUTES.items()}, len(NUISANCES), image_size=32, features=16)
    save_weights(folder / "judge.safetensors", judge)
    judging = [f"judge.checkpoint='{folder / 'judge.safetensors'}'", "judge.network.image_size=32"]
    arguments = [*words, "--output", str(folder / "output"), "--report", str(folder / "report")]
    arguments += ["--sample", *make_weights(folder), "trainer.accelerator=cpu", "group=2"]
    return [*arguments, "--evaluate", *judging, "+judge.network.features=16"]


@pytest.mark.slow
def test_the_smallest_comparison_is_drawn_judged_timed_and_reported(tmp_path: Path) -> None:
    sizes = ["--prompts", "2", "--parts", "1", "--samples", "2", "--rounds", "1"]
    chosen = ["--samplers", "ddpm=20", "--steps", "2", "--less", "ddpm", "--less-steps"]
    experiment.main(tiny(tmp_path, *chosen, *sizes))
    text = (tmp_path / "report" / "results.md").read_text()
    (cells,) = [line.split(" | ") for line in text.splitlines() if line.startswith("| ddpm")]
    assert [cells[0].strip("| "), *cells[1:4]] == ["ddpm", "2", "", "20"]
    assert [cells[8], cells[9].strip("| ")] == ["2 + 2", "1"]
    (taken,) = json.loads((tmp_path / "output" / "times.json").read_text())
    assert min(taken.values()) > 0
    assert len(list((tmp_path / "output").glob("parts/*/samples/*.png"))) == 2 * 2 + 2


@pytest.mark.slow
def test_one_command_draws_judges_times_and_reports(tmp_path: Path) -> None:
    sizes = ["--prompts", "2", "--parts", "2", "--samples", "2", "--rounds", "2"]
    chosen = ["--samplers", "ddpm=20", "dpmpp_2m_sde=30", "--steps", "2", "4", "--less-steps", "4"]
    arguments = tiny(tmp_path, *chosen, "--every", "3", *sizes)
    experiment.main(arguments)

    text = (tmp_path / "report" / "results.md").read_text()
    cells = [line.split(" | ") for line in text.splitlines() if line.startswith(("| ddpm", "| dpmpp"))]
    assert [[row[0].strip("| "), row[1], row[2], row[3], row[8]] for row in cells] == [
        ["ddpm", "4", "", "20", "4 + 4"],
        ["ddpm", "2", "", "20", "2 + 2"],
        ["dpmpp_2m_sde", "2", "", "30", "2 + 2"],
        ["dpmpp_2m_sde", "4", "", "30", "4 + 4"],
        ["dpmpp_2m_sde", "4", "every 3 steps", "30", "4 + 2"],
        ["dpmpp_2m_sde", "4", "progress 0.1 to 0.7", "30", "4 + 2"],
    ]
    assert cells[0][9].strip("| ") == "1"
    rounds = json.loads((tmp_path / "output" / "times.json").read_text())
    assert len(rounds) == 2
    assert all(len(taken) == 6 and min(taken.values()) > 0 for taken in rounds)
    assert (tmp_path / "report" / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "All mentioned attributes right" in (tmp_path / "report" / "curve.svg").read_text()

    manifest = (tmp_path / "output" / "ddpm_2-steps" / "manifest.jsonl").read_text()
    assert {json.loads(line)["seed"] for line in manifest.splitlines()} == {5, 6}
    drawn = {path: path.stat().st_mtime_ns for path in (tmp_path / "output").glob("parts/*/samples/*.png")}
    assert len(drawn) == 6 * 4 + 4
    experiment.main(arguments)
    assert (tmp_path / "report" / "results.md").read_text() == text
    assert all(path.stat().st_mtime_ns == before for path, before in drawn.items())
