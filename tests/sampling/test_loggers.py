"""What W&B is shown of a sampling run: read back from the files that the real package wrote."""

import json
import time
from pathlib import Path

import pytest

from tests.sampling.test_controls import records, run
from tests.tiny import make_weights
from tests.training.test_loggers import config, history, offline

__all__ = ["offline"]


def settle(path: Path) -> None:
    """Wait for W&B's own process, which may write for a moment after the run has ended."""
    size = -1
    while size != (size := path.stat().st_size):
        time.sleep(0.7)


@pytest.mark.filterwarnings("default")  # wandb's own
def test_wandb_offline_holds_samples_with_captions_and_a_table(tmp_path: Path, offline: None) -> None:
    weights, folder = make_weights(tmp_path), tmp_path / "run"
    run(weights, folder, "prompts=[a face]", "logger=wandb", "batch_size=4")
    (start,) = (folder / "wandb").glob("offline-run-*")
    (log,) = start.glob("*.wandb")
    settle(log)
    rows = history(log)
    captions = [row["samples/captions"] for row in rows if "samples/captions" in row]
    assert captions == [["unguided"] * 3 + ["a face"], ["a face"] * 2]
    assert any("grid/filenames" in row for row in rows)
    (table,) = (start / "files" / "media" / "table").glob("*.json")
    told = json.loads(table.read_text())
    assert told["columns"][:3] == ["prompt", "reference", "picture"]
    assert [row[0] for row in told["data"]] == [record["prompt"] for record in records(folder)]
    assert config(log)["sampler"]["steps"] == 4
    # Given again, with nothing left to draw, the same folder serves.
    run(weights, folder, "prompts=[a face]", "batch_size=4")
