"""What experiments share: the end of a command that was mistyped."""

import sys

import pytest

from experiments.running import configuration, launch
from sdg.errors import SDGError


@pytest.mark.parametrize(
    "setting, remedy",
    [
        ("sampelr.steps=3", r"^error: .*sampelr"),
        ("sampler=dmp", r"^error: .*sampler/dmp"),
        ("guidance.scale=[", r"^error: cannot read guidance.scale=\["),
    ],
)
def test_a_setting_that_hydra_does_not_know_ends_in_one_line(
    setting: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["experiment", setting])
    with pytest.raises(SystemExit, match=remedy) as ended:
        launch(lambda words: print(configuration("sample", words)))
    assert "\n" not in str(ended.value)


def test_what_a_user_can_mend_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def main(words: object) -> None:
        raise SDGError("use\n less")

    monkeypatch.setattr(sys, "argv", ["experiment"])
    with pytest.raises(SystemExit, match=r"^error: use less$"):
        launch(main)
