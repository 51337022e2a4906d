"""Where the time of a step goes, operator by operator."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch.autograd import DeviceType

from experiments.benchmark.contest import BY_TEXT, OURS, STEP, Contestant
from experiments.results import save_page

ROWS = 12
"""Operators that are shown; the others share one line."""


class Share(NamedTuple):
    """One operator by itself, without those that it calls."""

    operator: str
    share: float
    """Of the total time."""
    calls: float
    """Per step."""


def profile(one: Contestant, steps: int) -> list[Share]:
    """The operators of a run, the longest first, by time on the GPU if it runs there."""
    one.run()  # warms up
    with torch.profiler.profile() as recorded:
        one.run()
    events = [event for event in recorded.key_averages() if event.device_type == DeviceType.CPU]
    on_device = {event.key: event.self_device_time_total for event in events}
    times = on_device if any(on_device.values()) else {e.key: e.self_cpu_time_total for e in events}
    total = sum(times.values())
    shares = [Share(event.key, times[event.key] / total, event.count / steps) for event in events]
    return sorted(shares, key=lambda share: share.share, reverse=True)


def write_profile(found: Sequence[Contestant], steps: int, about: str, file: Path) -> None:
    """Tables for our unguided step and our step guided by text, each plain and in channels_last.

    Args:
        about: what ran, on which machine.
    """
    lines = ["# Where the time of a step goes", "", about]
    for one in found:
        if one.name in (OURS, f"{OURS}, channels_last") and one.group in (STEP, BY_TEXT):
            lines += ["", f"## {one.group}: {one.name}", "", *_table(profile(one, steps))]
    file.parent.mkdir(parents=True, exist_ok=True)
    save_page(file, lines, __package__)


def _table(shares: list[Share]) -> list[str]:
    lines = ["| operator | of the time | calls in a step |", "|---|---:|---:|"]
    shown, rest = shares[:ROWS], shares[ROWS:]
    if rest:
        others = Share(f"{len(rest)} others", sum(s.share for s in rest), sum(s.calls for s in rest))
        shown = [*shown, others]
    return lines + [f"| {name} | {100 * share:.1f} % | {calls:.0f} |" for name, share, calls in shown]
