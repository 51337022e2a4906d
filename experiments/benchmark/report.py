"""What the benchmark writes for readers: tables and a figure."""

import json
import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from experiments.benchmark.contest import GROUPS, HALF, OURS
from experiments.results import save_lines

INK, FAINT, MINE, OTHER = "#24242a", "#7d7d88", "#c2452d", "#9cc7e6"
Report = dict[str, Any]
"""Contents of the JSON file."""


def relative(own: list[float], base: list[float]) -> tuple[float, float, float]:
    """Median, minimum and maximum of the ratios, round by round: a slow round slows down both."""
    ratios = [mine / other for mine, other in zip(own, base, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def arithmetic(report: Report) -> dict[tuple[str, str], float]:
    """GFLOP of every row; compiled rows cannot be counted, but compute the same as channels_last."""
    counted = {(row["group"], row["name"]): row["gflop"] for row in report["rows"]}
    uncompiled = {key: (key[0], key[1].replace("compiled", "channels_last")) for key in counted}
    return {key: counted[uncompiled[key]] for key in counted}


def write_report(report: Report, folder: Path) -> Path:
    """The three files of a report; returns the one to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / report["name"]
    file.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    draw_bars(report, file.with_suffix(".svg"))
    write_tables(report, file.with_suffix(".md"))
    return file.with_suffix(".md")


def write_tables(report: Report, file: Path) -> None:
    """``<name>.md``: a table for each group, and what guidance costs."""
    size = f"{report['size']}-px pictures" if report["size"] else "pictures of its own size"
    speeds = {kind: _best(report, kind) for kind in ("convolution", "matmul")}
    lines = [
        f"# Benchmark of {report['model']}",
        "",
        f"`{report['command']}`, on {report['machine']}, with sdg {report['sdg']} and torch "
        f"{report['torch'].split('+')[0]}, {report['dtype']}: {size}, {report['batch']} at a time, "
        f"{report['rounds']} rounds of {report['steps']} steps.",
        "",
        f"![Times, in those of sdg]({report['name']}.svg)",
        "",
        "Times are in those of sdg in the same round: the median of the rounds, least and most. Peaks are "
        "the fastest 3×3 convolution and matrix product of the same run. GFLOP, operators (views left out), "
        "copies that a GPU's host would wait for and numbers that it would read (waits) are of one step, MB "
        "the most that lay there beyond weights; all five counted on tensors without numbers (on a GPU, MB "
        "measured). "
        "What this says of the project's targets is in [targets.md](targets.md).",
    ]
    for group in GROUPS:
        lines += ["", f"## {group}", "", *_table(report, group, speeds)]
    lines += ["", "## Guided, in times of unguided", "", *_ratios(report), ""]
    if report["distance"]:
        lines += ["## Fréchet distance", "", _distance(report["distance"]), ""]
    save_lines(file, lines, report.get("made"))


def _table(report: Report, group: str, speeds: dict[str, float]) -> list[str]:
    rows = {row["name"]: row for row in report["rows"] if row["group"] == group}
    gpu, work = report["gpu"], arithmetic(report)
    titles = ["", *(["ms"] if gpu else []), "time", "of the convolution's peak", "of the matrix product's"]
    titles += ["GFLOP", "operators", *(["kernels"] if gpu else []), "copies", "waits", "MB"]
    lines = ["| " + " | ".join(titles) + " |", "|---|" + "---:|" * (len(titles) - 1)]
    for name, row in rows.items():
        middle, least, most = relative(row["milliseconds"], rows[OURS]["milliseconds"])
        typical = statistics.median(row["milliseconds"])
        time = "1" if name == OURS else f"{middle:.2f} ({least:.2f} … {most:.2f})"
        gflop = work[group, name]
        rates = [f"{1000 * gflop / typical / speed:.2f}" for speed in speeds.values()]
        if HALF in name:  # the peaks are those of float32
            rates = ["" for _ in rates]
        keys = ("operators", *(["kernels"] if gpu else []), "copies", "reads")
        counted = [_number(row[key]) for key in keys]
        cells = [name, *([f"{typical:.2f}"] if gpu else []), time, *rates, f"{gflop:.1f}", *counted]
        lines.append(f"| {' | '.join(cells)} | {_number(row['peak_megabytes'])} |")
    return lines


def _ratios(report: Report) -> list[str]:
    """What guidance costs each way, in time and in arithmetic."""
    rows, work = {(row["group"], row["name"]): row for row in report["rows"]}, arithmetic(report)
    _, plain, *guided = GROUPS
    lines = ["| | guided by | time | arithmetic |", "|---|---|---:|---:|"]
    for group in guided:
        for name in (name for kind, name in rows if kind == group):
            own, base = (group, name), (plain, name if (plain, name) in rows else OURS)
            middle, least, most = relative(rows[own]["milliseconds"], rows[base]["milliseconds"])
            kind = group.removeprefix("step guided by ")
            time = f"{middle:.2f} ({least:.2f} … {most:.2f})"
            lines.append(f"| {name} | {kind} | {time} | {work[own] / work[base]:.2f} |")
    return lines


def _distance(found: dict[str, Any]) -> str:
    own, other = found["milliseconds"]["sdg"], found["milliseconds"]["scipy"]
    ratios = [milliseconds / other[0] for milliseconds in own]
    return (
        f"Of {found['width']} features, once their sums are known: {1 / max(ratios):.1f} to "
        f"{1 / min(ratios):.1f} times as fast as with scipy's matrix square root; the values lie "
        f"{found['apart']:.0e} of themselves apart."
    )


def draw_bars(report: Report, file: Path) -> None:
    """``<name>.svg``: the time of each, relative to ours of the same group."""
    with mpl.rc_context({"font.size": 8.5, "text.color": INK, "svg.hashsalt": "sdg", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 1.6 + 0.2 * len(report["rows"])), layout="constrained")
        counts = [sum(row["group"] == group for row in report["rows"]) for group in GROUPS]
        for axes, group in zip(figure.subplots(4, 1, sharex=True, height_ratios=counts), GROUPS, strict=True):
            rows = {row["name"]: row["milliseconds"] for row in report["rows"] if row["group"] == group}
            found = [relative(times, rows[OURS]) for times in rows.values()]
            middles = [middle for middle, *_ in found]
            spread = [[m - low for m, low, _ in found], [high - m for m, _, high in found]]
            colors = [MINE if name.startswith(OURS + ",") or name == OURS else OTHER for name in rows]
            axes.barh(list(rows), middles, 0.7, xerr=spread, color=colors, ecolor=FAINT)
            for height, (middle, color) in enumerate(zip(middles, colors, strict=True)):
                ink = "white" if color == MINE else INK
                axes.text(0.02, height, f"{middle:.2f}", va="center", color=ink)
            axes.invert_yaxis()
            axes.set_title(group, loc="left", fontsize=9, fontweight="bold", color=INK)
            axes.axvline(1, color=FAINT, linewidth=0.8, linestyle=(0, (3, 2)))
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(colors=INK, left=False)
        axes.set_xlabel("time, relative to sdg's", color=INK)
        figure.savefig(file, metadata={"Date": None})


def _best(report: Report, kind: str) -> float:
    return max(peak["gflop_per_second"] for peak in report["peaks"] if peak["name"] == kind)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
