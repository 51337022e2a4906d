"""Where groups are found, and that composing in memory is what Hydra composes."""

from pathlib import Path

import hydra
import pytest

from sdg.composition import CONF, compose, composed

TERM = "_target_: sdg.guidance.text.Text\nweight: 3.0\ntarget: null\n"


def plainly(*words: str) -> object:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("sample", list(words))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("guidance.scale=3", "sampler.steps=7"),
        ("sampler=fast", "sampler.steps=7", "prompts=[a, 'b c']"),
        ("guidance=mix", "+guidance/term@guidance.terms.style=style", "guidance.terms.style.weight=1e-6"),
        ("method=ilvr", "guidance=text", "constraint.factor=4", "~guidance.normalise"),
        ("start={image: a.png}",),
        ("guidance.clamp=0.5", "~guidance.clamp"),
    ],
)
def test_values_on_remembered_groups_are_what_hydra_gives(words: tuple[str, ...]) -> None:
    compose("sample")  # whatever was composed before
    assert compose("sample", words) == plainly(*words)
    names = {path.relative_to(CONF).as_posix() for path in composed() if path.is_relative_to(CONF)}
    assert {"sample.yaml", "sampler/ddpm.yaml", "guidance/term/text.yaml"} <= names
    config = compose("sample", words)
    config.seed = 99  # a copy of one's own
    assert compose("sample", words) == plainly(*words)


def test_a_users_folder_adds_options_and_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = compose("sample").sampler
    for group, name, text in (
        ("sampler", "own", "steps: 5\nrule: {_target_: sdg.diffusion.ddim.DDIM, eta: 0.5}\n"),
        ("sampler", "fast", "steps: 3\nrule: {_target_: sdg.diffusion.ddim.DDIM, eta: 0.0}\n"),
        ("guidance/term", "loud", TERM),
    ):
        (tmp_path / "conf" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / group / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert compose("sample", ["sampler=own"]).sampler.rule.eta == 0.5
    assert compose("sample", ["sampler=fast"]).sampler.steps == 3
    assert compose("sample").sampler == usual
    words = ["guidance=mix", "+guidance/term@guidance.terms.loud=loud", "guidance.scale=9"]
    assert compose("sample", words).guidance.terms.loud.weight == 3.0
    (tmp_path / "conf" / "sampler" / "own.yaml").write_text("steps: 6\nrule: null\n", encoding="utf-8")
    assert compose("sample", ["sampler=own"]).sampler.steps == 6
