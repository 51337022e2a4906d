"""The project's targets, beside what the reports on file say about them."""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from experiments.benchmark.contest import BY_TEXT, HALF, OURS, QUICK, STEP, UNET
from experiments.benchmark.grown import GROWTHS, guided_of, one_of_four
from experiments.benchmark.report import Report, arithmetic, relative
from experiments.benchmark.rival import AZULA
from experiments.results import save_lines

CPU, GPU = "CPU", "GPU"
FFHQ = "python -m experiments.benchmark --model ffhq --batch 1 --steps 2 --rounds 3 --distance 0 --compile"
"""Makes ``ffhq_b1``, in half an hour on a CPU."""
WAYS = (OURS, *(f"{OURS}, {way}" for way in QUICK if way != HALF))
"""Our ways that have the same precision as their rivals."""

Found = tuple[float, str]
"""A number, and which of our ways reached it."""


class Target(NamedTuple):
    """One number of one report."""

    what: str
    find: Callable[[Report], Found | None]
    """Gives None if the report lacks it."""
    kind: str
    file: str
    limit: float
    least: bool = True
    """Whether the number has to reach the limit; else it must not exceed it."""


def guided(report: Report) -> Found:
    """Time of a step guided by text relative to unguided, for our way that guides fastest."""
    rows = _rows(report)
    way = _fastest(report, BY_TEXT)
    return relative(rows[BY_TEXT, way], rows[STEP, way])[0], way


def grown(model: str, find: Callable[..., tuple[float, float, float]]) -> Callable[[Report], Found | None]:
    """A number of the usual chain of a model in ``growth.json``."""

    def found(report: Report) -> Found | None:
        growth = GROWTHS[model]
        way = f"{OURS}, channels_last" if growth.channels_last else OURS
        return (find(report[model]["times"], growth.usual)[0], way) if model in report else None

    return found


def against(group: str, rival: str, way: str | None = None) -> Callable[[Report], Found | None]:
    """How many times as fast as ``rival`` our ``way`` is, by default our fastest."""

    def find(report: Report) -> Found | None:
        rows, ours = _rows(report), way or _fastest(report, group)
        if (group, rival) not in rows or (group, ours) not in rows:
            return None
        return relative(rows[group, rival], rows[group, ours])[0], ours

    return find


def of_the_peak(report: Report) -> Found:
    """Share of the convolution's peak that our UNet reaches."""
    rows, way = _rows(report), _fastest(report, UNET)
    peak = max(each["gflop_per_second"] for each in report["peaks"] if each["name"] == "convolution")
    return 1000 * arithmetic(report)[UNET, way] / statistics.median(rows[UNET, way]) / peak, way


def waits(report: Report) -> Found:
    """Copies and reads that the host waits for, in the worst of our steps."""
    ours = [row for row in report["rows"] if row["name"] == OURS]
    return max(row["copies"] + row["reads"] for row in ours), OURS


def distance(report: Report) -> Found | None:
    """Speed of our Fréchet distance relative to scipy's; the slower of two runs."""
    times = (report["distance"] or {}).get("milliseconds")
    return (times["scipy"][0] / max(times["sdg"]), OURS) if times else None


