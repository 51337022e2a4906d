"""A training by the clock, with a clock that the test moves."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from sdg.training.budget import Budget, Deadline


def trainer(steps: int = 0) -> Any:
    """As much of a trainer as the budget looks at."""
    strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision)
    shown = SimpleNamespace(train_progress_bar=SimpleNamespace(total=10**6))
    return SimpleNamespace(
        global_step=steps,
        should_stop=False,
        is_global_zero=True,
        strategy=strategy,
        progress_bar_callback=shown,
    )


def work(budget: Budget, running: Any, steps: int) -> None:
    for _ in range(steps):
        running.global_step += 1
        budget.on_train_batch_end(running)


def test_it_ends_after_its_hours_and_tells_the_pace(capsys: pytest.CaptureFixture[str]) -> None:
    """Half a second a step: 7,200 steps in an hour."""
    seconds = iter(i / 2 for i in range(10**6))
    budget, running = Budget(1.0, lambda: next(seconds)), trainer()
    budget.on_train_start(running, None)  # type: ignore[arg-type]
    work(budget, running, 7199)
    assert not running.should_stop
    work(budget, running, 1)
    assert running.should_stop
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert running.progress_bar_callback.train_progress_bar.total == 7200
    assert re.match(r"2\.00 steps a second here: 1 h end after about 7,200 steps", said)


def test_a_resumed_training_has_the_hours_that_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    budget = Budget(1.0)
    budget.spent = 3000.0
    seconds = iter(range(100, 10**6))
    resumed, running = Budget(1.0, lambda: float(next(seconds))), trainer(5000)
    resumed.load_state_dict(budget.state_dict())
    resumed.on_train_start(running, None)  # type: ignore[arg-type]
    work(resumed, running, 599)
    assert not running.should_stop
    work(resumed, running, 1)
    assert running.should_stop
    assert "1.00 steps a second here: 1 h end after about 5,600 steps" in capsys.readouterr().out


def test_a_run_ends_at_its_deadline_whatever_earlier_runs_took() -> None:
    seconds = iter(range(1000))
    deadline, running = Deadline(0.5, lambda: float(next(seconds))), trainer(5000)
    for _ in range(29):
        deadline.on_train_batch_end(running)
    assert not running.should_stop
    deadline.on_train_batch_end(running)
    assert running.should_stop
    assert deadline.state_dict() == {}
