"""The tests under other arithmetic, threads, locales, orders, Pythons and releases: one line for each run.

    make matrix                                      # every row; hours, as each environment is installed anew
    make matrix args="onednn-avx2 threads-4"         # some rows
    make matrix args="--rooms diffusion guidance"    # some rooms of each row
    make matrix args="--report docs/testing.md"      # and keep what came of it in the table of that document

Only the standard library is imported: the rows' environments have the rest.
"""

import argparse
import datetime
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ARITHMETIC = ["diffusion", "guidance", "networks", "estimators", "populations", "baselines", "priors"]
ARITHMETIC += ["sampling", "studio", "metrics", "training"]
"""The rooms in which a processor's rounding could matter."""


@dataclass(frozen=True)
class Row:
    """One way to run the tests."""

    variables: dict[str, str] = field(default_factory=dict)
    rooms: list[str] = field(default_factory=lambda: ARITHMETIC)
    python: str | None = None
    """The Python to make an environment with; by default that of ``make test`` is used."""
    resolution: str = "highest"


PLAIN_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Kathmandu"}
ROWS = {
    "as-it-is": Row(rooms=[]),
    "aten-default": Row({"ATEN_CPU_CAPABILITY": "default"}),
    "aten-avx2": Row({"ATEN_CPU_CAPABILITY": "avx2"}),
    "onednn-sse41": Row({"ONEDNN_MAX_CPU_ISA": "SSE41"}),
    "onednn-avx2": Row({"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    "mkl-compatible": Row({"MKL_CBWR": "COMPATIBLE"}),
    "avx2-everywhere": Row(
        {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
    ),
    "threads-2": Row({"SDG_TEST_THREADS": "2"}),
    "threads-4": Row({"SDG_TEST_THREADS": "4"}),
    "flushed-denormals": Row({"SDG_TEST_FLUSH_DENORMALS": "1"}),
    "plain-locale": Row(PLAIN_LOCALE, rooms=[]),
    "random-order": Row({"SDG_TEST_ORDER": "1"}, rooms=[]),
    "python3.11-lowest": Row(rooms=[], python="3.11", resolution="lowest-direct"),
    "python3.13-newest": Row(rooms=[], python="3.13"),
}
"""No rooms: all of them."""


def environment(name: str, row: Row) -> Path:
    """The interpreter that runs a row, in an environment made for it where it asks for one."""
    if row.python is None:
        return Path(sys.executable)
    folder = ROOT / "build" / "matrix" / name
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = [sys.executable, "-m", "uv"]
        subprocess.run(
            [*uv, "venv", "--quiet", "--no-python-downloads", "--python", row.python, folder], check=True
        )
        install = [*uv, "pip", "install", "--quiet", "--python", python]
        subprocess.run([*install, "--resolution", row.resolution, "-e", ".[dev]"], cwd=ROOT, check=True)
        (folder / "installed").touch()
    return python


def versions(python: Path) -> str:
    """Of what the numbers depend on."""
    words = "import sys, numpy, torch; print(sys.version.split()[0], torch.__version__, numpy.__version__)"
    found = subprocess.run([python, "-c", words], capture_output=True, text=True, check=True).stdout.split()
    return "Python {}, torch {}, numpy {}".format(*found)


def machine() -> str:
    """The processor's name and the widest vectors it has."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"model name\s*: (.*)", told)
    widest = next((flag for flag in ("amx_tile", "avx512f", "avx2") if f" {flag}" in told), "no avx2")
    return f"{name[1] if name else platform.machine()}, {widest}"


def run(name: str, row: Row, rooms: list[str], more: list[str]) -> tuple[str, str, bool]:
    """Versions, the last line that pytest says, and whether all tests passed."""
    python = environment(name, row)
    tests = [f"tests/{room}" for room in rooms or row.rooms] or ["tests"]
    command = [python, "-m", "pytest", "-q", "-n", "auto", "--maxprocesses", "8", "--dist", "worksteal"]
    started = time.monotonic()
    done = subprocess.run(
        [*command, "-m", "not slow", *tests, *more],
        cwd=ROOT,
        env=os.environ | row.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["nothing was said"]
    if done.returncode:
        print("\n".join(line for line in lines if line.startswith(("FAILED", "ERROR"))))
    told = re.sub(r" in [\d.]+s.*", "", lines[-1].strip("= "))
    return versions(python), f"{told}, {(time.monotonic() - started) / 60:.0f} min", done.returncode == 0


def keep(document: Path, name: str, cells: list[str]) -> None:
    """Write the row of that name in the document's table of runs, or write it anew."""
    lines = document.read_text("utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| run |"))
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
    table = [line for line in lines[start:end] if not line.startswith(f"| {name} |")]
    lines[start:end] = [*table, f"| {' | '.join([name, *cells])} |"]
    document.write_text("\n".join(lines) + "\n", "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; by default all")
    parser.add_argument("--rooms", nargs="+", default=[], help="folders below tests/ in place of a row's own")
    parser.add_argument("--report", type=Path, help="the document whose table of runs is brought up to date")
    parser.add_argument(
        "--pytest", nargs=argparse.REMAINDER, default=[], help="all that follows is for pytest"
    )
    given = parser.parse_args()
    if unknown := set(given.rows) - set(ROWS):
        parser.error(f"no row {', '.join(sorted(unknown))}: choose of {', '.join(ROWS)}")
    good = True
    for name in given.rows or ROWS:
        row = ROWS[name]
        told, result, passed = run(name, row, given.rooms, given.pytest)
        rooms = ", ".join(given.rooms or row.rooms) or "all"
        variables = " ".join(f"`{key}={value}`" for key, value in row.variables.items())
        print(f"{name}: {result} ({told}; {machine()})", flush=True)
        if given.report:
            date = datetime.date.today().isoformat()
            keep(given.report, name, [variables, rooms, told, machine(), date, result])
        good = good and passed
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
