"""Do the tests notice a wrong program? ``make mutants`` changes the source, a place at a time, and asks them.

A seeded sample of changes, as many in every room, made by operators of cosmic-ray. Each is tried in a copy of
the tree against the fast tests of its own room: it is noticed if one fails. What was found is appended to
``outputs/mutants/results.jsonl``, a line for each change; an interrupted run goes on where it was.

cosmic-ray's own runner starts Python anew for each change, which takes longer (torch, Lightning) than the
tests. Here the libraries are imported once, and each change gets a forked process.

Run it as a script, ``python tests/mutants.py [rooms]``: as a module it would hold on to this tree's tests.
"""

import argparse
import contextlib
import difflib
import importlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).parents[1]
ROOMS = [
    "diffusion",
    "guidance",
    "networks",
    "baselines",
    "sampling",
    "metrics",
    "training",
    "data",
    "report",
]
LIBRARIES = [
    *("torch", "torchvision", "pytorch_lightning", "torchmetrics", "open_clip", "diffusers", "scipy.linalg"),
    *("hydra", "PIL.Image", "matplotlib.pyplot", "pytest"),
]
"""Imported once, before any change."""
OPERATORS = re.compile(
    "core/(NumberReplacer|AddNot|ZeroIterationForLoop|RemoveDecorator"
    "|Replace(TrueWithFalse|FalseWithTrue|AndWithOr|OrWithAnd|BreakWithContinue|ContinueWithBreak)"
    "|ReplaceUnaryOperator_(USub_UAdd|Delete_Not)"
    "|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|Pow_Mul|FloorDiv_Div|Mod_FloorDiv|BitAnd_BitOr|BitOr_BitAnd)"
    "|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Lt_Gt|Gt_Lt|LtE_GtE|GtE_LtE"
    "|Is_IsNot|IsNot_Is))"
)
"""Those most like a slip of the hand; impossible ones, ``a >> b`` of floats, are left out."""
SILENT = re.compile(
    r"^-\s*@(abstractmethod|override)|^-    \w+: [^=]*$|^\+.*(: |-> )[\w., |\[\]]* & ", re.MULTILINE
)
"""Changes of what only a type checker reads: nothing can notice them, or everything does."""
_CRASHED = (3, 4, 5, 70)
"""Exit statuses of a pytest that failed itself; 70 is of the forked process."""
SLOWEST = 600
"""Seconds after which a change counts as noticed: the tests hang."""


class Mutant(NamedTuple):
    """One change to one file."""

    path: str
    """Of the file, from the root of the tree."""
    operator: str
    change: str
    """The lines that it takes away and puts in."""
    source: str
    """The changed file."""

    @property
    def key(self) -> str:
        """What names it in the results: of another line, or a line that reads otherwise, it is another."""
        return f"{self.path} {self.change}"


def places(file: Path) -> dict[int, list[tuple[str, int]]]:
    """(operator, occurrence) of every change that can be made to a file, by line."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    operators = {name: get_operator(name)() for name in operator_names() if OPERATORS.fullmatch(name)}
    seen, found = dict.fromkeys(operators, 0), dict[int, list[tuple[str, int]]]()
    for node in ast_nodes(get_ast(file.read_text(encoding="utf-8"))):
        for name, operator in operators.items():
            for start, _ in operator.mutation_positions(node):
                found.setdefault(start[0], []).append((name, seen[name]))
                seen[name] += 1
    return found


def sample(tree: Path, room: str, count: int, seed: int) -> list[Mutant]:
    """``count`` changes of a room, each of another line and fit to run."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    chance, chosen = random.Random(f"{seed} {room}"), list[Mutant]()
    lines = [
        (file, changes)
        for file in sorted((tree / "sdg" / room).rglob("*.py"))
        for _, changes in sorted(places(file).items())
    ]
    for file, changes in chance.sample(lines, len(lines)):
        if len(chosen) == count:
            break
        operator, occurrence = chance.choice(changes)
        code = file.read_text(encoding="utf-8")
        source = mutate_code(code, get_operator(operator)(), occurrence)
        change = difference(code, source)
        if is_python(source) and not SILENT.search(change):
            chosen.append(Mutant(file.relative_to(tree).as_posix(), operator, change, source))
    return chosen


def is_python(source: str) -> bool:
    """Whether a changed file can be compiled; ``if not x := 1`` cannot."""
    try:
        compile(source, "", "exec")
    except SyntaxError:
        return False
    return True


