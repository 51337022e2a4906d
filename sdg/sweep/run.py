"""One search: every trial runs the commands with its own settings and reads what they measured."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from sdg.composition import ROOT
from sdg.config import plain
from sdg.errors import SDGError
from sdg.extras import need
from sdg.files import write_whole
from sdg.locks import locked_folder
from sdg.settings.names import folder_name, note_overrides
from sdg.stopping import PARENT

if TYPE_CHECKING:  # Optuna is an extra
    from sdg.sweep.study import Outcome

FAILURES = 3
"""This many failures in a row end the search: something else is wrong."""
RETRIES = 1
"""How often a trial that failed is tried again: a full disk or a busy device may pass."""
_OTHER = 1_000_003
"""Added to the seed, for pictures that did not select the best."""


def search(config: DictConfig) -> None:
    """Try ``config.trials`` settings from ``config.space``; giving the same command again resumes.

    Raises:
        SDGError: no sweep chosen, no Optuna, a folder in use, commands that keep failing, or no good trial.
    """
    if OmegaConf.is_missing(config, "name"):
        raise SDGError("nothing says what to search: choose a sweep of conf/sweep, as +sweep=guidance_scale")
    need("optuna")
    from sdg.sweep.study import Study

    folder = Path(config.output_dir)
    with locked_folder(folder):
        _record(folder / "sweep.yaml", config)
        study = Study(folder / "study.log", plain(config.space), config.direction, config.seed)
        failed = 0
        for trial in study.run(config.trials, lambda settings: _patiently(config, folder, settings)):
            told = ", ".join(f"{name}={_word(value)}" for name, value in trial.params.items())
            print(f"{trial.number + 1}/{config.trials}  {told}: {_told(config, trial)}", flush=True)
            failed = failed + 1 if "error" in trial.user_attrs else 0
            if failed == FAILURES:
                raise SDGError(f"{failed} trials in a row failed, the last: {trial.user_attrs['error']}")
        best = study.best()
    settings = [f"{name}={_word(value)}" for name, value in best.params.items()]
    result = {
        "settings": best.params,
        config.objective: best.value,
        "folder": str(_folder(folder, best.params)),
    }
    told = ""
    if any(Path(str(command[0])).name == "sample.py" for command in config.commands):
        # The best of many is the luckiest, too: what it is worth, other pictures tell.
        again = _patiently(config, folder, best.params, [f"seed={config.seed + _OTHER}"])
        result["on other pictures"] = {config.objective: again.value, "seed": config.seed + _OTHER}
        told = f", {again.value:.4g} on pictures that did not select it"
    write_whole(folder / "best.json", json.dumps(result, indent=1) + "\n")
    print(f"best of {len(study.trials)}: {' '.join(settings)} with {config.objective} {best.value:.4g}{told}")


def _patiently(
    config: DictConfig, folder: Path, settings: Mapping[str, Any], more: Sequence[str] = ()
) -> "Outcome":
    """:func:`_evaluate`, tried again if it fails."""
    for left in reversed(range(RETRIES + 1)):
        try:
            return _evaluate(config, folder, settings, more)
        except SDGError as error:
            if not left:
                raise
            print(f"{error}: trying again", flush=True)
    raise AssertionError("the last try returns or raises")


def _evaluate(
    config: DictConfig, folder: Path, settings: Mapping[str, Any], more: Sequence[str]
) -> "Outcome":
    """Run the commands and read what they measured.

    Args:
        more: settings of ``sample.py``; with some, the pictures have a folder beside those of the trials.
    """
    from sdg.sweep.study import Outcome

    place = _folder(folder, settings, "others" if more else "trials")
    log = folder / "logs" / f"{place.name}.log"
    log.parent.mkdir(exist_ok=True)
    words = [f"{name}={_word(value)}" for name, value in settings.items()]
    place.parent.mkdir(exist_ok=True)
    note_overrides(place, words)
    for command in config.commands:
        script, *given = (str(word).replace("{folder}", str(place)) for word in command)
        filled = [new for word in given for new in (words if word == "{settings}" else [word])]
        filled += more if Path(script).name == "sample.py" else []
        with log.open("a", encoding="utf-8") as file:
            line = [sys.executable, str(ROOT / script), *filled]
            own = os.environ | {PARENT: str(os.getpid())}
            done = subprocess.run(line, stdout=file, stderr=subprocess.STDOUT, env=own, check=False)
        if done.returncode:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise SDGError(f"{script} ended with {done.returncode} ({''.join(last)}): see {log}")
    measures = _measures(place / "metrics.json")
    short = {name: least - _value(measures, name) for name, least in (config.keep or {}).items()}
    return Outcome(_value(measures, config.objective), short)


def _measures(path: Path) -> dict[str, dict]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["measures"]
    except (OSError, ValueError, KeyError) as error:
        raise SDGError(f"the commands left no {path}: let one of them be evaluate.py") from error


def _value(measures: Mapping[str, dict], name: str) -> float:
    if name not in measures:
        raise SDGError(f"{name} was not measured: choose among {', '.join(measures)}")
    return float(measures[name]["value"])


def _told(config: DictConfig, trial: Any) -> str:
    if "error" in trial.user_attrs:
        return f"failed: {trial.user_attrs['error']}"
    short = [name for name, by in json.loads(trial.user_attrs["short"]).items() if by > 0]
    return f"{config.objective} {trial.value:.4g}" + (f", too little {', '.join(short)}" if short else "")


def _folder(folder: Path, settings: Mapping[str, Any], kind: str = "trials") -> Path:
    """The folder of these settings; if tried again, they find what is already done."""
    return folder / kind / folder_name(",".join(f"{n}={_word(value)}" for n, value in settings.items()))


def _word(value: Any) -> str:
    """A value as written on the command line."""
    # By identity, as 1 == True.
    words = ((True, "true"), (False, "false"), (None, "null"))
    return next((word for known, word in words if value is known), str(value))


def _record(path: Path, config: DictConfig) -> None:
    """Store the settings of the search; refuse those of another search."""
    free = {"trials", "output_dir"}
    settings = {key: value for key, value in plain(config).items() if key not in free}
    if path.exists() and plain(OmegaConf.load(path)) != settings:
        raise SDGError(f"{path.parent} holds another search: choose another output_dir, or remove it")
    write_whole(path, OmegaConf.to_yaml(OmegaConf.create(settings)))
