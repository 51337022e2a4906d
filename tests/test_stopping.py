"""Signals, stuck main threads and dead parents: a run ends soon, with the status that a shell expects."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from sdg import stopping
from sdg.composition import ROOT
from sdg.config import errors_in_one_line
from sdg.stopping import Stopped, asked, end_together, listen, wait_for_step


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    """The handlers of pytest return."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    wait_for_step(False)
    stopping._state.quiet = False
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_with_one_line(
    number: int, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    listen()
    # As in a command, whose jobs have a context of their own.
    with pytest.raises(SystemExit) as ended, errors_in_one_line(), errors_in_one_line():
        signal.raise_signal(number)
    assert ended.value.code == status
    (line,) = capsys.readouterr().err.splitlines()
    name = signal.Signals(number).name
    assert line == f"stopped by {name}: what is complete is kept; give the same command again to go on"


def test_a_second_signal_does_not_disturb_what_the_first_began() -> None:
    listen()
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)


def test_in_a_training_a_signal_waits_for_the_end_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    listen(running=True)
    wait_for_step(True)
    signal.raise_signal(signal.SIGINT)
    assert asked() == signal.SIGINT
    signal.raise_signal(signal.SIGINT)  # the terminal's and the first process's
    monkeypatch.setattr(stopping._state, "since", time.monotonic() - 2)
    with pytest.raises(Stopped):  # somebody pressed it again
        signal.raise_signal(signal.SIGINT)


def test_who_leaves_early_takes_along_what_it_started() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = [child]

    def leave() -> None:
        with end_together(lambda: started):
            assert os.environ[stopping.FIRST] == str(os.getpid())
            raise Stopped(signal.SIGTERM)

    with pytest.raises(Stopped):
        leave()
    assert child.wait(timeout=10) == -signal.SIGTERM
    assert started == []  # what Lightning watches, and would kill us for
    assert stopping.FIRST not in os.environ


def python(code: str, **env: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


STUCK = """
import signal, threading, time
from sdg import stopping
stopping._STARTING = 0.3
stopping.listen()
stopping.guard()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # so nothing wakes this thread, as in a library
threading.Timer(0.3, print, ["ready"], {"flush": True}).start()
time.sleep(60)
"""


@pytest.mark.parametrize("heard", [True, False])
def test_a_command_ends_though_its_main_thread_is_stuck(heard: bool) -> None:
    with python(STUCK) as process:
        assert process.stdout.readline() == "ready\n"
        if not heard:
            process.stderr.close()  # what has started it is gone
            process.stderr = None
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 143
    assert not heard or told.startswith("stopped by SIGTERM: what is complete is kept")


WORKER = """
import signal, time
from sdg import stopping
stopping.outlive(0)
print("reads", flush=True)
while not signal.getitimer(signal.ITIMER_REAL)[0]:
    time.sleep(0.01)
print("goes on", flush=True)
time.sleep(60)
"""


def test_a_worker_outlives_the_first_signal_for_the_process_that_it_reads_for() -> None:
    """A scheduler tells all processes: one that lost its worker would end in PyTorch's traceback."""
    with python(WORKER) as process:
        for line in ("reads\n", "goes on\n"):
            assert process.stdout.readline() == line
            process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 143


PARENT = """
import os, subprocess, sys, time
child = "from sdg import stopping; stopping.listen(); stopping.guard(); print('ready', flush=True); " \\
        "import time; time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child], env=os.environ | {VARIABLE: str(os.getpid())})
time.sleep(60)
"""


@pytest.mark.parametrize("variable", [stopping.FIRST, stopping.PARENT])
def test_a_child_ends_soon_after_its_parent_is_killed(variable: str) -> None:
    with python(PARENT.replace("VARIABLE", repr(variable))) as parent:
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
        # Ends when the last process that can write here has.
        out, told = parent.communicate(timeout=20)
    assert (out, bool(told)) == ("", False)
