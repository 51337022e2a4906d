"""Folders of sweeps have names that any disk and any command takes."""

import re
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sdg.settings.names import folder_name, note_overrides

HARD = [
    'prompts=["a/b", "it\'s {x}"]',
    "prompts_file=some/where.txt",
    "a=" + "x" * 300,
    "a=" + "x" * 301,
    "prompts=[größe]",
    "x=1 2",
    "x=1_2=3",
    "a=/",
    "a=*",
    "a=..",
    "=",
]


@pytest.mark.parametrize(
    "overrides, name",
    [
        ("seed=1", "seed-1"),
        ("guidance.scale=20,seed=1", "guidance.scale-20+seed-1"),
        ("model.optimisation.lr=1e-4,a.b=-0.5", "model.optimisation.lr-1e-4+a.b--0.5"),
        ("+experiment=demo,sampler=ddim", "experiment-demo+sampler-ddim"),
    ],
)
def test_plain_overrides_can_be_read(overrides: str, name: str) -> None:
    assert folder_name(overrides) == name


@pytest.mark.parametrize("overrides", HARD)
def test_all_names_are_safe_and_short(overrides: str) -> None:
    name = folder_name(overrides)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,79}", name)
    assert OverridesParser.create().parse_override(f"samples=sweep/{name}").value() == f"sweep/{name}"


def test_names_are_unique() -> None:
    assert len({folder_name(overrides) for overrides in HARD}) == len(HARD)


def test_the_overrides_stand_beside_the_folder(tmp_path: Path) -> None:
    note_overrides(tmp_path / "a.b", ["prompts=[größe]", "seed=1"])
    assert (tmp_path / "a.b.txt").read_text(encoding="utf-8") == "prompts=[größe]\nseed=1\n"
