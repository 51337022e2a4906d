"""Workers of a data loader when every process of a run is told to end."""

import os
import signal
import subprocess
import sys

import pytest

from sdg.composition import ROOT

READING = """
import itertools
from sdg import stopping
from sdg.data.workers import loader

class Squares:
    def __getitem__(self, number):
        return number**2

stopping.listen(running=True)
stopping.wait_for_step(True)
for square in loader(Squares(), range(1_000_000), workers=2):
    if square == 9:
        print("reading", flush=True)
    if stopping.asked():
        break
print("ended by", stopping.asked())
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_ends_the_reading_at_the_end_of_a_step(number: int) -> None:
    """As a scheduler sends it, and as a terminal does for Ctrl-C."""
    with subprocess.Popen(
        [sys.executable, "-c", READING],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "reading\n"
        os.killpg(process.pid, number)
        assert process.communicate(timeout=60) == (f"ended by {number}\n", "")