_GUIDED = "guided by text, in times of unguided: "
_DIFFUSERS = "UNet, in times of diffusers' speed"
_PEAK = "UNet, share of the convolution's peak: FFHQ"
_RELEASED = "guided step, in times of the speed as released: "
_RELEASE = against(BY_TEXT, f"as released, {AZULA}'s UNet")
_IN_HALF = against(BY_TEXT, "as released", f"{OURS}, {HALF}")
_ONE = "one guided picture, in times of four"
_GROWTH = "growth"
_WAITS = "copies and numbers that the host waits for in a step"
_FFHQ, _LSUN, _LSUN_1 = "ffhq_bfloat16_b8_cuda", "lsun_bfloat16_b8_cuda", "lsun_bfloat16_b1_cuda"
TARGETS = (
    Target(_GUIDED + "FFHQ, RN50x16", grown("ffhq", guided_of), CPU, _GROWTH, 1.40, least=False),
    Target(_GUIDED + "FFHQ, RN50x16, 8 pictures", guided, GPU, _FFHQ, 1.55, least=False),
    Target(_GUIDED + "LSUN, RN50x16, 8 pictures", guided, GPU, _LSUN, 1.12, least=False),
    Target(_GUIDED + "LSUN, RN50x16, 1 picture", guided, GPU, _LSUN_1, 1.25, least=False),
    Target(_DIFFUSERS + ": FFHQ", against(UNET, "diffusers"), CPU, "ffhq_b1", 1.2),
    Target(_DIFFUSERS + ", compiled: FFHQ", against(UNET, "diffusers, compiled"), CPU, "ffhq_b1", 1.3),
    Target(_DIFFUSERS + ": LSUN", against(UNET, "diffusers"), GPU, _LSUN, 1.3),
    Target(_DIFFUSERS + ", compiled: LSUN", against(UNET, "diffusers, compiled"), GPU, _LSUN, 0.97),
    Target(_RELEASED + "FFHQ", against(BY_TEXT, "as released"), CPU, "ffhq_b1", 1.4),
    Target(_RELEASED + "toyfaces", against(BY_TEXT, "as released"), CPU, "toyfaces", 1.4),
    Target(_RELEASED + "FFHQ, with its UNet", _RELEASE, CPU, "ffhq_b1", 1.4),
    Target(_RELEASED + "toyfaces, with its UNet", _RELEASE, CPU, "toyfaces", 1.4),
    Target(_RELEASED + "FFHQ, ours in bfloat16", _IN_HALF, CPU, "ffhq_b1", 1.4),
    Target(_RELEASED + "toyfaces, ours in bfloat16", _IN_HALF, CPU, "toyfaces", 1.4),
    Target(_RELEASED + "LSUN, 8 pictures", against(BY_TEXT, "as released"), GPU, _LSUN, 1.8),
    Target(_RELEASED + "LSUN, 1 picture", against(BY_TEXT, "as released"), GPU, _LSUN_1, 3.0),
    Target(_PEAK, of_the_peak, CPU, "ffhq_b1", 0.45),
    Target(_PEAK, of_the_peak, GPU, _FFHQ, 0.75),
    Target(_WAITS, waits, CPU, "toyfaces", 0, least=False),
    Target(_WAITS, waits, GPU, _FFHQ, 0, least=False),
    Target(_ONE + ": FFHQ", grown("ffhq", one_of_four), CPU, _GROWTH, 0.3, least=False),
    Target("Fréchet distance of 2048 features, in times of scipy's speed", distance, CPU, "toyfaces", 5),
)


def write_targets(folder: Path) -> None:
    """``targets.md``, from the reports in ``folder``."""
    reports = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
    lines = [
        "# Targets, and what was measured",
        "",
        "Made anew by every run of the benchmark, from the reports beside this file. Of our ways to compute "
        "a step (plain, channels_last, compiled) the fastest of a report counts; bfloat16 "
        "has lines of its own. As released is a loop with the release's habits around our networks; with "
        "its UNet, around that of the release.",
        "",
        "- `make bench` makes the report toyfaces;",
        f"- `{FFHQ}` makes ffhq_b1;",
        "- `python -m experiments.benchmark.growth --model ffhq` makes growth;",
        "- `make bench-gpu` makes all of the GPU's in one call; where none is on file, no GPU was at hand;",
        "- graphs compiled anew after the first step (wanted: 0) are counted by "
        "`tests/performance/test_loop.py`;",
        "- the alignment of 100 steps of ddpm in 20 or fewer (wanted) is `experiments/few_steps`'s: reached.",
        "",
        "| | on | wanted | found | by | in |",
        "|---|---|---:|---:|---|---|",
        *_lines(reports),
        "",
    ]
    save_lines(folder / "targets.md", lines, None)


def _lines(reports: Mapping[str, Report]) -> Iterator[str]:
    for what, find, kind, file, limit, least in TARGETS:
        wanted = f"{'≥' if least else '≤'} {limit:g}"
        found = find(reports[file]) if file in reports else None
        if found is None:
            cells = "not measured here | | "
        else:
            number, way = found
            met = number >= limit if least else number <= limit
            cells = f"{number:.2f}, {'met' if met else '**missed**'} | {way} | {file}"
        yield f"| {what} | {kind} | {wanted} | {cells} |"


def _rows(report: Report) -> dict[tuple[str, str], list[float]]:
    return {(row["group"], row["name"]): row["milliseconds"] for row in report["rows"]}


def _fastest(report: Report, group: str) -> str:
    rows = _rows(report)
    return min(
        (way for way in WAYS if (group, way) in rows), key=lambda way: statistics.median(rows[group, way])
    )
