"""What an encoder still sees at every noise level: the command, and the numbers that it keeps."""

from pathlib import Path

import pytest

from experiments.retrieval import __main__ as experiment
from sdg.diffusion.schedule import NoiseSchedule
from sdg.training.retrieval_curve import levels
from tests.tiny import make_weights

FOLDER = Path(experiment.__file__).parent


def columns(text: str) -> list[list[float]]:
    """The numbers of a table, column by column."""
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")][1:]
    return [[float(cell) for cell in column] for column in zip(*rows, strict=True)]


def test_clip_finds_the_clean_picture_itself_and_an_untrained_encoder_none(tmp_path: Path) -> None:
    weights = [word for word in make_weights(tmp_path) if not word.startswith("prior.denoiser.network")]
    train = [*weights, "data.size=32", "data.batch_size=32", "data.val_count=64"]
    experiment.main(["--train", *train, "--report", str(tmp_path / "report")])
    text = (tmp_path / "report" / "results.md").read_text()
    assert "Top-1 among 64 validation pictures" in text
    t, student, plain = columns(text)
    assert t == levels(NoiseSchedule.linear())
    assert plain[0] > 0.9
    assert max(*plain[-2:], *student) < 0.3
    assert (tmp_path / "report" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_kept_results_show_what_fine_tuning_buys() -> None:
    t, student, plain = columns((FOLDER / "results.md").read_text())
    assert t == levels(NoiseSchedule.linear())
    assert student[t.index(400)] > plain[t.index(400)] + 0.5
    assert "python -m experiments.retrieval" in (FOLDER / "results.md").read_text()


@pytest.mark.parametrize("steps, last", [(1000, 999), (500, 499), (50, 49)])
def test_levels_span_schedules_of_any_length(steps: int, last: int) -> None:
    at = levels(NoiseSchedule.linear(steps))
    assert (len(at), at[0], at[-1]) == (11, 0, last)
    assert at == sorted(at)
