"""What a second process adds: ``python -m experiments.scaling`` (see ``--help``).

Runs sampling and training on toyfaces with one process and with two, each bound to its own core, and computes
rates from the times at which pictures were written and steps ended. Start-up is left out.
"""

import argparse
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, add_settings, command
from experiments.results import save_page
from experiments.running import invocation, launch
from experiments.scaling.processes import bind, run_processes
from experiments.scaling.rates import sampling_rate, training_rate
from sdg.errors import SDGError

FOLDER = Path(__file__).parent
BATCH = 4
"""Pictures that a process draws at a time."""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if options.pictures < 2 * BATCH or options.steps < 3:
        raise SDGError(f"there is no rate to measure: use --pictures from {2 * BATCH} and --steps from 3")
    cores = bind(max(options.processes))
    rates: dict[str, list[float]] = {"sampling": [], "training": []}
    for count in options.processes:
        rates["sampling"].append(_sampling(options, cores[:count]))
        rates["training"].append(_training(options, cores[:count]))
    options.report.mkdir(parents=True, exist_ok=True)
    lines = table(options.processes, rates)
    bound = "each process on a core of its own" if cores[0] is not None else "processes not bound to cores"
    machine = f"{os.cpu_count()} cores of a CPU ({platform.machine()})"
    about = f"`{invocation('scaling', arguments)}`, on {machine}, one thread a process, {bound}."
    save_page(options.report / "results.md", ["# Scaling", "", about, "", *lines], "experiments.scaling")
    print("\n".join(lines))


def table(processes: Sequence[int], rates: dict[str, list[float]]) -> list[str]:
    """A line for each task: its rates in pictures per second, and the ratio of the last to the first."""
    names = [f"{count} process{'es' if count > 1 else ''}" for count in processes]
    lines = [f"| pictures a second | {' | '.join(names)} | ratio |", "|---|" + "---:|" * (len(names) + 1)]
    for work, found in rates.items():
        values = " | ".join(f"{rate:.3g}" for rate in found)
        lines.append(f"| {work} | {values} | {found[-1] / found[0]:.2f} |")
    return lines


def _sampling(options: argparse.Namespace, cores: Sequence[int | None]) -> float:
    folder, count = _anew(options.output / f"sampling_{len(cores)}"), len(cores)
    settings = [
        "prompts=[a smiling face]",
        f"samples_per_prompt={options.pictures * count}",
        "unguided=false",
        "sampler.steps=20",
        f"batch_size={BATCH}",
        f"group={BATCH}",
        "trainer=predict_ddp",
    ]
    _run("sample.py", folder, [*settings, *options.sample], cores)
    return sampling_rate(folder / "run" / "samples", count, BATCH)


def _training(options: argparse.Namespace, cores: Sequence[int | None]) -> float:
    folder, batch = _anew(options.output / f"training_{len(cores)}"), 32
    settings = [
        "+experiment=toyfaces_clip",
        f"data.batch_size={batch}",
        "data.train_count=1024",
        "data.val_count=32",
        "trainer=ddp",
        "trainer.precision=32-true",
        f"trainer.max_steps={options.steps}",
        f"trainer.val_check_interval={options.steps + 1}",
        "~callbacks.bar",
        "+callbacks.times._target_=experiments.scaling.rates.StepTimes",
        f"+callbacks.times.path={folder / 'times.json'}",
    ]
    _run("train.py", folder, [*settings, *options.train], cores)
    return training_rate(folder / "times.json", batch)


def _run(script: str, folder: Path, settings: Sequence[str], cores: Sequence[int | None]) -> None:
    print(f"{script} with {len(cores)} process{'es' if len(cores) > 1 else ''}", flush=True)
    devices = ["trainer.accelerator=cpu", f"trainer.devices={len(cores)}", f"output_dir={folder / 'run'}"]
    run_processes([script, *settings, *devices], cores, folder / "log.txt")


def _anew(folder: Path) -> Path:
    """An empty folder, as an earlier run found there would be resumed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.absolute()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("scaling", "Measure what a second process adds to sampling and to training.")
    add = parser.add_argument
    add("--processes", nargs="+", type=int, default=[1, 2], help="numbers of processes")
    add("--pictures", type=int, default=40, help="that each process draws")
    add("--steps", type=int, default=40, help="of the training")
    add_output(parser, "outputs/scaling")
    add_report(parser, FOLDER, "table")
    add_settings(parser, "sample", "train")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
