"""Runs whose prior and encoder work at once: recorded, however interrupted, exact without guidance."""

from pathlib import Path

import pytest
import yaml
from hydra.errors import InstantiationException

from sdg.diffusion.branches import InTurn, SideBySide
from sdg.networks.fast import Quickest
from sdg.studio import again
from tests.sampling.test_controls import pictures, run
from tests.tiny import make_weights, pixels


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one thread, too, where each branch has one: how many there are changes nothing else."""
    monkeypatch.setattr(
        "sdg.diffusion.process.branches",
        lambda device, side_by_side: SideBySide() if side_by_side else InTurn(),
    )


def said(folder: Path) -> bool | None:
    return yaml.safe_load((folder / "config.yaml").read_text())["side_by_side"]


@pytest.mark.slow
def test_a_small_guided_picture_alone_is_drawn_side_by_side_and_says_so(
    weights: list[str], tmp_path: Path
) -> None:
    common = ["prompts=[a face]", "sampler.steps=2", "samples_per_prompt=2", "group=1"]
    run(weights, tmp_path / "whole", *common)
    run(weights, tmp_path / "parts", *common, "batch_size=1")
    whole = pictures(tmp_path / "whole")
    (tmp_path / "parts" / "samples" / "000003.png").unlink()
    run(weights, tmp_path / "parts", *common, "batch_size=3")
    assert said(tmp_path / "whole") is said(tmp_path / "parts") is True
    assert pictures(tmp_path / "parts") == whole
    # A picture's file says it, too: on its own it is drawn the same.
    file = tmp_path / "whole" / "samples" / "000003.png"
    again(file, "cpu").save(tmp_path / "again.png")
    assert pixels(tmp_path / "again.png") == pixels(file)


def test_where_nothing_guides_the_prior_has_all_threads(weights: list[str], tmp_path: Path) -> None:
    common = ["sampler.steps=2", "samples_per_prompt=1"]
    run(weights, tmp_path / "zero", *common, "prompts=[a face]", "guidance.scale=0", "unguided=false")
    run(weights, tmp_path / "none", *common, "method=unguided")
    run(weights, tmp_path / "many", *common, "prompts=[a face]", "guidance.scale=9", "samples_per_prompt=2")
    assert [said(tmp_path / name) for name in ("zero", "none", "many")] == [False] * 3
    assert [*pictures(tmp_path / "zero").values()] == [*pictures(tmp_path / "none").values()]


def test_an_estimator_that_waits_for_the_prior_cannot_run_beside_it(
    weights: list[str], tmp_path: Path
) -> None:
    waiting = ["prompts=[a face]", "estimator=dps", "side_by_side=true"]
    with pytest.raises(InstantiationException, match=r"DPS waits for what the prior says.*side_by_side=null"):
        run(weights, tmp_path / "run", *waiting)
    assert not (tmp_path / "run").exists()


def test_how_networks_compute_is_chosen_by_what_was_measured_if_left_open(
    weights: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdg.sampling.build.quickest", lambda device, side: Quickest(True, "bfloat16"))
    common = ["prompts=[a face]", "sampler.steps=2", "samples_per_prompt=1", "unguided=false"]
    run(weights, tmp_path / "named", *common, "channels_last=true", "dtype=bfloat16")
    assert "measured" not in capsys.readouterr().out
    run(weights, tmp_path / "open", *common, "channels_last=null", "dtype=null")
    told = "note: channels_last=true dtype=bfloat16, which was measured to be fastest on such a device"
    assert told in capsys.readouterr().out
    assert pictures(tmp_path / "open") == pictures(tmp_path / "named")
    record = yaml.safe_load((tmp_path / "open" / "config.yaml").read_text())
    assert (record["channels_last"], record["dtype"]) == (True, "bfloat16")
    # Elsewhere another way may be the fastest: a folder goes on as it began.
    monkeypatch.setattr("sdg.sampling.build.quickest", lambda device, side: Quickest(False, "float32"))
    run(weights, tmp_path / "open", *common, "channels_last=null", "dtype=null", "samples_per_prompt=2")
