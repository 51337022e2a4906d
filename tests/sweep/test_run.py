"""The command: trials of other commands, their measures, and what happens when they fail or are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from sdg.composition import ROOT
from sdg.errors import SDGError
from sdg.sweep.run import _folder, search
from tests.tiny import configure

SWEEPS = sorted((ROOT / "conf" / "sweep").glob("*.yaml"))
COMMAND = """
import json, pathlib, sys
given = dict(word.split("=", 1) for word in sys.argv[1:])
folder, scale = pathlib.Path(given["output_dir"]), float(given["guidance.scale"])
folder.mkdir(parents=True, exist_ok=True)
with (folder / "starts").open("a") as file:
    print("start", file=file)
if {condition}:
    sys.exit("error: no such scale")
measures = {{"alignment/mentioned": {{"value": scale}}, "spread/all": {{"value": 1 - scale / 1000}}}}
(folder / "metrics.json").write_text(json.dumps({{"measures": measures}}))
"""


def words(folder: Path, trials: int = 4, condition: str = "False") -> list[str]:
    script = folder / "command.py"
    script.write_text(COMMAND.format(condition=condition))
    commands = f"[[{script},'output_dir={{folder}}','{{settings}}']]"
    return ["+sweep=guidance_scale", f"commands={commands}", f"output_dir={folder}/out", f"trials={trials}"]


def test_a_search_leaves_its_best_and_goes_on(tmp_path: Path, capsys):
    search(configure("sweep", words(tmp_path)))
    search(configure("sweep", words(tmp_path, trials=6)))
    lines = capsys.readouterr().out.splitlines()
    assert sum("/4  guidance.scale=" in line for line in lines) == 4
    assert sum("/6  guidance.scale=" in line for line in lines) == 2
    best = json.loads((tmp_path / "out" / "best.json").read_text())
    scale = best["settings"]["guidance.scale"]
    assert best["alignment/mentioned"] == scale <= 200
    assert lines[-1].startswith(f"best of 6: guidance.scale={scale}")
    folders = [path for path in (tmp_path / "out" / "trials").iterdir() if path.is_dir()]
    assert len(folders) == 6
    assert all((folder / "starts").read_text() == "start\n" for folder in folders)
    assert Path(best["folder"]) in folders


@pytest.mark.parametrize("number", [0, 1])
def test_whole_numbers_stay_numbers(tmp_path: Path, number: int):
    """In Python 1 == True."""
    config = configure("sweep", words(tmp_path, trials=1))
    config.space = {"guidance.scale": {"choices": [number]}}
    search(config)
    name, folder = f"guidance.scale-{number}", tmp_path / "out" / "trials"
    assert {path.name for path in folder.iterdir()} == {name, f"{name}.txt"}
    assert (folder / f"{name}.txt").read_text(encoding="utf-8") == f"guidance.scale={number}\n"


def test_a_search_that_was_killed_runs_its_trial_again(tmp_path: Path):
    own = words(
        tmp_path, condition="not pathlib.Path(folder, '../../go').exists() and __import__('time').sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "sdg.sweep", *own], cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("out/trials/*/starts")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    with pytest.raises(SDGError, match=rf"{tmp_path}/out is in use by process {process.pid} on .* since 20"):
        search(configure("sweep", own))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "out" / "go").touch()
    search(configure("sweep", own))
    starts = [path.read_text() for path in tmp_path.glob("out/trials/*/starts")]
    assert sorted(starts) == ["start\n"] * 3 + ["start\nstart\n"]


def test_a_trial_that_failed_is_tried_once_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The first start of each fails; more than one would end the trial."""
    once = "(folder / 'starts').read_text().count('start') == 1"
    search(configure("sweep", words(tmp_path, trials=2, condition=once)))
    said = capsys.readouterr().out
    assert said.count("no such scale") == said.count(": trying again") == 2
    assert ": failed:" not in said
    starts = [path.read_text() for path in tmp_path.glob("out/trials/*/starts")]
    assert starts == ["start\nstart\n"] * 2


def test_the_best_is_measured_again_on_other_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A command called sample.py gets another seed, by which what this one measures differs."""
    script = tmp_path / "sample.py"
    scored = COMMAND.replace('"value": scale}', '"value": scale + float(given.get("seed", 0))}')
    script.write_text(scored.format(condition="False"))
    commands = f"[[{script},'output_dir={{folder}}','{{settings}}']]"
    search(configure("sweep", [*words(tmp_path, trials=3), f"commands={commands}"]))
    best = json.loads((tmp_path / "out" / "best.json").read_text())
    again = best["on other pictures"]
    assert again["alignment/mentioned"] == pytest.approx(best["alignment/mentioned"] + again["seed"])
    assert "on pictures that did not select it" in capsys.readouterr().out
    (place,) = (path for path in (tmp_path / "out" / "others").iterdir() if path.is_dir())
    assert place.name == Path(best["folder"]).name


def test_commands_that_always_fail_end_the_search(tmp_path: Path):
    with pytest.raises(SDGError, match=r"3 trials in a row failed, the last: .*no such scale.*see .*\.log"):
        search(configure("sweep", words(tmp_path, trials=9, condition="True")))


def test_another_search_or_none_is_refused(tmp_path: Path):
    with pytest.raises(SDGError, match=r"choose a sweep of conf/sweep, as \+sweep=guidance_scale"):
        search(configure("sweep", []))
    search(configure("sweep", words(tmp_path)))
    with pytest.raises(SDGError, match="holds another search"):
        search(configure("sweep", [*words(tmp_path), "seed=1"]))
    with pytest.raises(SDGError, match="was not measured: choose among alignment/mentioned, spread/all"):
        search(configure("sweep", [*words(tmp_path, 3), "objective=fid", f"output_dir={tmp_path}/other"]))


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_ready_made_sweep_runs_commands_that_exist(path: Path, tmp_path: Path):
    lines = path.read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert f"python -m sdg.sweep +sweep={path.stem}" in "\n".join(lines[:4])
    config = configure("sweep", [f"+sweep={path.stem}"])
    OmegaConf.resolve(config)
    assert config.name == path.stem
    settings = [
        f"{name}={space.choices[0] if 'choices' in space else space.low}"
        for name, space in config.space.items()
    ]
    for script, *given in config.commands:
        assert (ROOT / script).exists()
        filled = [new for word in given for new in (settings if word == "{settings}" else [word])]
        folder = str(_folder(tmp_path, dict.fromkeys(config.space, 1.5)))
        configure(Path(script).stem, [word.replace("{folder}", folder) for word in filled])


def test_the_sweep_of_wandb_drives_train_py(monkeypatch: pytest.MonkeyPatch):
    """What W&B's agent would call, as the package builds it."""
    sweep = yaml.safe_load((ROOT / "conf" / "sweep" / "wandb" / "time_clip.yaml").read_text())
    chosen = {
        name: {"value": given.get("value", given.get("values", [given.get("min")])[0])}
        for name, given in sweep["parameters"].items()
    }
    args = create_sweep_command_args({"args": chosen})["args_no_hyphens"]
    command = create_sweep_command(sweep["command"])
    assert command[:3] == ["${env}", "python", "${program}"]
    assert command[-1] == "${args_no_hyphens}"
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    config = configure("train", [*command[3:-1], *args])
    assert config.output_dir == "outputs/wandb/abc"
    assert config.model.optimisation.lr == 1e-4
    assert list(config.logger) == ["wandb"]
    assert (ROOT / sweep["program"]).exists()
