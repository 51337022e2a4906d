"""The keywords read from a source are those that Python would tell."""

import importlib
import inspect
import re
import subprocess
import sys

import pytest

from sdg.composition import CONF
from sdg.settings.signatures import keywords

TARGETS = sorted(
    {
        target
        for path in CONF.rglob("*.yaml")
        for target in re.findall(r"_target_: ([\w.]+)", path.read_text(encoding="utf-8"))
    }
)
UNTOLD = {"datetime.timedelta"}
"""What is not written in Python."""


def imported(target: str) -> object:
    parts = target.split(".")
    for n in range(len(parts) - 1, 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:n]))
        except ImportError:
            continue
        for part in parts[n:]:
            found = getattr(found, part)
        return found
    raise AssertionError(target)


@pytest.mark.parametrize("target", [target for target in TARGETS if target not in UNTOLD])
def test_every_shipped_target_is_read_as_python_tells(target: str) -> None:
    known = inspect.signature(imported(target)).parameters.values()  # type: ignore[arg-type]
    open_ended = any(parameter.kind == parameter.VAR_KEYWORD for parameter in known)
    told = keywords(target)
    assert (told is None) == open_ended
    assert told is None or list(told) == [parameter.name for parameter in known]


@pytest.mark.parametrize(
    "target", [*sorted(UNTOLD), "no.such.module", "sdg.no.Thing", "sdg.errors.Missing", "builtins.dict"]
)
def test_what_the_source_does_not_tell_is_open(target: str) -> None:
    assert keywords(target) is None


def test_annotations_are_told() -> None:
    assert keywords("sdg.diffusion.ddim.DDIM") == {"eta": "float"}


def test_nothing_is_imported() -> None:
    code = (
        "import sys\nfrom sdg.settings.signatures import keywords\n"
        "assert 'max_steps' in keywords('pytorch_lightning.Trainer')\n"
        "print([name for name in ('torch', 'pytorch_lightning') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
