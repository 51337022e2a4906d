"""One evaluation: from a folder of samples to ``metrics.json`` and a table."""

import hashlib
import json
import math
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig

import sdg
from sdg.checkpoints import load_weights
from sdg.config import build
from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence, gather
from sdg.metrics.judged import JudgeReader
from sdg.metrics.measure import Measure, Metric
from sdg.metrics.mentions import Mentions


def evaluate(config: DictConfig) -> dict:
    """Measure the samples in ``config.samples``; what ``metrics.json`` in ``config.output_dir`` then holds.

    Raises:
        SDGError: unusable input, or fewer samples than a metric can take.
    """
    if config.samples is None:
        raise SDGError("there is nothing to evaluate: give samples=DIR, the output_dir of a sample.py run")
    mentions = Mentions(config.mentions)
    judge = load_weights(build(config.judge.network), config.judge.checkpoint)
    reader = JudgeReader(judge, config.judge.network.image_size, config.batch_size)
    evidence = gather(config.samples, reader, mentions)
    metrics: dict[str, Metric] = build(config.metrics)
    report = {
        "samples": str(config.samples),
        "mentions": config.mentions and str(config.mentions),
        "command": shlex.join(["python", *sys.argv]),
        "counts": {
            "guided": len(evidence.guided),
            "prompts": len(evidence.prompts),
            "unguided": len(evidence.unguided),
        },
        "judge": {"checkpoint": str(config.judge.checkpoint), "sha256": _digest(config.judge.checkpoint)},
        "versions": {"sdg": sdg.__version__, "torch": torch.__version__},
        "protocols": {name: metric.protocol for name, metric in metrics.items()},
        "measures": {name: _plain(measure) for name, measure in measure_all(metrics, evidence).items()},
    }
    _write(Path(config.output_dir) / "metrics.json", report)
    return report


def measure_all(metrics: Mapping[str, Metric], evidence: Evidence) -> dict[str, Measure]:
    """The measures of every metric, by ``metric/name``.

    Raises:
        SDGError: a metric cannot measure this evidence, or a value is not finite.
    """
    measures = {
        "/".join(filter(None, [key, measure.name])): measure
        for key, metric in metrics.items()
        for measure in metric(evidence)
    }
    if broken := [name for name, measure in measures.items() if not math.isfinite(measure.value)]:
        raise SDGError(f"{broken[0]} is not a finite number: too few or too uniform samples to measure it")
    return measures


def table(report: dict) -> str:
    """The measures of a report in columns, for people."""
    measures, counts = report["measures"], report["counts"]
    width = max(len(name) for name in measures) + 2
    lines = [
        f"{report['samples']}: {counts['guided']} guided samples of {counts['prompts']} prompts, "
        f"{counts['unguided']} unguided",
        f"{'':{width}}{'value':>8}   {'95 % interval':^17}   {'beside':<21}{'n':>6}",
    ]
    for name, measure in measures.items():
        interval = " … ".join(f"{end:.3f}" for end in measure.get("interval", ()))
        beside = ", ".join(f"{value:.3f} {label}" for label, value in measure.get("beside", {}).items())
        lines.append(
            f"{name:{width}}{measure['value']:8.3f}   {interval:^17}   {beside:<21}{measure['count']:>6}"
        )
    return "\n".join(lines)


def _plain(measure: Measure) -> dict:
    plain: dict = {"value": measure.value, "count": measure.count}
    if measure.interval is not None:
        plain["interval"] = list(measure.interval)
    if measure.beside is not None:
        plain["beside"] = dict([measure.beside])
    return plain


def _digest(path: str | Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, report: dict) -> None:
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(
            json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
    except OSError as error:
        raise SDGError(
            f"cannot write to {path.parent} ({error.strerror}): choose another output_dir"
        ) from error
    os.replace(part, path)
