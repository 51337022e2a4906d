"""What is asked of a studio: sentences, pictures and settings, as the command line would say it."""

import difflib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from sdg.composition import chosen, compose, conf_folders, explained
from sdg.config import one_line
from sdg.errors import SDGError
from sdg.schema import SampleConfig
from sdg.words import SHORT, in_full, is_setting, written

PICTURED = ("content", "structure", "style")
"""Terms that a keyword gives a picture."""
_FULL = SHORT | {"start": "start.image"}
"""Short names of keywords."""
_MIXED = ("text", "content")
"""The terms of conf/guidance/mix.yaml."""


@dataclass(frozen=True)
class Request:
    """Immutable, and equal to another that asks for the same.

    Args:
        words: settings, as one types them after ``python sample.py``.
        prompts, references: what the plan has a row for.
    """

    words: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def overrides(self) -> list[str]:
        """All of it as settings."""
        lists = {"prompts": self.prompts, "references": self.references}
        return [*self.words, *(f"{key}={written(list(value))}" for key, value in lists.items() if value)]

    @property
    def command(self) -> str:
        """The line for a shell that draws the same."""
        return " ".join(["python sample.py", *map(shlex.quote, self.overrides)])

    def config(self) -> DictConfig:
        """The configuration of ``sample.py`` for it.

        Raises:
            SDGError: a word names nothing that is there, with the nearest that is.
        """
        return self._composed(compose)

    def groups(self) -> DictConfig:
        """The same with the values that groups begin with; raises the same."""
        return self._composed(chosen)

    def _composed(self, how: Callable[[str, Sequence[str]], DictConfig]) -> DictConfig:
        try:
            return how("sample", self.overrides)
        except ConfigCompositionException as error:
            raise SDGError(explained(error, "sample", self.overrides) or one_line(error)) from error


def request(
    base: Request,
    given: Sequence[str] = (),
    prompt: str | tuple[str, float] | Sequence[str] | None = None,
    pictures: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Request:
    """Adds to what a studio was loaded with what one call asks for.

    Args:
        given: sentences, and settings as on the command line, in any order.
        prompt: one sentence or several; or one and the weight of the term text.
        pictures: by term, a file's path, or the path and the term's weight relative to its usual one.
        settings: values by name: short (:data:`~sdg.words.SHORT`), of a group, or of any setting, dotted.

    Raises:
        SDGError: an unknown name, with the nearest that exists, or a value of the wrong kind.
    """
    named = _known(settings or {})
    sentences = [word for word in given if not is_setting(word)]
    targets, weights = {}, {}
    for name, target in {"text": prompt, **(pictures or {})}.items():
        if target is not None:
            targets[name], weights[name] = _weighted(name, target)
    sentences += _several(targets.pop("text", ()))
    references = [str(path) for key in ("reference", "references") for path in _several(named.pop(key, ()))]
    words = [in_full(word) for word in given if is_setting(word)]
    words += [f"{key}={written(value)}" for key, value in named.items() if _is_group(key)]
    asked = replace(base, words=(*base.words, *words))
    terms = [*(["text"] if sentences else []), *targets]
    if terms and not any(word.startswith("guidance=") for word in words):
        asked = _with_terms(asked, terms)
    if targets and not references and not base.references:
        references = [str(targets.pop(next(iter(targets))))]  # not a term's own, so that the record names it
    own = [f"guidance.terms.{name}.target={written(path)}" for name, path in targets.items()]
    values = [f"{key}={written(value)}" for key, value in named.items() if not _is_group(key)]
    asked = replace(
        asked,
        words=(*asked.words, *own, *values),
        prompts=tuple(sentences) or base.prompts,
        references=tuple(references) or base.references,
    )
    return _with_weights(asked, {name: weight for name, weight in weights.items() if weight is not None})


def _known(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their full names.

    Raises:
        SDGError: a name that the configuration does not have.
    """
    top = {field.name for field in fields(SampleConfig)} | {"reference"}
    for name in settings:
        if name not in _FULL and name.partition(".")[0].lstrip("+~") not in top:
            close = difflib.get_close_matches(name, [*_FULL, *PICTURED, *top, "prompt"], n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise SDGError(f"there is no setting {name}{hint}: `sdg draw --help` lists them")
    return {_FULL.get(name, name): value for name, value in settings.items()}


def _with_terms(asked: Request, terms: Sequence[str]) -> Request:
    """``asked`` with guidance by just these terms, in words that the command line knows."""
    config = replace(asked, prompts=(), references=()).groups()
    if "guidance" not in config.method or set(config.guidance.terms) == set(terms):
        return asked
    if len(terms) == 1:
        return replace(asked, words=(*asked.words, f"guidance={terms[0]}"))
    more = [f"+guidance/term@guidance.terms.{name}={name}" for name in terms if name not in _MIXED]
    fewer = [f"~guidance.terms.{name}" for name in _MIXED if name not in terms]
    return replace(asked, words=(*asked.words, "guidance=mix", *more, *fewer))


def _with_weights(asked: Request, weights: Mapping[str, float]) -> Request:
    """``asked`` with terms whose weights are these times the usual ones."""
    if not weights:
        return asked
    terms = asked.config().guidance.terms
    for name, weight in weights.items():
        usual = OmegaConf.select(terms, f"{name}.weight")
        if not isinstance(usual, int | float):
            raise SDGError(f"the weight of {name} is no number here: give guidance.terms.{name}.weight")
        word = f"guidance.terms.{name}.weight={written(weight * usual)}"
        asked = replace(asked, words=(*asked.words, word))
    return asked


def _weighted(name: str, target: Any) -> tuple[Any, float | None]:
    """A target and its weight, if it has one."""
    if not isinstance(target, tuple):
        return target, None
    match target:
        case (what, float() | int() as weight):
            return what, float(weight)
    raise SDGError(f"{name}={target!r} is no target with its weight: give for example (target, 0.5)")


def _several(value: Any) -> list[Any]:
    """One or several, as a list."""
    return [value] if isinstance(value, str | Path) else list(value)


def _is_group(name: str) -> bool:
    """Whether a setting chooses an option of a group, rather than giving a value."""
    return any((folder / name).is_dir() for folder in conf_folders())
