"""The table as Markdown, CSV and LaTeX, with the paper's numbers beside, and a verdict on each claim."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments import pages
from experiments.table1.claims import Verdict
from experiments.table1.measuring import Result
from experiments.table1.rows import PAPER
from experiments.table1.worlds import World
from sdg.metrics.measure import Measure


class Column(NamedTuple):
    """How a measure is shown."""

    key: str
    title: str
    digits: int
    paper: str = ""
    """Name of the paper's measure."""


def columns(world: World) -> list[Column]:
    """The columns of a world; a distance on features other than Inception's is not called FID."""
    return [
        Column("distance", f"{world.distance} ↓", 2, "FID"),
        Column("diversity", f"{world.diversity} ↑", 3, "LPIPS"),
        *(Column(f"top_{k}", f"top-{k} ↑", 3, f"top-{k}") for k in (1, 5, 10, 20)),
        *([Column("attributes", "attributes right ↑", 3)] if world.judged else []),
        Column("gap", "adversarial gap", 3),
        Column("seconds", "seconds per image", 2),
    ]


def text(column: Column, measure: Measure | None) -> str:
    """A number with its interval."""
    if measure is None:
        return "–"
    value = f"{measure.value:.{column.digits}f}"
    if measure.interval is None or measure.interval[0] == measure.interval[1]:
        return value
    return f"{value} ({' … '.join(f'{end:.{column.digits}f}' for end in measure.interval)})"


def markdown(results: Sequence[Result], world: World) -> list[str]:
    """A line for each row; the last columns have the paper's numbers, by its own protocols."""
    shown, published = columns(world), [column for column in columns(world) if column.paper]
    titles = ["", *(c.title for c in shown), *(f"paper: {c.paper}" for c in published)]
    rows = []
    for row, _, values, *_ in results:
        own = [text(column, values[column.key]) for column in shown]
        rows.append([row.title, *own, *(_published(row.paper, c) for c in published)])
    return pages.table(titles, rows)[:-1]


def as_csv(results: Sequence[Result], world: World) -> str:
    """A line for each number: row, measure, value, ends of the interval, count, the paper's number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "measure", "value", "low", "high", "n", "paper", "paper's measure"])
    for row, folder, values, *_ in results:
        for column in columns(world):
            measure, paper = values[column.key], row.paper.get(column.key, "")
            title = column.title.rstrip(" ↑↓")
            if measure is not None:
                ends = measure.interval or ("", "")
                numbers = [measure.value, *ends, measure.count or ""]
                writer.writerow([folder.name, title, *numbers, paper, column.paper if paper else ""])
    return out.getvalue()


def latex(results: Sequence[Result], world: World) -> str:
    """For ``booktabs``; the paper's numbers are in a separate grey line below ours."""
    shown = columns(world)
    arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    heads = [escape(column.title) for column in shown]
    for arrow, command in arrows.items():
        heads = [head.replace(arrow, command) for head in heads]
    lines = [
        r"% \usepackage{booktabs,xcolor}; grey: FID, LPIPS and retrieval of the paper, by its protocols",
        rf"\begin{{tabular}}{{l{'r' * len(shown)}}}",
        r"\toprule",
        " & ".join(["", *heads]) + r" \\",
        r"\midrule",
    ]
    for row, _, values, *_ in results:
        lines.append(" & ".join([escape(row.title), *(_tex(c, values[c.key]) for c in shown)]) + r" \\")
        if row.paper:
            grey = [rf"\textcolor{{gray}}{{{_published(row.paper, c)}}}" for c in shown]
            lines.append(" & ".join([rf"\textcolor{{gray}}{{\quad {PAPER}}}", *grey]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def verdicts(found: Sequence[Verdict]) -> list[str]:
    """A line for each claim."""
    return [f"- {verdict.claim.text}: **{verdict.word}** ({reasons(verdict)})." for verdict in found]


def reasons(verdict: Verdict) -> str:
    """What speaks for a verdict."""
    apart = verdict.difference
    shown = "" if apart is None else f"{verdict.claim.column}: difference {_apart(apart)}"
    return "; ".join(filter(None, [verdict.why, shown]))


def protocols(results: Sequence[Result]) -> dict[str, str]:
    """Metric -> its protocol, for all rows."""
    told: dict[str, str] = {}
    for result in results:
        told |= {name: words for name, words in result.protocols.items() if name != "by_guide"}
    return told


def escape(words: str) -> str:
    """Text escaped for LaTeX."""
    special: Mapping[str, str] = {c: f"\\{c}" for c in "&%$#_{}"}
    return "".join(special.get(character, character) for character in words)


def _published(paper: Mapping[str, float], column: Column) -> str:
    return f"{paper[column.key]:.{column.digits}f}" if column.key in paper else ""


def _tex(column: Column, measure: Measure | None) -> str:
    value, _, interval = text(column, measure).partition(" (")
    return (
        f"{value} {{\\scriptsize ({interval.replace(' … ', '--')}}}" if interval else value.replace("–", "--")
    )


def _apart(measure: Measure) -> str:
    return text(Column("", "", 3), measure)
