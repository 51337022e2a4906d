"""What drawing costs as it grows: which chains are timed, and what the page says of their seconds."""

from pathlib import Path

import pytest

from experiments.benchmark import growth as experiment
from experiments.benchmark.grown import GROWTHS, Chain, Growth
from experiments.benchmark.growth import TITLES, write
from sdg.errors import SDGError

ONE = Chain(1, 32, 2)


def test_one_size_grows_at_a_time() -> None:
    grown = GROWTHS["ffhq"]
    assert grown.chains("pictures") == [Chain(1, 256, 1), Chain(2, 256, 1), Chain(4, 256, 1)]
    assert grown.chains("side") == [Chain(1, 64, 1), Chain(1, 128, 1), Chain(1, 256, 1)]
    for model in GROWTHS.values():
        assert [*model.grown] == [*TITLES]
        assert all(model.usual in model.chains(size) for size in TITLES)
        assert {1, 4} <= {*model.grown["pictures"]}


def test_ratios_are_of_the_same_round(tmp_path: Path) -> None:
    usual = Chain(1, 256, 1)
    wanted = {chain for size in TITLES for chain in GROWTHS["ffhq"].chains(size)}
    times = {f"{chain}, {way}": [1.0, 1.0] for chain in wanted for way in ("guided", "unguided")}
    times[f"{usual}, guided"] = [1.5, 3.0]
    times[f"{usual}, unguided"] = [1.0, 2.5]
    times[f"{usual._replace(pictures=4)}, guided"] = [6.0, 6.0]
    times[f"{usual._replace(pictures=4)}, unguided"] = [4.0, 8.0]
    found = {"command": "this", "machine": "there", "made": None, "times": times}
    page = write({"ffhq": found}, tmp_path).read_text()
    assert "| 1 | 1.75 | 2.25 | 1.35 (1.20 … 1.50) | 1.00 |" in page
    assert "| 4 | 6 | 6 | 1.12 (0.75 … 1.50) | 3.00 (2.00 … 4.00) |" in page
    assert "One guided picture takes 0.38 (0.25 … 0.50) of the time of four at a time." in page
    assert {file.name for file in tmp_path.iterdir()} == {"growth.md", "growth.png", "growth.svg"}


def test_no_rounds_are_nothing_to_time(tmp_path: Path) -> None:
    with pytest.raises(SDGError, match="use --rounds from 1"):
        experiment.main(["--rounds", "0", "--report", str(tmp_path / "report")])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_chains_of_random_weights_are_timed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Growth(ONE, {"pictures": (1, 4), "side": (32, 64), "steps": (1, 2)}, channels_last=True)
    monkeypatch.setattr(experiment, "GROWTHS", {"toyfaces": small})
    where = ["--output", str(tmp_path / "output"), "--report", str(tmp_path / "report")]
    experiment.main(["--rounds", "2", *where])
    assert "## toyfaces" in (tmp_path / "report" / "growth.md").read_text()
    kept = (tmp_path / "output" / "toyfaces.json").read_text()
    experiment.main(["--rounds", "2", *where])
    assert (tmp_path / "output" / "toyfaces.json").read_text() == kept, "nothing is timed twice"
