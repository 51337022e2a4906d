"""``logger=trackio``: what the real package's database holds of a training that was resumed."""

import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdg.report.loggers import code_version, finish, open_loggers, show_pictures, show_table
from sdg.report.tracker import TrackioLogger


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The database, whose folder a process can choose once."""
    if "trackio" not in sys.modules:
        monkeypatch.setenv("TRACKIO_DIR", str(tmp_path_factory.mktemp("trackio")))
    pytest.importorskip("trackio", reason="there is no trackio: '.[dev]' brings it")
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage


def logger(folder: Path, **settings: Any) -> TrackioLogger:
    return TrackioLogger("tests", str(folder), str(folder.parent / "none"), **settings)


@pytest.mark.filterwarnings("default")  # trackio's own
def test_a_run_holds_settings_curves_pictures_and_tables_and_goes_on(tmp_path: Path, store: Any) -> None:
    picture = Image.new("RGB", (4, 4), "red")
    for start in (0, 2):
        (opened,) = open_loggers({"trackio": lambda: logger(tmp_path / "mine")}, {"seed": 3, "a": {"b": 1}})
        for step in (start, start + 1):
            opened.log_metrics({"train/loss": 1 / (step + 1)}, step)
        show_pictures([opened], "samples", [picture], ["a hat"], start + 1)
        show_table([opened], "all", [{"prompt": "a hat", "picture": picture}])
        finish([opened])
    (run,) = [name for name in store.get_runs("tests") if name.startswith("mine-")]
    assert run == f"mine-{(tmp_path / 'mine' / 'trackio' / 'run_id').read_text()}"
    logs = store.get_logs("tests", run)
    losses = {row["step"]: row["train/loss"] for row in logs if "train/loss" in row}
    assert losses == {0: 1.0, 1: 0.5, 2: pytest.approx(1 / 3), 3: 0.25}
    assert [row["samples"]["caption"] for row in logs if "samples" in row] == ["a hat"] * 2
    (first, _) = [row["all"]["_value"] for row in logs if "all" in row]
    assert first[0]["prompt"] == "a hat"
    assert first[0]["picture"]["_type"] == "trackio.image"
    told = store.get_run_config("tests", run)
    assert (told["code"], told["seed"], told["a"]) == (code_version(), 3, {"b": 1})


def test_another_start_of_a_folder_that_was_removed_is_another_run(tmp_path: Path, store: Any) -> None:
    assert logger(tmp_path / "a").version == logger(tmp_path / "a").version
    assert logger(tmp_path / "a").version != logger(tmp_path / "b" / "a").version