def difference(old: str, new: str) -> str:
    """The lines that differ, those of the old marked -, those of the new +."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if line[:3] not in ("---", "+++") and line[:2] != "@@")


def tests_of(tree: Path, path: str) -> list[str]:
    """The tests of a file: those that bear its name, those that import it, then all of its room."""
    room, module = Path(path).parts[1], ".".join(Path(path).with_suffix("").parts)
    named, near = tree / "tests" / room / f"test_{Path(path).stem}.py", list[str]()
    for file in sorted((tree / "tests" / room).glob("test_*.py"), key=lambda file: file != named):
        if file == named or f"from {module} import" in file.read_text(encoding="utf-8"):
            near.append(file.relative_to(tree).as_posix())
    return [*near, f"tests/{room}"]


def copy_tree(folder: Path) -> None:
    """The tree, in an empty folder, with a link to the weights."""
    for entry in ROOT.iterdir():
        if entry.name == "checkpoints":
            (folder / entry.name).symlink_to(entry)
        elif entry.is_file():
            shutil.copy(entry, folder)
        elif entry.name[0] != "." and entry.name != "outputs":
            shutil.copytree(entry, folder / entry.name, ignore=shutil.ignore_patterns("__pycache__"))


def run_tests(tree: Path, tests: str) -> tuple[str, str]:
    """Run tests in a forked process: "killed", "survived" or "timeout", and the first test that failed.

    Args:
        tests: a file or folder, from the root of the tree.
    """
    log = tree / "pytest.log"
    log.write_bytes(b"")
    child = os.fork()
    if child == 0:
        _be_pytest(tree, log, tests)
    end, status = time.monotonic() + SLOWEST, None
    while status is None and time.monotonic() < end:
        pid, raw = os.waitpid(child, os.WNOHANG)
        status = os.waitstatus_to_exitcode(raw) if pid else None
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # and whatever the tests started
    if status is None:
        os.waitpid(child, 0)
        return "timeout", ""
    text = log.read_text(encoding="utf-8", errors="replace")
    failed = re.search(r"^(?:FAILED|ERROR) (.*)$", text, re.MULTILINE)
    if status in _CRASHED:
        raise RuntimeError(f"pytest did not run:\n{text}")
    return ("survived" if status == 0 else "killed"), failed[1] if failed else f"exit status {status}"


def _be_pytest(tree: Path, log: Path, tests: str) -> NoReturn:
    """What the forked process does; it never returns."""
    status = _CRASHED[-1]
    try:
        os.setsid()
        os.chdir(tree)
        os.environ["PYTHONPATH"] = str(tree)
        # A script's own folder comes first, and tests/experiments would hide experiments.
        sys.path[:] = [folder for folder in sys.path if Path(folder) != Path(__file__).parent]
        file = os.open(log, os.O_WRONLY)
        os.dup2(file, 1)
        os.dup2(file, 2)
        import pytest

        # Plugins of pytest that the libraries have imported are not rewritten: no matter.
        quiet = ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
        status = pytest.main(["-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", *quiet, tests])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def try_out(tree: Path, mutant: Mutant) -> dict[str, object]:
    """The record of one change: what it was, and whether it was noticed."""
    began, file = time.monotonic(), tree / mutant.path
    original = file.read_text(encoding="utf-8")
    file.write_text(mutant.source, encoding="utf-8")
    for tests in tests_of(tree, mutant.path):
        verdict, by = run_tests(tree, tests)
        if verdict != "survived":
            break
    file.write_text(original, encoding="utf-8")
    took = round(time.monotonic() - began, 1)
    return {"mutant": mutant.key, "operator": mutant.operator, "verdict": verdict, "by": by, "seconds": took}


def try_room(tree: Path, chosen: list[Mutant], results: Path) -> list[dict[str, object]]:
    """The records of changes to one room, those in ``results`` among them; new ones are added there."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    done = {record["mutant"]: record for record in map(json.loads, lines)}
    if any(mutant.key not in done for mutant in chosen):
        room = f"tests/{Path(chosen[0].path).parts[1]}"
        verdict, by = run_tests(tree, room)
        if verdict != "survived":
            sys.exit(f"error: of {room}, unchanged, {by or verdict} fails already: mend that first")
    for mutant in chosen:
        if mutant.key not in done:
            done[mutant.key] = try_out(tree, mutant)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[mutant.key], ensure_ascii=False) + "\n")
        record = done[mutant.key]
        print(f"{record['verdict']}, {record['seconds']} s, {record['by']}\n{mutant.key}\n", flush=True)
    return [done[mutant.key] for mutant in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rooms", nargs="*", default=ROOMS, help="packages of sdg/")
    parser.add_argument("--count", type=int, default=20, help="changes in each room")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = (
        True  # a change of the same second and size would be taken for what was compiled
    )
    for library in LIBRARIES:
        importlib.import_module(library)
    results = ROOT / "outputs" / "mutants" / "results.jsonl"
    results.parent.mkdir(parents=True, exist_ok=True)
    records = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_tree(tree)
        for room in args.rooms:
            records += try_room(tree, sample(tree, room, args.count, args.seed), results)
    noticed = sum(record["verdict"] != "survived" for record in records)
    print(f"{noticed} of {len(records)} noticed ({100 * noticed / len(records):.0f} %)")


if __name__ == "__main__":
    main()
