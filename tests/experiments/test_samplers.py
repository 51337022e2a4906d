"""The samplers' experiment: its command, and the numbers that it keeps in the repository."""

from pathlib import Path

import pytest

from experiments.samplers import __main__ as experiment
from experiments.samplers.study import METHODS, POSTERIOR, PRIOR, Summary, closed_form, error
from experiments.samplers.table import write_table
from sdg.errors import SDGError

FOLDER = Path(experiment.__file__).parent


def cells(text: str, title: str) -> dict[tuple[str, str], list[float]]:
    """(sampler, measure) -> numbers, one for each number of steps, of the table below a title."""
    table: dict[tuple[str, str], list[float]] = {}
    name = ""
    below = text.partition(f"## {title}")[2].partition("## ")[0]
    for line in below.splitlines():
        row = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(row) > 2 and row[1] in ("mean", "variance", "mode shares"):
            name = row[0] or name
            table[name, row[1]] = [float(cell) for cell in row[2:]]
    return table


@pytest.mark.slow
def test_measures_draws_and_tells(tmp_path: Path) -> None:
    options = ["--steps", "3", "2", "--images", "1", "--size", "8", "--seed", "5"]
    experiment.main([*options, "--report", str(tmp_path / "report")])
    text = (tmp_path / "report" / "results.md").read_text()
    assert "python -m experiments.samplers --steps 3 2 --images 1" in text
    assert "| 2 steps | 3 steps |" in text
    unguided, guided = cells(text, "Unguided"), cells(text, "Guided")
    assert (len(unguided), len(guided)) == (3 * 9, 3 * 12)
    again = [error(METHODS[7], steps, True, images=1, size=8, seed=5) for steps in (2, 3)]
    assert guided["dpmpp_2m, reach 1", "variance"] == [pytest.approx(e.variance, abs=6e-5) for e in again]
    assert guided["dpmpp_2m, reach 1", "mode shares"] == [pytest.approx(e.misplaced, abs=6e-5) for e in again]
    assert (tmp_path / "report" / "curve.png").read_bytes().startswith(b"\x89PNG")
    drawing = (tmp_path / "report" / "curve.svg").read_text()
    assert all(name in drawing for name, _ in guided)


def test_the_table_keeps_signs_and_halves_what_is_misplaced_twice(tmp_path: Path) -> None:
    errors = {
        (False, "a"): {7: Summary(-0.25, 0.5, (0.1, 0.2, -0.3))},
        (True, "a"): {7: Summary(0.0, 0.0, ())},
    }
    write_table(errors, 64, tmp_path, "command", "machine")
    table = cells((tmp_path / "results.md").read_text(), "Unguided")
    assert table == {("a", "mean"): [-0.25], ("a", "variance"): [0.5], ("a", "mode shares"): [0.3]}


@pytest.mark.parametrize(
    "options, remedy",
    [
        ("--steps 1 10", "use --steps from 2"),
        ("--images 0", "--images and --size from 1"),
        ("--steps 1001", "use 1000 or fewer"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(tmp_path: Path, options: str, remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        experiment.main([*options.split(), "--report", str(tmp_path / "report")])
    assert not list(tmp_path.iterdir())


def test_what_is_on_file_is_what_the_command_gives() -> None:
    """One column of it, redrawn; the rest would take a minute."""
    text = (FOLDER / "results.md").read_text()
    assert "`python -m experiments.samplers`, on " in text
    for mixture in (PRIOR, POSTERIOR):
        summary = closed_form(mixture)
        assert f"| {summary.mean:.4f} | {summary.variance:.4f} | {summary.shares[0]:.4f} · " in text
    for title, guided in (("Unguided", False), ("Guided", True)):
        kept = cells(text, title)
        for method in (METHODS[2], METHODS[7]):
            again = error(method, 5, guided, images=4)
            assert kept[method.name, "mean"][0] == pytest.approx(again.mean, abs=2e-4)
            assert kept[method.name, "variance"][0] == pytest.approx(again.variance, abs=2e-4)
            assert kept[method.name, "mode shares"][0] == pytest.approx(again.misplaced, abs=2e-4)


def test_the_figure_is_small_enough_for_the_repository() -> None:
    assert all((FOLDER / name).stat().st_size < 200_000 for name in ("curve.png", "curve.svg"))
