"""Shared by the experiments: runs of ``sample.py``, the judge, the machine's name, one-line errors."""

import json
import platform
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import torch
from omegaconf import DictConfig

from sdg.composition import compose
from sdg.config import errors_in_one_line
from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.metrics import run as evaluation
from sdg.metrics.judged import JudgeReader
from sdg.sampling.run import sample


def configuration(command: str, settings: Sequence[str]) -> DictConfig:
    """The configuration of ``python <command>.py <settings>``, by default with the paper's own encoder.

    Experiments compare ways to guide, to sample and to measure: ``encoder=toyfaces`` is the paper's
    fine-tuning, whatever ``sample.py`` takes by itself.
    """
    chosen = any(word.startswith(("encoder=", "+experiment=")) for word in settings)
    return compose(command, settings if chosen or command != "sample" else ["encoder=toyfaces", *settings])


def draw(folder: Path, settings: Sequence[str]) -> Path:
    """Run ``sample.py`` into ``folder``, resuming any earlier run there; returns the folder.

    Its ``seconds.jsonl`` keeps how long that took.
    """
    before, start, cpu = _count(folder), time.perf_counter(), time.process_time()
    sample(configuration("sample", [*settings, f"output_dir='{folder}'"]))
    if images := _count(folder) - before:
        spent = {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}
        with (folder / "seconds.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"images": images} | spent) + "\n")
    return folder


def _count(folder: Path) -> int:
    return len(list((folder / "samples").glob("*.png")))


def seconds_per_image(folder: Path, clock: Literal["wall", "cpu"]) -> float | None:
    """Seconds per image of a run, loading and writing included; None if it was not timed.

    The CPU clock stands still while other processes have the processor.
    """
    if not (path := folder / "seconds.jsonl").is_file():
        return None
    parts = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sum(part[clock] for part in parts) / sum(part["images"] for part in parts)


def named(key: str, values: Iterable[str | Path]) -> str:
    """A setting whose value is a list of strings."""
    return f"{key}=[{', '.join(repr(str(value)) for value in values)}]"


def some(path: Path, count: int) -> list[str]:
    """``count`` evenly spaced prompts of a file, or all if it has fewer.

    Raises:
        SDGError: ``count`` is below 1, or there is no such file.
    """
    if count < 1:
        raise SDGError(f"{count} prompts draw nothing: use 1 or more")
    prompts = read_prompts(path)
    return prompts[:: max(1, len(prompts) // count)][:count]


def usable(names: Iterable[str], check: Callable[[str], object], otherwise: str) -> list[str]:
    """Those of ``names`` that pass ``check``; prints a line about each of the others.

    Args:
        check: raises SDGError for a name that cannot be used.
        otherwise: the error message if none is left, with its remedy.

    Raises:
        SDGError: none is left.
    """
    found = []
    for name in names:
        try:
            check(name)
        except SDGError as error:
            print(f"{name} is left out: {error}")
        else:
            found.append(name)
    if not found:
        raise SDGError(otherwise)
    return found


def load_judge(settings: Sequence[str] = ()) -> JudgeReader:
    """The held-out judge that ``evaluate.py`` uses with these settings."""
    return evaluation.load_judge(configuration("evaluate", settings))


def invocation(experiment: str, arguments: Sequence[str]) -> str:
    """The command that repeats a run of ``experiments/<experiment>``."""
    return " ".join([f"python -m experiments.{experiment}", *map(shlex.quote, arguments)])


def machine() -> str:
    """The kind of machine, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{threads} thread{'s' if threads > 1 else ''} of a CPU ({platform.machine()})"


def launch(main: Callable[[Sequence[str]], None]) -> None:
    """Run an experiment on the command line's arguments; errors a user can fix end in one line."""
    # pytorch_lightning 2.6 uses what torch 2.15 deprecates.
    warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
    with errors_in_one_line():
        main(sys.argv[1:])
