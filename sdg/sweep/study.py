"""An Optuna study on disk: what was tried, what resulted, and what to try next."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from sdg.errors import SDGError

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Outcome(NamedTuple):
    """The result of a trial: its objective, and by how much it falls short of each required measure."""

    value: float
    short: dict[str, float]


Settings = Mapping[str, Any]


class Study:
    """A search that can be killed at any moment and resumes as if nothing had happened.

    Args:
        path: the journal of the study, created if there is none.
        space: name of each setting -> ``{low, high}``, optionally with ``log: true`` or a ``step``, integer
            if both ends are; or ``{choices}``.
        direction: ``maximize`` or ``minimize``.
        seed: of Optuna's tree-structured Parzen estimator.

    Raises:
        SDGError: the space is invalid, or is not the one in the journal.
    """

    def __init__(self, path: Path, space: Mapping[str, Mapping], direction: str, seed: int = 0):
        if not space:
            raise SDGError(
                "space names nothing to search: give it a setting, as conf/sweep/guidance_scale.yaml does"
            )
        self.space = {name: _distribution(name, given) for name, given in space.items()}
        self.seed = seed
        storage = JournalStorage(JournalFileBackend(str(path)))
        self._study = optuna.create_study(
            storage=storage,
            sampler=self._sampler(seed),
            study_name="sweep",
            direction=direction,
            load_if_exists=True,
        )
        for trial in self.trials:
            if trial.distributions and trial.distributions != self.space:
                raise SDGError(f"{path} searches other settings: choose another output_dir")

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials so far, in order."""
        return self._study.get_trials(deepcopy=False)

    def run(self, count: int, evaluate: Callable[[Settings], Outcome]) -> Iterator[FrozenTrial]:
        """Evaluate until there are ``count`` trials, interrupted ones first; yields each when it ends.

        A trial fails if ``evaluate`` raises SDGError; it is still yielded, with the message in
        ``user_attrs["error"]``.
        """
        for trial in self.trials:
            if trial.state == TrialState.RUNNING:
                if trial.params.keys() == self.space.keys():
                    yield self._finish(optuna.Trial(self._study, trial._trial_id), evaluate)
                else:  # killed before its settings were chosen
                    self._study.tell(trial.number, state=TrialState.FAIL)
        while (tried := sum(bool(trial.params) for trial in self.trials)) < count:
            # Each trial gets its own sampler, so that the search does not depend on interruptions.
            self._study.sampler = self._sampler(self.seed + tried)
            yield self._finish(self._study.ask(self.space), evaluate)

    def best(self) -> FrozenTrial:
        """The best trial that meets every required measure.

        Raises:
            SDGError: there is none.
        """
        finished = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        kept = [trial for trial in finished if max(_short(trial), default=0.0) <= 0]
        if not kept:
            raise SDGError(
                f"none of {len(finished)} trials keeps what is to be kept: widen the space, or lower keep"
            )
        sign = 1 if self._study.direction == optuna.study.StudyDirection.MAXIMIZE else -1
        return max(kept, key=lambda trial: sign * (trial.value or 0.0))

    def _finish(self, trial: optuna.Trial, evaluate: Callable[[Settings], Outcome]) -> FrozenTrial:
        try:
            outcome = evaluate(trial.params)
        except SDGError as error:
            trial.set_user_attr("error", str(error))
            return self._study.tell(trial, state=TrialState.FAIL)
        trial.set_user_attr("short", json.dumps(outcome.short))
        return self._study.tell(trial, outcome.value)

    def _sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(seed=seed, constraints_func=_short, n_startup_trials=5)


def _short(trial: FrozenTrial) -> list[float]:
    return list(json.loads(trial.user_attrs.get("short", "{}")).values())


def _distribution(name: str, given: Mapping) -> BaseDistribution:
    remedy = f"the space of {name} makes no sense: give low and high, with log or step, or choices"
    try:
        if "choices" in given:
            return CategoricalDistribution(tuple(given["choices"]))
        whole = isinstance(given["low"], int) and isinstance(given["high"], int)
        kind: Any = IntDistribution if whole else FloatDistribution
        return kind(**given)
    except (KeyError, TypeError, ValueError) as error:
        raise SDGError(remedy) from error
