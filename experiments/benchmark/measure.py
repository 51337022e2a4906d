"""Counting, and timing in turn, within one process."""

import argparse
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F

from experiments.benchmark.contest import Contestant, Run, contestants
from experiments.benchmark.counters import Counts
from experiments.benchmark.networks import Networks
from sdg.progress import Bar


class Peak(NamedTuple):
    """A run that is arithmetic alone: it shows how fast this machine can be."""

    name: str
    gflop: float
    run: Run


def count(networks: Networks, options: argparse.Namespace) -> list[Counts]:
    """Counts for one more step of every contestant, on the meta device, so the same on every machine."""
    there = networks.on("meta")
    fewer, more = (
        [_counted(one) for one in contestants(there, argparse.Namespace(**vars(options) | {"steps": steps}))]
        for steps in (2, 3)
    )
    return [many.minus(few) for few, many in zip(fewer, more, strict=True)]


def _counted(one: Contestant) -> Counts:
    with Counts() as counts:
        one.run()
    return counts


def peaks(device: torch.device, batch: int, dtype: torch.dtype) -> list[Peak]:
    """Matrix products and convolutions of favourable size, in the dtype of the networks."""
    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    found = [Peak("matmul", 2 * n**3 / 1e9, lambda: a @ b)]
    weight = torch.randn(256, 256, 3, 3, device=device, dtype=dtype)
    x = torch.randn(batch, 256, 64, 64, device=device, dtype=dtype)
    gflop = 2 * 9 * 256**2 * 64**2 * batch / 1e9
    for layout in (torch.contiguous_format, torch.channels_last):
        w, y = weight.to(memory_format=layout), x.to(memory_format=layout)
        found.append(Peak("convolution", gflop, lambda w=w, y=y: F.conv2d(y, w, padding=1)))
    return found


def race(runs: Sequence[Run], rounds: int, device: torch.device) -> list[list[float]]:
    """Milliseconds of each run in each round; every other round runs in reverse order."""
    times: list[list[float]] = [[] for _ in runs]
    for number in Bar(range(rounds + 1), desc="rounds"):
        order = range(len(runs)) if number % 2 else reversed(range(len(runs)))
        for i in order:
            _wait(device)
            start = time.perf_counter()
            runs[i]()
            _wait(device)
            if number:  # the first round warms up
                times[i].append(1000 * (time.perf_counter() - start))
    return times


def kernels(one: Contestant, steps: int, device: torch.device) -> int | None:
    """Kernel launches per step on a GPU; None without one."""
    if device.type != "cuda":
        return None
    with torch.profiler.profile() as profile:
        one.run()
        torch.cuda.synchronize()
    return sum(event.count for event in profile.key_averages() if "LaunchKernel" in event.key) // steps


def peak_bytes(one: Contestant, device: torch.device) -> int | None:
    """Peak memory of a GPU during a run, beyond what was allocated before; None without one."""
    if device.type != "cuda":
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    one.run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
