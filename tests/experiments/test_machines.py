"""How far a row moves: counts and changes of pictures and measures that are known."""

from pathlib import Path

import pytest
import torch

from experiments.machines import __main__ as experiment
from experiments.machines.table import apart, compared, document
from sdg.errors import SDGError
from tests.metrics.examples import record, write_run


def test_pictures_are_told_apart_by_their_largest_change() -> None:
    first = torch.zeros(3, 3, 2, 2, dtype=torch.uint8)
    other = first.clone()
    other[1, 0, 0, 0], other[2, 2, 1, 1] = 7, 200
    # 207 in 36 values.
    assert apart(first, other) == ["2 of 3", "1 of 3", "5.75", "200"]


def test_a_measure_moves_from_the_first() -> None:
    cells = [{"value": 0.5, "interval": [0.4, 0.7]}, {"value": 0.53}, {"value": 0.45}]
    assert compared(cells) == ["0.500 (0.400 … 0.700)", "0.530", "0.450", "0.050", "0.150"]


def test_the_page_has_pictures_measures_and_what_was_set(tmp_path: Path) -> None:
    image = torch.zeros(3, 2, 2, dtype=torch.uint8)
    runs = {
        name: write_run(tmp_path / name / "row", [(record(None, 0), image), (record("a", 0), image + shade)])
        for name, shade in (("plain", 0), ("other", 9))
    }
    cell = {"value": 0.5, "count": 1, "interval": [0.25, 0.75]}
    reports = {name: {"measures": {"retrieval_judge/top_1": cell}} for name in runs}
    lines = document(reports, runs, {"plain": {}, "other": {"A": "1", "B": "2"}}, "python -m this")
    text = "\n".join(lines)
    assert "- **plain**: nothing is set" in text
    assert "- **other**: `A=1 B=2`" in text
    assert "| other | 1 of 1 | 1 of 1 | 9.00 | 9 |" in text
    assert "| top-1 | 0.500 (0.250 … 0.750) | 0.500 | 0.000 | 0.250 |" in text
    assert "diversity" not in text  # it was not measured


def test_all_are_compared_with_the_first() -> None:
    with pytest.raises(SDGError, match="name it, too"):
        experiment.parse(["--machines", "AVX2"])
