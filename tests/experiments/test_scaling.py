"""Scaling: rates of runs whose times are known, processes that fail, and the command on tiny networks."""

import json
import os
from pathlib import Path

import pytest

from experiments.scaling import __main__ as experiment
from experiments.scaling import evaluating, loading
from experiments.scaling.processes import bind, run_processes
from experiments.scaling.rates import sampling_rate, training_rate
from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.judged import JudgeReader
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import open_samples
from sdg.report.traces import read_trace
from tests.tiny import TRAINING, make_weights


def test_rates_leave_out_the_start(tmp_path: Path) -> None:
    """Two processes, which draw two pictures in 1 and in 2 seconds, the second after a long start."""
    for number in range(12):
        rank, batch = number % 2, number // 4
        path = tmp_path / f"{number:06d}.png"
        path.touch()
        os.utime(path, (0, 1000 + rank * 50 + batch * (1 + rank)))
    assert sampling_rate(tmp_path, processes=2, batch=2) == pytest.approx(2 / 1 + 2 / 2)
    (tmp_path / "times.json").write_text(json.dumps([7, 10, 10.5, 11, 11.5]))
    assert training_rate(tmp_path / "times.json", batch=8) == 16


def test_the_table_sets_the_last_beside_the_first() -> None:
    lines = experiment.table([1, 2], {"sampling": [2.0, 3.9], "training": [80.0, 120.0]})
    assert lines[0] == "| pictures a second | 1 process | 2 processes | ratio |"
    assert lines[2:] == ["| sampling | 2 | 3.9 | 1.95 |", "| training | 80 | 120 | 1.50 |"]


def test_more_processes_than_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert bind(2) == [3, 5]
    with pytest.raises(SDGError, match="2 cores for 3 processes: use fewer"):
        bind(3)


def test_where_one_process_fails_the_others_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "command.py"
    script.write_text(
        "import os, sys, time\n"
        "time.sleep(0 if os.environ['LOCAL_RANK'] == '1' else 300)\n"
        "sys.exit('error: use less')\n"
    )
    with pytest.raises(SDGError, match=r"^use less: see .*log.txt$"):
        run_processes([str(script)], [None, None], tmp_path / "log.txt")


@pytest.mark.parametrize("words", [["--pictures", "4"], ["--steps", "2"]])
def test_too_little_to_measure_is_refused(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(SDGError, match="no rate to measure: use --pictures from 8 and --steps from 3"):
        experiment.main([*words, "--output", str(tmp_path / "output")])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_measures_one_process_and_two(tmp_path: Path) -> None:
    weights = make_weights(tmp_path)
    sizes = ["--pictures", "8", "--steps", "4", "--output", str(tmp_path / "output")]
    train = [
        word for word in TRAINING if not word.startswith(("~", "trainer.precision", "trainer.val", "data.b"))
    ]
    settings = ["--sample", *weights, "sampler.steps=2", "--train", *train, weights[-2]]
    experiment.main([*sizes, "--report", str(tmp_path / "report"), *settings])
    text = (tmp_path / "report" / "results.md").read_text()
    assert "\n# Scaling\n\n`python -m experiments.scaling " in text
    rows = [
        line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith(("| sam", "| tra"))
    ]
    assert [row[0] for row in rows] == ["sampling", "training"]
    assert all(float(value) > 0 for row in rows for value in row[1:])
    for count in (1, 2):
        assert (
            len(list((tmp_path / "output" / f"sampling_{count}" / "run" / "samples").iterdir())) == 8 * count
        )
        assert len(json.loads((tmp_path / "output" / f"training_{count}" / "times.json").read_text())) == 4


def test_reading_is_timed_from_every_kind_of_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "SIDE", 40)
    monkeypatch.setattr(loading, "SIZE", 32)
    words = ["--pictures", "20", "--workers", "0", "--rounds", "1", "--report", str(tmp_path)]
    loading.main(words)
    rows = [line.split("|")[1:3] for line in (tmp_path / "loading.md").read_text().splitlines()[4:]]
    assert [name.strip() for name, _ in rows[2:]] == [
        *("a folder of PNG", "a zip of them", "an LMDB of them", "the prepared cache")
    ]
    assert all(float(value) > 0 for _, value in rows[2:])


def test_a_run_is_made_up_that_can_be_evaluated(tmp_path: Path) -> None:
    """Of 202 pictures: two unguided ones, and two for each of 100 prompts, of the same noises."""
    run = evaluating.make(tmp_path / "run", 202, steps=10)
    samples = open_samples(run)
    evidence = Evidence(samples, Mentions(evaluating.PROMPTS), JudgeReader)  # type: ignore[arg-type]
    assert (len(samples), len(evidence.targets), len(evidence.unguided_rows)) == (202, 100, 2)
    assert len(evidence.partner_numbers()) == 200
    assert read_trace(run, samples.records[7])["clipped"][:2] == [1.0, 0.5]  # type: ignore[index]
    (pixels,) = samples.batches(range(9), 9)
    assert pixels.shape == (9, 3, 64, 64)
