"""The measurement from end to end: ways of every kind, controls, the prior alone, figures and page."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.grid import Point
from experiments.photographs.figure import draw_figures
from experiments.photographs.page import Found, write_page
from experiments.photographs.strengths import FILE, rung
from experiments.photographs.studies import NETWORKS, SIZES, Studies
from experiments.photographs.ways import Kind, Way, controls, read_rungs
from experiments.retrieval.__main__ import search
from experiments.running import configuration
from sdg.errors import SDGError

SHOWN = 6
"""Targets in the figures of pictures."""
KINDS: tuple[Kind, ...] = ("prompts", "references", "pairs")


def measure_all(options: argparse.Namespace) -> Path:
    """Draw and measure every way that is asked for; returns the page.

    Raises:
        SDGError: an unknown way, or as the runs do.
    """
    every, rungs = controls(options.arms), read_rungs(options.report / FILE)
    if unknown := sorted(set(options.only or ()) - every.keys()):
        raise SDGError(f"there is no way {unknown[0]}: use {', '.join(every)}")
    if not rungs:
        print(f"no strengths were looked for ({options.report / FILE}): the configured ones are taken")
    size = SIZES[options.part]
    size = size._replace(**{name: getattr(options, name) for name in size._fields})
    studies = Studies(with_networks(options), size)
    points: dict[Kind, dict[str, Point[Way]]] = {kind: {} for kind in KINDS}
    targets: dict[str, Sequence[str]] = {}
    shuffled = None
    for kind in KINDS:
        names = [name for name in options.only or every if every[name].kind == kind]
        if not names:
            continue
        study = studies.study(kind)
        ways = [rung(name, every[name], rungs.get(name, 1.0), options.sample) for name in names]
        found = study.all([way._replace(name=name) for name, way in zip(names, ways, strict=True)])
        points[kind] = dict(zip(names, found, strict=True))
        if kind != "pairs":
            targets |= {key: values[:SHOWN] for key, values in study.aims.items()}
        if kind == "prompts":
            shuffled = studies.shuffled(study, found[0])
    both, seen = (studies.alone(), studies.photographs()), _seen(options)
    words, pictures, pairs = points.values()
    everything = Found(words, shuffled, pictures, pairs, *both, seen)
    draw_figures(everything, targets, options.report)
    return write_page(everything, options.report, options.command)


def with_networks(options: argparse.Namespace) -> argparse.Namespace:
    """The same options with the networks and the judge of photographs among the settings."""
    options.sample = [*NETWORKS, *options.sample]
    options.evaluate = [*judging(options), *options.evaluate]
    return options


def judging(options: argparse.Namespace) -> list[str]:
    """Settings of ``evaluate.py`` that choose the outside judge."""
    return ["judge=faceapi", *([] if options.folder is None else [f"judge.folder='{options.folder}'"])]


def _seen(options: argparse.Namespace) -> tuple[str, list[str]] | None:
    if options.seen is None:
        return None
    encoder = [word for word in options.sample if word.startswith("encoder.")]
    words = ["+experiment=faces64_clip", f"data.root='{options.seen}'", *encoder, *options.train]
    options.report.mkdir(parents=True, exist_ok=True)
    return search(configuration("train", words), options.report / "retrieval.png")
