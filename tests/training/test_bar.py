"""The progress bar counts the steps of the whole run, from where a resumed one began."""

from types import SimpleNamespace

import pytest

from sdg.training.bar import StepBar


@pytest.mark.parametrize("batches", [1, 3])
def test_a_resumed_run_begins_where_it_was_and_knows_its_end(batches: int) -> None:
    bar = StepBar()
    trainer = SimpleNamespace(max_steps=100, global_step=60, accumulate_grad_batches=batches)
    bar._trainer = trainer
    trainer.is_global_zero = True
    bar.on_train_start(trainer)
    bar.on_train_epoch_start(trainer)
    shown = bar.train_progress_bar.format_dict
    assert (shown["initial"], shown["n"], shown["total"]) == (60 * batches, 60 * batches, 100 * batches)
    bar.train_progress_bar.n = 70 * batches
    shown = bar.train_progress_bar.format_dict | {"elapsed": 5.0, "rate": None}
    text = bar.train_progress_bar.format_meter(**shown)
    assert "70%" in text
    assert f"{2.0 * batches:.2f}it/s" in text  # of the 10 steps since it began, not of 70
    assert bar.train_progress_bar.smoothing == 0  # the pace is that of the whole run, not of its last steps
    bar.train_progress_bar.close()
