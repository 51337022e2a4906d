"""Starts the processes of a command as torchrun does, each on its own core."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sdg.composition import ROOT
from sdg.errors import SDGError


def bind(processes: int) -> Sequence[int | None]:
    """A core for each process; None if the system cannot bind processes to cores.

    Raises:
        SDGError: there are too few cores.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [None] * processes
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < processes:
        raise SDGError(f"there are {len(cores)} cores for {processes} processes: use fewer --processes")
    return cores[:processes]


def run_processes(command: Sequence[str], cores: Sequence[int | None], log: Path) -> None:
    """Run one of our scripts with a process on each of ``cores``; their output goes to ``log``.

    Raises:
        SDGError: one of them fails; the others are killed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Only with its name for the run does Lightning believe the numbers that torchrun gives.
    meeting = {"TORCHELASTIC_RUN_ID": "scaling", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    meeting |= {"WORLD_SIZE": str(len(cores)), "LOCAL_WORLD_SIZE": str(len(cores)), "GROUP_RANK": "0"}
    running: list[subprocess.Popen] = []
    with log.open("wb") as said:
        try:
            for rank, core in enumerate(cores):
                process = subprocess.Popen(
                    [sys.executable, str(ROOT / command[0]), *command[1:]],
                    env=os.environ
                    | meeting
                    | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
                    stdout=said,
                    stderr=said,
                )
                running.append(process)
                if core is not None:
                    os.sched_setaffinity(process.pid, {core})
            while any(process.poll() is None for process in running):
                _check(running, log)
                time.sleep(0.1)
            _check(running, log)
        finally:
            for process in running:
                process.kill()
                process.wait()


def _check(running: Sequence[subprocess.Popen], log: Path) -> None:
    if any(process.poll() for process in running):
        told = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith("error:")]
        raise SDGError(f"{told[-1].removeprefix('error: ') if told else 'a process failed'}: see {log}")
