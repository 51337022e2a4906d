"""How long each way takes: whole chains of one group of pictures, in turn within one process."""

import argparse
import json
import time
from collections.abc import Sequence

import torch

from experiments.few_steps.ways import Way
from experiments.running import configuration
from sdg.files import write_whole
from sdg.sampling.build import build_method
from sdg.sampling.method import Method
from sdg.sampling.networks import Networks
from sdg.sampling.plan import PlanEntry

PROMPT = "a smiling face"


def race(ways: Sequence[Way], options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each way, by name, one per round; each round is saved to ``times.json`` as it ends."""
    file, names = options.output / "times.json", {way.name for way in ways}
    rounds = json.loads(file.read_text("utf-8")) if file.exists() else []
    rounds = [taken for taken in rounds if taken.keys() == names][: options.rounds]
    if len(rounds) < options.rounds:
        methods = {way.name: _method(way, options) for way in ways}
        _seconds(methods[min(ways, key=lambda way: way.steps).name], options)  # warms up
    while len(rounds) < options.rounds:
        print(f"timing round {len(rounds) + 1} of {options.rounds}", flush=True)
        order = ways if len(rounds) % 2 else ways[::-1]
        rounds.append({way.name: _seconds(methods[way.name], options) for way in order})
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(rounds, indent=1) + "\n")
    return {name: [taken[name] for taken in rounds] for name in names}


def _method(way: Way, options: argparse.Namespace) -> Method:
    networks = Networks("cuda" if torch.cuda.is_available() else "cpu")
    method = build_method(configuration("sample", [*way.settings, *options.sample]), networks)
    method.check([PROMPT], [])  # encodes it
    return method


def _seconds(method: Method, options: argparse.Namespace) -> float:
    entries = [PlanEntry(i, PROMPT, None, options.seed, i, method.scale) for i in range(method.group)]
    start = time.perf_counter()
    method.draw(entries)  # ends with bytes on the host
    return time.perf_counter() - start
