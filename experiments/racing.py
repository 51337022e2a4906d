"""Seconds of whole runs, in turns within one process, since a machine's speed drifts."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from experiments.running import configuration
from sdg.files import write_whole
from sdg.sampling.build import build_method
from sdg.sampling.networks import Networks
from sdg.sampling.plan import PlanEntry

Run = Callable[[], object]
PROMPT = "a smiling face"


def drawing(settings: Sequence[str], networks: Networks, seed: int = 0) -> Run:
    """Draws one group of pictures by these settings of ``sample.py``, to bytes on the host."""
    method = build_method(configuration("sample", settings), networks)
    guided = bool(method.waiting("prompt"))
    method.check([PROMPT] if guided else [], [])  # encodes it
    prompt = PROMPT if guided else None
    entries = [PlanEntry(i, prompt, None, seed, i, method.scale) for i in range(method.group)]
    return lambda: method.draw(entries)


def race(runs: Mapping[str, Run], file: Path, rounds: int, warm: str) -> dict[str, list[float]]:
    """Seconds of each run, by name, one per round; each round is saved to ``file`` as it ends.

    Rounds that the file has already count, if they have all of these runs.

    Args:
        warm: the run that is made once beforehand, untimed.
    """
    taken = json.loads(file.read_text("utf-8")) if file.exists() else []
    taken = [{name: each[name] for name in runs} for each in taken if each.keys() >= runs.keys()][:rounds]
    if len(taken) < rounds:
        runs[warm]()
    while len(taken) < rounds:
        print(f"timing round {len(taken) + 1} of {rounds}", flush=True)
        order = runs if len(taken) % 2 else reversed(runs)
        taken.append({name: _seconds(runs[name]) for name in order})
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(taken, indent=1) + "\n")
    return {name: [each[name] for each in taken] for name in runs}


def _seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
