"""What evaluating a long run takes: ``python -m experiments.scaling.evaluating`` writes ``evaluating.md``.

Runs of toy faces are made up, each picture many times over, and measured by ``evaluate.py`` in a process of
its own: its time and the most memory that it held. Their pages are written, too.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from experiments.command import add_report, command
from experiments.results import save_page
from experiments.running import invocation, launch
from sdg.composition import ROOT
from sdg.data.prompts import read_prompts
from sdg.data.toyfaces import SPLITS, faces
from sdg.errors import SDGError
from sdg.metrics.folder import read_manifest
from sdg.pixels import to_bytes
from sdg.report.page import write_page
from sdg.report.traces import trace_bytes
from sdg.sampling.plan import SamplePlan

FOLDER = Path(__file__).parent
PROMPTS = ROOT / "experiments" / "table1" / "prompts.jsonl"
METRICS = "alignment,drift,retrieval_judge,diversity_judge,vendi_judge,fd_judge_reference,kd_judge,prdc_judge"
_DIFFERENT = 500
"""Faces that there are; a run has each many times."""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    lines = [
        "# Evaluating long runs",
        "",
        f"`{invocation('scaling.evaluating', arguments)}`, on one thread of a CPU ({platform.machine()}, "
        f"{os.cpu_count()} of them, with other work beside this). Runs with traces of {options.steps} steps, "
        f"made up from {_DIFFERENT} toy faces of 64 px, against toyfaces:{options.reference}, by "
        f"`metrics=[{METRICS}]`. Seconds are of the processor; the second evaluation finds what the first "
        "has kept. Memory is the most that the process held; the smallest run stands for what networks and "
        "libraries take.",
        "",
        "| pictures | manifest, MB | seconds | again | memory, MB | pages | largest, kB | seconds to write |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for count in options.pictures:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(row(Path(folder), count, options))
        print(lines[-1], flush=True)
    path = save_page(options.report / "evaluating.md", lines, "experiments.scaling")
    print(f"look at {path}")


def row(folder: Path, count: int, options: argparse.Namespace) -> str:
    """Make one run, and measure what measuring it takes."""
    run = make(folder / "run", count, options.steps)
    begun = time.process_time()
    page = write_page(run, read_manifest(run), "made up")
    paged = time.process_time() - begun
    pages = [path.stat().st_size for path in page.parent.glob("index*.html")]
    seconds, memory = evaluated(run, folder / "cache", options.reference)
    again, _ = evaluated(run, folder / "cache", options.reference)
    size = (run / "manifest.jsonl").stat().st_size
    numbers = [size / 1e6, seconds, again, memory / 1e6, len(pages), max(pages) / 1e3, paged]
    return f"| {count} | " + " | ".join(f"{number:.0f}" for number in numbers) + " |"


def make(folder: Path, count: int, steps: int) -> Path:
    """A finished run of ``count`` samples: unguided ones, and as many for each of 100 prompts."""
    prompts = read_prompts(PROMPTS)[:100]
    plan = SamplePlan(prompts, [], count // (len(prompts) + 1), seed=0, scale=100.0)
    for name in ("samples", "traces"):
        (folder / name).mkdir(parents=True)
    images, _ = faces(0, _numbers(min(_DIFFERENT, count)), 64)
    first = [folder / "samples" / plan[i].file for i in range(len(images))]
    for path, image in zip(first, to_bytes(images), strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    trace = folder / "traces" / "every.safetensors"
    trace.write_bytes(trace_bytes(_trace(steps)))
    with (folder / "manifest.jsonl").open("w", encoding="utf-8") as manifest:
        for number, entry in enumerate(plan):
            # What is seen must differ between prompts and noises, as it does in a run.
            face = first[(7 * number + number // plan.columns) % len(first)]
            picture = folder / "samples" / entry.file
            if number >= len(first):
                os.link(face, picture)
            named = {"file": f"samples/{entry.file}", "trace": f"traces/{trace.name}"}
            record = entry.record() | named | {"scores": {"text": 0.25} if entry.aimed else {}}
            manifest.write(json.dumps(record, ensure_ascii=False) + "\n")
    (folder / "index.html").touch()
    return folder


def evaluated(run: Path, cache: Path, reference: int) -> tuple[float, float]:
    """Seconds of the processor, and bytes of memory, of a process that evaluates a run.

    Raises:
        SDGError: it failed.
    """
    words = [f"samples={run}", f"cache={cache}", f"mentions={PROMPTS}", f"reference=toyfaces:{reference}"]
    line = [sys.executable, str(ROOT / "evaluate.py"), *words, f"metrics=[{METRICS}]", "device=cpu"]
    with (run.parent / "output.txt").open("w+b") as output:
        own = os.environ | {"OMP_NUM_THREADS": "1"}
        child = subprocess.Popen(line, env=own, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        told = output.read().decode().strip().splitlines()
    if child.returncode:
        raise SDGError(f"evaluate.py ended with {child.returncode}: {told[-1]}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("scaling.evaluating", __doc__, laid_out=True)
    parser.add_argument("--pictures", type=int, nargs="+", default=[1010, 10100, 50500], help="of each run")
    parser.add_argument("--steps", type=int, default=1000, help="that the traces tell of")
    parser.add_argument("--reference", type=int, default=5000, help="toy faces to compare with")
    add_report(parser, FOLDER, "table")
    return parser.parse_args(arguments)


def _numbers(count: int) -> Tensor:
    return torch.arange(count) + SPLITS["test"].start + 20_000


def _trace(steps: int) -> dict:
    t = list(range(steps, 0, -1))
    falling = [1 / number for number in range(1, steps + 1)]
    guided = {"t": t, "gradient_rms": falling, "scores": {"text": falling}}
    return {"t": t, "clipped": falling, "guided": guided}


if __name__ == "__main__":
    launch(main)
