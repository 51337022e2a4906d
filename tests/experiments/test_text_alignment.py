import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from experiments import running
from experiments.grid import Point, choose
from experiments.text_alignment import __main__ as experiment
from experiments.text_alignment import prompts
from experiments.text_alignment.__main__ import Way
from experiments.text_alignment.prompts import HELD_OUT, TUNING
from sdg.checkpoints import save_weights
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.metrics.measure import Measure
from sdg.metrics.mentions import Mentions
from sdg.networks.judge import Judge
from tests.metrics.examples import SIZE, face, pixels, record, write_run


@pytest.mark.parametrize("name", ["prompts.jsonl", "sweep.jsonl"])
def test_the_prompts_on_file_are_those_that_the_script_writes(name: str) -> None:
    assert (prompts.FOLDER / name).read_text() == prompts.files()[name]


def test_prompts_cover_every_value_in_ones_twos_and_threes() -> None:
    lines = [json.loads(line) for line in prompts.files()["prompts.jsonl"].splitlines()]
    assert Counter(len(line["mentioned"]) for line in lines) == {1: 16, 2: 16, 3: 16}
    assert len({line["prompt"] for line in lines}) == 48
    names = Counter(name for line in lines for name in line["mentioned"])
    assert names == dict.fromkeys(ATTRIBUTES, 12)
    said = Counter(pair for line in lines for pair in line["mentioned"].items())
    assert said.keys() == {(name, value) for name, values in ATTRIBUTES.items() for value in values}
    assert all(said[name, "yes"] == 3 * said[name, "no"] for name in ("glasses", "hat", "beard"))


def test_the_scale_is_not_chosen_on_the_prompts_of_the_result() -> None:
    swept, measured = (
        {json.loads(line)["prompt"] for line in prompts.files()[name].splitlines()}
        for name in ("sweep.jsonl", "prompts.jsonl")
    )
    assert len(swept) == 24
    assert not swept & measured


def point(scale: float, right: float, spread: float) -> Point[Way]:
    values = {"alignment/all": right, "spread/all": spread}
    return Point(Way("sweep", scale, 50), {name: Measure(name, value, 1) for name, value in values.items()})


def test_the_best_scale_keeps_the_spread() -> None:
    points = [point(10, 0.5, 0.99), point(20, 0.8, 0.81), point(40, 0.9, 0.7)]
    assert choose(points).way.scale == 20
    assert choose([*points[2:], point(80, 0.95, 0.6)]).way.scale == 40


@pytest.mark.slow
def test_draws_evaluates_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With renders in place of samples, which follow prompts from scale 20 on, and an untrained judge."""
    torch.manual_seed(0)
    judge = Judge({k: len(v) for k, v in ATTRIBUTES.items()}, len(NUISANCES), image_size=SIZE, features=16)
    save_weights(tmp_path / "judge.safetensors", judge)
    drawn, file_of = [], {"sweep": TUNING, "prompts": HELD_OUT}

    def sample(config: DictConfig) -> None:
        scale, seeds = config.guidance.scale, range(config.samples_per_prompt)
        drawn.append((Path(config.output_dir).name, config.sampler.steps, config.seed, len(seeds)))
        samples = [(record(None, i), pixels(*face(i))[0]) for i in seeds]
        said = Mentions(file_of[Path(config.output_dir).name.partition("_")[0]])
        for prompt in config.prompts:
            mentioned = said([prompt])
            for i in seeds:
                attributes, nuisances = face(i)
                attributes = torch.where((mentioned >= 0) & (scale >= 20), mentioned, attributes)
                samples.append((record(prompt, i, scale=scale), pixels(attributes, nuisances)[0]))
        write_run(Path(config.output_dir), samples)

    monkeypatch.setattr(running, "sample", sample)
    options = ["--scales", "0", "20", "--steps", "7", "9", "--sweep-samples", "2", "--samples", "2"]
    folders = ["--output", str(tmp_path / "output"), "--report", str(tmp_path / "report")]
    judging = [f"judge.checkpoint='{tmp_path / 'judge.safetensors'}'", f"judge.network.image_size={SIZE}"]
    judging += ["+judge.network.features=16", "metrics.spread.trusted=100", "metrics.spread.renders=16"]
    experiment.main([*options, *folders, "--evaluate", *judging])

    assert [run[1:] for run in drawn[:4]] == [(7, 1, 2), (7, 1, 2), (9, 1, 2), (9, 1, 2)]
    assert drawn[4][1:] == (7, 0, 2)
    assert len({run[0] for run in drawn}) == 5
    assert (tmp_path / "report" / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "Mentioned attributes right" in (tmp_path / "report" / "curve.svg").read_text()
    text = (tmp_path / "report" / "results.md").read_text()
    report = json.loads((tmp_path / "output" / drawn[4][0] / "metrics.json").read_text())
    assert f"| alignment/all | {report['measures']['alignment/all']['value']:.3f}" in text
    assert "python -m experiments.text_alignment --scales 0 20" in text
    assert text.count("\n| 20 | ") == 2
