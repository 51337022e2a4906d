"""What a sweep has chosen: ``doses.json``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.front.arms import MIDDLE, RUNGS, Way
from experiments.front.best import CRITERION
from sdg.errors import SDGError
from sdg.files import write_whole

DOSES = Path(__file__).parent / "doses.json"


class Doses:
    """The relative dose of every arm at every budget, with the strength that gave it.

    Raises:
        SDGError: a file that no sweep by the present rule has written.
    """

    def __init__(self, file: Path):
        self.file = file
        self.chosen: dict[str, dict[str, dict[str, Any]]] = {}
        """Budget -> arm -> dose, steps and strength."""
        self.settled: dict[str, list[str]] = {}
        """Estimator -> the strengths that its file in ``conf/estimator`` was given."""
        if file.is_file():
            try:
                found = json.loads(file.read_text(encoding="utf-8"))
                told, self.chosen, self.settled = (
                    (found["criterion"], found["rungs"]), found["chosen"], found["settled"],
                )  # fmt: skip
            except (ValueError, KeyError, TypeError) as error:
                raise SDGError(f"{file} does not hold doses of arms: write it anew with sweep") from error
            if told != (CRITERION, [*RUNGS]):
                raise SDGError(f"{file} was chosen by another rule: write it anew with sweep")

    def swept(self, arm: str) -> list[float]:
        """The budgets at which an arm's dose was chosen."""
        return sorted(float(budget) for budget, own in self.chosen.items() if arm in own)

    def __call__(self, budget: float, arm: str) -> float:
        """What was chosen at this budget, or at the nearest below; if nothing was, the ladder's middle."""
        below = [other for other in self.swept(arm) if other <= budget]
        return float(self.chosen[f"{below[-1]:g}"][arm]["dose"]) if below else MIDDLE

    def keep(self, budget: float, best: Mapping[str, Way]) -> None:
        """Note what was chosen, beside what other sweeps chose for other budgets and arms."""
        own = {
            name: {"dose": way.dose, "steps": way.steps, "strength": [*way.strength]}
            for name, way in best.items()
        }
        if self.file.is_file():  # another sweep may have written to it
            self.chosen = Doses(self.file).chosen
        self.chosen[f"{budget:g}"] = dict(sorted((self.chosen.get(f"{budget:g}", {}) | own).items()))
        self.save()

    def save(self) -> None:
        """Write the file."""
        whole = {"criterion": CRITERION, "rungs": RUNGS, "chosen": self.chosen, "settled": self.settled}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.file, json.dumps(whole, indent=1) + "\n")
