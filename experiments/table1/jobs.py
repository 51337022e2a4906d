"""The runs of ``sample.py`` behind the table: several at a time, with one progress bar."""

import multiprocessing
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from experiments.running import configuration, draw

LOOKS = 1.0
"""Seconds between two checks of what has been drawn."""


class Job(NamedTuple):
    """A part of a row: some of its targets, with its own seed."""

    folder: Path
    settings: tuple[str, ...]
    seed: int
    steps: int
    samples: int
    """Per target."""
    pictures: int
    seconds: float
    """Approximate, per picture."""


def draw_all(jobs: Sequence[Job], processes: int, more: Sequence[str], bar: tqdm, log: Path) -> None:
    """Draw what is left of all jobs. The output of the runs goes to ``log``.

    All their settings are composed here first: a wrong one ends the command before anything is drawn, and the
    page's head knows them all.

    Raises:
        SDGError: that of ``sample.py``, for the first job that fails.
    """
    for job in jobs:
        configuration("sample", _settings(job, more))
    threads = max(1, torch.get_num_threads() // processes)
    with _watched(jobs, bar):
        if processes == 1:
            for job in jobs:
                _draw(job, more, log, None)
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            waiting = [pool.submit(_draw, job, more, log, threads) for job in jobs]
            try:
                for future in as_completed(waiting):
                    future.result()
            finally:
                pool.shutdown(cancel_futures=True)


def _draw(job: Job, more: Sequence[str], log: Path, threads: int | None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    with (
        log.open("a", encoding="utf-8") as file,
        redirect_stdout(file),
        redirect_stderr(file),
        warnings.catch_warnings(),
    ):
        # pytorch_lightning 2.6 uses what torch 2.15 deprecates.
        warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
        draw(job.folder, _settings(job, more))


def _settings(job: Job, more: Sequence[str]) -> list[str]:
    """Of ``sample.py``."""
    given = [f"seed={job.seed}", f"samples_per_prompt={job.samples}", f"sampler.steps={job.steps}"]
    return [*given, "unguided=false", "batch_size=32", "trace=false", *job.settings, *more]


@contextmanager
def _watched(jobs: Sequence[Job], bar: tqdm) -> Iterator[None]:
    """Keep the bar in step with the folders, whichever process fills them."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOKS):
            advance(jobs, bar)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        advance(jobs, bar)


def advance(jobs: Sequence[Job], bar: tqdm) -> None:
    """Move the bar by the planned seconds of the pictures that exist, and show their number."""
    counts = [sum(1 for _ in (job.folder / "samples").glob("*.png")) for job in jobs]
    spent = sum(count * job.seconds for count, job in zip(counts, jobs, strict=True))
    bar.set_postfix_str(f"{sum(counts)} of {sum(job.pictures for job in jobs)} pictures", refresh=False)
    bar.update(max(0.0, spent - bar.n))
