"""One evaluation: from a folder of samples to ``metrics.json`` and a table."""

import json
import math
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import torch
from hydra.errors import InstantiationException
from omegaconf import DictConfig

import sdg
from sdg.checkpoints.places import cache_folder
from sdg.config import build
from sdg.errors import SDGError
from sdg.files import file_hash, write_whole
from sdg.locks import locked_folder
from sdg.metrics.evidence import Evidence
from sdg.metrics.extractor import Extractor
from sdg.metrics.judge_features import OUTPUTS, JudgeOutputs
from sdg.metrics.judged import JudgeReader
from sdg.metrics.judges import JudgeSource
from sdg.metrics.measure import Measure, Metric
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import FolderPictures, Pictures, Squares, open_reference, open_samples
from sdg.metrics.reader import FeatureReader

_SHOWN = 12
"""Digits of a hash shown to people."""
_LIBRARIES = ("torchvision", "torchmetrics", "torch-fidelity", "open_clip_torch", "pillow")


class Evaluation(NamedTuple):
    """The result of one evaluation."""

    report: dict
    """What is written to ``metrics.json``."""
    measures: dict[str, Measure]
    failed: dict[str, str]
    """Metric -> why it could not measure these samples."""

    def whole(self) -> "Evaluation":
        """Itself; raises SDGError if a metric has failed."""
        if self.failed:
            raise SDGError(next(iter(self.failed.values())))
        return self


def evaluate(config: DictConfig) -> Evaluation:
    """Measure ``config.samples``, and write ``metrics.json`` in ``config.output_dir``.

    A metric that cannot measure these samples does not take the others with it.

    Raises:
        SDGError: unusable input, or no metric could measure it.
    """
    if not config.metrics:
        raise SDGError("metrics=[] measures nothing: name some, as in metrics=[score]")
    metrics: dict[str, Metric] = build(config.metrics)
    evidence = gather(config)
    with locked_folder(config.output_dir):
        return _measure(config, metrics, evidence)


def _measure(config: DictConfig, metrics: Mapping[str, Metric], evidence: Evidence) -> Evaluation:
    measures, failed = measure_all(metrics, evidence)
    if not measures:
        raise SDGError(next(iter(failed.values())))
    report = {
        "samples": str(config.samples),
        "reference": config.reference,
        "mentions": config.mentions and str(config.mentions),
        "command": shlex.join(["python", *sys.argv]),
        "counts": _counts(evidence),
        "versions": _versions(),
        "protocols": {
            name: protocol_of(metric, evidence) for name, metric in metrics.items() if name not in failed
        },
        "measures": {name: _plain(measure) for name, measure in measures.items()},
    }
    if evidence.judged:
        source = judge_source(config)
        report["judge"] = {"checkpoint": str(source.place), "sha256": source.digest()}
    if failed:
        report["failed"] = failed
    _write(Path(config.output_dir) / "metrics.json", report)
    return Evaluation(report, measures, failed)


def gather(config: DictConfig) -> Evidence:
    """The samples of ``config`` and what they are measured with; no network is loaded yet.

    Raises:
        SDGError: samples, reference or mentions cannot be used.
    """
    mentions = Mentions(config.mentions, judge_source(config).attributes)
    samples = open_samples(config.samples)
    cache = cache_folder() / "statistics" if config.cache is None else Path(config.cache)
    reference: Pictures | Path | None = None
    if str(config.reference).endswith(".safetensors"):
        reference = Path(config.reference)
    elif config.reference is not None:
        reference = open_reference(config.reference, samples.size, config.preparation, cache)
        if isinstance(reference, FolderPictures | Squares):
            # A picture that samples aim at would be near them for that alone.
            aims = {path for record in samples.records if (path := record.get("reference")) is not None}
            reference = reference.without(aims) if aims else reference
    extractors: dict[str, Callable[[], Extractor]] = {
        name: partial(build_extractor, node) for name, node in (config.features or {}).items()
    }
    extractors[OUTPUTS] = partial(JudgeOutputs, judge_source(config))
    reader = FeatureReader(extractors, cache, _device(config.device))
    return Evidence(samples, mentions, partial(load_judge, config), reader, reference)


def measure_all(
    metrics: Mapping[str, Metric], evidence: Evidence
) -> tuple[dict[str, Measure], dict[str, str]]:
    """The measures of every metric, keyed ``metric/name``, and why others cannot measure this evidence."""
    measures, failed = dict[str, Measure](), dict[str, str]()
    for key, metric in metrics.items():
        try:
            found = {"/".join(filter(None, [key, each.name])): each for each in metric(evidence)}
            if broken := [name for name, each in found.items() if not math.isfinite(each.value)]:
                raise SDGError(
                    f"{broken[0]} is not a finite number: too few or too uniform samples to measure it"
                )
        except SDGError as error:
            failed[key] = str(error)
        else:
            measures |= found
    return measures, failed


