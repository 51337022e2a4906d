"""What a page's charts are drawn from, and the library that draws them, which lies beside the page."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from sdg.files import whole_file

Number = TypeVar("Number", int, float)
Chart = dict[str, Any]
"""Names of its axes (``x``, ``y``), its ``lines`` (name, x, y), maybe a ``title`` and ``dots``."""

_SCRIPTS = ("bokeh.min.js", "bokeh-api.min.js")
_T = "t (noise on the right)"
_POINTS = 100
"""Most points of a line: a chart is not much wider in pixels, and a page has many."""


def write_library(folder: Path) -> None:
    """Put BokehJS beside the page in ``folder``, unless it is there: one file, and nothing to fetch."""
    spec = find_spec("bokeh")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    scripts = Path(spec.submodule_search_locations[0]) / "server" / "static" / "js"
    file, parts = folder / "charts.js", [scripts / name for name in _SCRIPTS]
    if file.exists() and file.stat().st_size == sum(part.stat().st_size + 1 for part in parts):
        return
    with whole_file(file) as library:
        for part in parts:
            library.write(part.read_bytes() + b"\n")


def step_charts(records: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """How samples came about: their scores, gradients, clipped shares or losses, a line for each sample."""
    traced = [(f"{r['seed']}.{r['index']}", r["trace"]) for r in records if r.get("trace")]
    guided = [(name, trace, trace["guided"]) for name, trace in traced if trace.get("guided")]
    charts = []
    if guided:
        for term in guided[0][2]["scores"]:
            scores = [(name, told.get("t"), told["scores"][term]) for name, _, told in guided]
            charts.append(_chart(f"score {term}", scores))
        sizes = [(name, told.get("t"), told["gradient_rms"]) for name, _, told in guided]
        clipped = [(name, trace.get("t"), trace["clipped"]) for name, trace, _ in guided]
        charts += [_chart("gradient rms", sizes), _chart("clipped", clipped)]
    if losses := [(name, None, trace["loss"]) for name, trace in traced if trace.get("loss")]:
        charts.append(_chart("loss", losses))
    return charts


def _chart(measure: str, lines: Sequence[tuple[str, Sequence[int] | None, Sequence[float]]]) -> Chart:
    """Lines against the timestep or, where there is none, against the number of the step."""
    drawn = []
    for name, t, values in lines:
        x = range(1, len(values) + 1) if t is None else t
        y = [float(f"{value:.4g}") for value in values]
        drawn.append({"name": name, "x": _thinned(x), "y": _thinned(y)})
    return {"x": "step" if lines[0][1] is None else _T, "y": measure, "lines": drawn}


def _thinned(values: Sequence[Number]) -> list[Number]:
    """At most ``_POINTS`` of the values, at even distances, the first and the last among them."""
    if len(values) <= _POINTS:
        return list(values)
    return [values[round(i * (len(values) - 1) / (_POINTS - 1))] for i in range(_POINTS)]
