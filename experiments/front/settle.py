"""From the doses that a sweep has chosen to the strengths that ``conf/estimator`` has.

They are those of ``sample.py`` as it draws unless told otherwise, which takes more steps than the budgets pay
for: a relative dose counts dt, and so it serves any number of steps.
"""

import argparse
import re
from pathlib import Path

from experiments.front.doses import DOSES, Doses
from experiments.front.strength import Strengths
from experiments.running import configuration
from sdg.composition import CONF
from sdg.errors import SDGError
from sdg.files import write_whole

NAMES = ("sdg_sphere", "spectral", "dps", "lgd", "freedom", "dsg", "mpgd", "tfg", "control")
"""Estimators with a strength of their own, whose arms have their names."""


def settle(options: argparse.Namespace) -> Path:
    """Write the strengths into ``conf/estimator``, and note them in ``doses.json``; returns that file.

    Raises:
        SDGError: nothing has been swept.
    """
    doses, strengths = Doses(DOSES), Strengths(options)
    steps = configuration("sample", options.sample).sampler.steps
    names = [name for name in NAMES if doses.swept(name)]
    if not names:
        raise SDGError(f"{DOSES} has chosen nothing for any estimator: run sweep first")
    for name in names:
        print(name, flush=True)
        dose = doses(max(doses.swept(name)), name)
        doses.settled[name] = [*strengths(name, steps, dose).strength]
        write(CONF / "estimator" / f"{name}.yaml", doses.settled[name])
        doses.save()
    return doses.file


def write(file: Path, settings: list[str]) -> None:
    """Give settings such as ``estimator.strength=0.3`` their values in a file; comments and all else stay."""
    text = file.read_text(encoding="utf-8")
    for key, value in (word.removeprefix("estimator.").split("=") for word in settings):
        text, count = re.subn(rf"^({re.escape(key)}: *)[^\s#]+", rf"\g<1>{value}", text, flags=re.MULTILINE)
        assert count == 1, (file, key)
    write_whole(file, text)