def protocol_of(metric: Metric, evidence: Evidence) -> str:
    """A metric's protocol and all else its numbers depend on: features, their weights, the reference."""
    parts = [metric.protocol]
    if getattr(metric, "judges", False) and (judge := evidence.judge.protocol):
        parts.append(f"judge: {judge}")
    for name in getattr(metric, "features", ()):
        extractor = evidence.features.extractor(name)
        parts.append(f"{name}: {extractor.protocol}, weights {extractor.weights[:_SHOWN]}")
    if getattr(metric, "compares", False):
        reference = evidence.reference
        if isinstance(reference, Pictures):
            digest = evidence.features.digest(reference)[:_SHOWN]
            parts.append(f"reference: {len(reference)} pictures of {reference.source}, {digest}")
        elif reference is not None:
            parts.append(f"reference: statistics {file_hash(reference)[:_SHOWN]}")
    return "; ".join(parts)


def table(report: dict) -> str:
    """The measures of a report as a plain-text table."""
    measures, counts = report["measures"], report["counts"]
    width = max(len(name) for name in measures) + 2
    what = f"{counts['pictures']} pictures"
    if "guided" in counts:
        of = "prompts" if counts["prompts"] else "targets"
        what = f"{counts['guided']} guided samples of {counts[of]} {of}, {counts['unguided']} unguided"
    lines = [
        f"{report['samples']}: {what}",
        f"{'':{width}}{'value':>9}   {'95 % interval':^19}   {'beside':<21}{'n':>6}",
    ]
    for name, measure in measures.items():
        interval = " … ".join(f"{end:.3g}" for end in measure.get("interval", ()))
        beside = ", ".join(f"{value:.3g} {label}" for label, value in measure.get("beside", {}).items())
        lines.append(
            f"{name:{width}}{measure['value']:9.4g}   {interval:^19}   {beside:<21}{measure['count']:>6}"
        )
    without = {measure["no interval"]: None for measure in measures.values() if "no interval" in measure}
    lines += [f"where there is no interval: {why}" for why in without]
    return "\n".join(lines)


def load_judge(config: DictConfig) -> JudgeReader:
    """The judge of an ``evaluate.py`` configuration, on its device.

    Raises:
        SDGError: the weights are missing or do not fit, or the device is not available.
    """
    source = judge_source(config)
    judge, protocol = source.load(), f"{source.name}, weights {source.digest()[:_SHOWN]}"
    device = _device(config.device)
    values = source.attributes, source.nuisances
    return JudgeReader(judge, source.size, config.batch_size, device, *values, protocol)


def build_extractor(node: DictConfig) -> Extractor:
    """An extractor; raises its own SDGError, so that metrics on others are still measured."""
    try:
        extractor: Extractor = build(node)
    except InstantiationException as error:
        if isinstance(error.__cause__, SDGError):
            raise error.__cause__ from error
        raise
    return extractor


def judge_source(config: DictConfig) -> JudgeSource:
    """The judge of an ``evaluate.py`` configuration, not loaded."""
    source: JudgeSource = build(config.judge.source)
    return source


def _device(name: str | None) -> torch.device:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SDGError(f"device={name} is not there: use cpu, or cuda on a machine with a GPU") from error
    return device


def _counts(evidence: Evidence) -> dict[str, int]:
    counts = {"pictures": len(evidence.samples)}
    if evidence.samples.records:
        counts |= {
            "guided": sum(map(len, evidence.targets.values())),
            "targets": len(evidence.targets),
            "prompts": len({prompt for prompt, _ in evidence.targets} - {None}),
            "unguided": len(evidence.unguided_rows),
        }
    if isinstance(evidence.reference, Pictures):
        counts["reference"] = len(evidence.reference)
    return counts


def _versions() -> dict[str, str]:
    """Versions of everything installed that the numbers depend on."""
    versions = {"sdg": sdg.__version__, "torch": torch.__version__}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # an extra
            continue
    return versions


def _plain(measure: Measure) -> dict:
    plain: dict = {"value": measure.value, "count": measure.count}
    if measure.interval is not None:
        plain["interval"] = list(measure.interval)
        plain["over"] = measure.over
    elif measure.unknown:
        plain["no interval"] = measure.unknown
    if measure.beside is not None:
        plain["beside"] = dict([measure.beside])
    return plain


def _write(path: Path, report: dict) -> None:
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise SDGError(
            f"cannot write to {path.parent} ({error.strerror}): choose another output_dir"
        ) from error
