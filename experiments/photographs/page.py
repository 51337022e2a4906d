"""The page of results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.grid import Columns, Point, listed
from experiments.pages import change, head, protocols, table
from experiments.photographs.ways import DIVERSITY, IDENTITY, LAYOUT, PALETTE, Way, kept
from experiments.results import save_page
from experiments.running import seconds_per_image
from sdg.errors import SDGError

Points = Mapping[str, Point[Way]]
STYLE = "stlpips_alex"
_DISTANCE: Columns = {"kd_judge": ("kernel distance to photographs held out", ".4f")}
_DIVERSE: Columns = {DIVERSITY: ("diversity", ".3f"), STYLE: (STYLE, ".3f")}
WORDS: Columns = {
    "alignment/all": ("all right", ".2f"),
    "alignment/sex": ("sex", ".2f"),
    "alignment/age": ("age group", ".2f"),
    "alignment/smile": ("smile", ".2f"),
    "alignment/smile/smiling": ("smiling", ".2f"),
}
PICTURES: Columns = {
    IDENTITY: ("identity", ".3f"),
    "kept/same person": ("same person", ".2f"),
    "kept/attributes": ("attributes kept", ".2f"),
    LAYOUT: ("layout", ".1f"),
    PALETTE: ("palette", ".2f"),
}
WANTED = {"alignment/sex": 0.9, "alignment/age": 0.7, "alignment/smile/smiling": 0.8}
"""What guidance by words should reach."""
WIDE = 0.8
ORDERED = {
    IDENTITY: "identity (less is nearer)",
    "kept/attributes": "attributes kept",
    LAYOUT: "layout (less is nearer)",
    DIVERSITY: "diversity",
    "kd_judge": "distance to photographs (less is nearer)",
}
RIVAL = "ilvr_8"


class Found(NamedTuple):
    """All that one command measured."""

    words: Points
    shuffled: Point[Way] | None
    pictures: Points
    pairs: Points
    alone: Point[Way]
    photographs: Point[Way]
    seen: tuple[str, list[str]] | None
    """Title and table of what fine-tuning buys; None: not asked for."""


def write_page(found: Found, folder: Path, command: str) -> Path:
    """``results.md``"""
    told: dict[str, str] = {}
    for points in (found.words, found.pictures, found.pairs):
        for point in points.values():
            told |= point.report["protocols"]
    told |= found.alone.report["protocols"]
    lines = [
        *head("The method on photographs of faces", command, "The judge is from outside: judge.md."),
        *("![The pictures](pictures.png)", "", "![The numbers](numbers.png)", ""),
        *("Strengths are in multiples of the configured ones, chosen on targets of their own.", ""),
        *_words(found),
        *_pictures(found),
        *_pairs(found),
        *_prior(found),
        *_seen(found),
        *protocols(told),
    ]
    return save_page(folder / "results.md", lines, __package__)


def _words(found: Found) -> list[str]:
    points = [*found.words.values(), *([found.shuffled] if found.shuffled else [])]
    if not points:
        return []
    columns = {**WORDS, **_known(points, _DIVERSE), **_DISTANCE}
    more = {"kept of it": _kept, "gap": _gap, "seconds": _seconds}
    return [
        *("## Words", "", f"{points[0].size}.", ""),
        *listed(["way", "strength"], points, columns, more, beside=True),
        "The gap: how often the guide finds the prompt first, minus the judge. Seconds are of a processor, "
        "for a picture, loading and writing included.",
        "",
        *_reached(points[0]),
    ]


def _reached(point: Point[Way]) -> list[str]:
    """Whether the first way does what words should."""
    rows = [
        [WORDS[name][0], f"{least:g}", _verdict(*point.ends(name), point.value(name), least)]
        for name, least in WANTED.items()
        if name in point.measures
    ]
    share = kept(point)
    before = point.value(DIVERSITY) / share
    low, high = (end / before for end in point.ends(DIVERSITY))
    rows.append(["diversity, of the unguided", f"{WIDE:g}", _verdict(low, high, share, WIDE)])
    return [
        f"What {point.way.control.title} should reach, and do:",
        "",
        *table(["", "at least", "found"], rows),
    ]


def _verdict(low: float, high: float, value: float, least: float) -> str:
    word = "yes" if low >= least else "no" if high < least else "cannot be told"
    return f"{value:.2f} ({low:.2f} … {high:.2f}): {word}"


def _pictures(found: Found) -> list[str]:
    points = [*found.pictures.values()]
    if not points:
        return []
    columns = {**PICTURES, **_known(points, _DIVERSE), **_DISTANCE}
    more = {"kept of it": _kept, "seconds": _seconds}
    lines = ["## Pictures", "", f"{points[0].size}, all held out."]
    lines += ["", *listed(["way", "strength"], points, columns, more, beside=True)]
    if RIVAL in found.pictures and "content" in found.pictures:
        ours, theirs = found.pictures["content"], found.pictures[RIVAL]
        rows = [[words, change(ours.more(theirs, name), "+.4f")] for name, words in ORDERED.items()]
        lines += [f"Content minus {theirs.way.control.title}, sample by sample:", ""]
        lines += table(["", "difference"], rows)
    return lines


def _pairs(found: Found) -> list[str]:
    points = [*found.pairs.values()]
    if not points:
        return []
    columns = {"alignment/all": WORDS["alignment/all"], **PICTURES, **_DISTANCE}
    lines = ["## Words beside a picture", "", f"{points[0].size}.", ""]
    return [*lines, *listed(["way", "strength"], points, columns, {"seconds": _seconds}, beside=True)]


def _prior(found: Found) -> list[str]:
    both = [found.alone, found.photographs]
    columns = {**_known(both, _DIVERSE), "fd_judge_reference": ("Fréchet distance", ".3f"), **_DISTANCE}
    lines = ["## The prior alone", "", "Beside as many of the photographs that it was trained on.", ""]
    lines += [*listed(["pictures", ""], both, columns)]
    shares = {name: m for name, m in found.alone.measures.items() if name.startswith("shares/")}
    own: Columns = {name: (name.removeprefix("shares/"), ".3f") for name in shares}
    rows = [
        [title, found.alone.cells({name: (title, form)})[0], f"{shares[name].beside[1]:.3f}"]  # type: ignore[index]
        for name, (title, form) in own.items()
    ]
    return [*lines, *table(["value", "prior", "photographs held out"], rows)]


def _seen(found: Found) -> list[str]:
    if found.seen is None:
        return []
    title, cells = found.seen
    return ["## What fine-tuning buys", "", "![The curve](retrieval.png)", "", f"{title}.", "", *cells]


def _known(points: Sequence[Point[Way]], columns: Columns) -> Columns:
    """Those that were measured."""
    return {name: told for name, told in columns.items() if name in points[0].measures}


def _kept(point: Point[Way]) -> str:
    return f"{kept(point):.2f}"


def _gap(point: Point[Way]) -> str:
    measure = point.measures.get(f"gap_{point.way.control.guide}/top_1")
    return "–" if measure is None else change(measure, "+.2f")


def _seconds(point: Point[Way]) -> str:
    """The mean over the runs that the point is made of; its own folder has links alone."""
    if point.way.name == "shuffled":
        return "–"
    parts = (point.folder.parent / "parts").glob(f"{point.folder.name}_[0-9]*")
    times = [time for part in parts if (time := seconds_per_image(part, "cpu")) is not None]
    if not times:
        raise SDGError(f"{point.folder} was not timed: remove it, and draw it again")
    return f"{sum(times) / len(times):.2f}"
