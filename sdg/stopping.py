"""How a run ends early: a signal tells it to (SIGTERM, Ctrl-C), or the process that started it has died.

A signal raises :class:`Stopped` in the main thread, wherever that is, so that a run ends within one operation
and its ``finally`` clauses keep what is complete. A training takes it at the end of its step instead
(``wait_for_step``).
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from subprocess import Popen
from typing import Any

FIRST, PARENT = "SDG_FIRST", "SDG_PARENT"
"""Variables in the environment of a process that another one started, and must not outlive: the first of the
processes of a run, or a search. The value is its process number."""

_STARTING, _RUNNING = 3.0, 25.0
"""Seconds after SIGTERM in which the main thread must end, while there is nothing to keep and later:
schedulers follow with SIGKILL after 30."""
_ORPHANED = 5.0
"""The same, after the other process died."""


class Stopped(SystemExit):
    """A signal told this process to end; the exit status is 128 + the signal's number, as a shell has it."""

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.name = signal.Signals(number).name

    def __str__(self) -> str:
        return _line(self.name)


@dataclass
class _State:
    owner: int = 0
    """The process that listens; one forked from it has the handlers too."""
    patience: float = _STARTING
    asked: int | None = None
    """The first signal."""
    since: float = 0.0
    waiting: bool = False
    """Whether a training is within a step."""
    quiet: bool = False
    """Whether another process of this run says the line."""
    started: Callable[[], list[Popen]] = list
    """Gives the list of the processes that this one started and that Lightning watches."""
    ending: list[Popen] = field(default_factory=list)
    """Those of them that we have told to end."""


_state = _State()


def listen(running: bool = False) -> None:
    """From now on signals end this process as described above. Does nothing in a thread: Python forbids it.

    Args:
        running: whether the work has begun, of which something may have to be kept.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    _state.owner, _state.asked, _state.waiting = os.getpid(), None, False
    _state.patience = _RUNNING if running else _STARTING
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _answer)


def outlive(worker: int) -> None:
    """For ``worker_init_fn`` of a data loader: its workers go on for a while after a signal.

    A scheduler, or Ctrl-C, tells every process of a run. The one that the workers read for may take a last
    batch from them, ends when its step is done, and its workers with it; PyTorch would call the death of a
    worker before that a fault. A second signal, of PyTorch's or Python's own cleaning, does end a worker.
    """
    told: list[int] = []

    def answer(number: int, frame: Any) -> None:
        if told:
            raise SystemExit(128 + number)
        told.append(number)
        signal.alarm(int(_RUNNING))  # kills it

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, answer)


def guard() -> None:
    """Make sure that a command ends though its main thread may be stuck in a library's C code.

    There Python can't answer a signal: a thread passes it on to the processes that this one started, and
    ends all if nothing else does. Another thread ends the process soon after the one that started it.
    """
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
    threading.Thread(target=_attend, args=(receiver,), name="signals", daemon=True).start()
    parent = os.environ.get(FIRST) or os.environ.get(PARENT)
    _state.quiet = started_by_first()
    if parent:
        threading.Thread(target=_follow, args=(int(parent),), name="parent", daemon=True).start()


def wait_for_step(wait: bool) -> None:
    """Whether signals wait until ``asked`` is called, at the end of a training's step."""
    _state.waiting = wait


def asked() -> int | None:
    """The signal that waits, if there is one."""
    return _state.asked


def be_quiet() -> None:
    """Leave the word to the first process of this run."""
    _state.quiet = True


def tell(stopped: Stopped) -> None:
    """Say in one line that and why the run has ended."""
    if not _state.quiet:
        with suppress(OSError):  # nobody may be there to read it
            print(stopped, file=sys.stderr, flush=True)
        be_quiet()


@contextmanager
def end_together(started: Callable[[], list[Popen]]) -> Iterator[None]:
    """If this process leaves early, for whatever reason, so do those that it has started in this context.

    Args:
        started: gives their list, which is emptied when they are told to end: Lightning's own watcher would
            kill this process, too.
    """
    _state.started = started
    os.environ.setdefault(FIRST, str(os.getpid()))
    try:
        yield
    except BaseException:
        _pass_on(signal.SIGTERM)
        _reap(patience=5)
        raise
    finally:
        if not started_by_first():
            del os.environ[FIRST]
        _state.started = list


def started_by_first() -> bool:
    """Whether the first process of this run has started this one."""
    return os.environ.get(FIRST) not in (None, str(os.getpid()))


def _answer(number: int, frame: Any) -> None:
    if os.getpid() != _state.owner:  # a worker before ``outlive``
        raise SystemExit(128 + number)
    first, now = _state.asked is None, time.monotonic()
    if first:
        _state.asked, _state.since = number, now
    # Schedulers, terminals and the first process may send the same signal; a person presses Ctrl-C again.
    again = number == signal.SIGINT and now - _state.since > 1
    if again or (first and not _state.waiting):
        raise Stopped(number)


def _attend(receiver: int) -> None:
    number, deadline = 0, None
    while deadline is None or time.monotonic() < deadline:
        if not select.select([receiver], [], [], None if deadline is None else 0.1)[0]:
            continue
        told = os.read(receiver, 1)[0]
        if told in (signal.SIGTERM, signal.SIGINT) and not number:
            number = told
            _pass_on(number)
        if told == signal.SIGTERM and deadline is None:
            deadline = time.monotonic() + _state.patience
    _reap(patience=0)
    if not _state.quiet:
        with suppress(OSError):  # nobody may be there to read it
            os.write(2, (_line(signal.Signals(number).name) + "\n").encode())
    os._exit(128 + number)


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ORPHANED)
    os._exit(128 + signal.SIGTERM)


def _pass_on(number: int) -> None:
    started = _state.started()
    _state.ending += started
    for process in started[:]:
        process.send_signal(number)
    started.clear()


def _reap(patience: float) -> None:
    deadline = time.monotonic() + patience
    while any(process.poll() is None for process in _state.ending) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in _state.ending:
        process.kill()  # does nothing to one that has ended


def _line(name: str) -> str:
    return f"stopped by {name}: what is complete is kept; give the same command again to go on"
