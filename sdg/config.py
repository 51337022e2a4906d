"""Shared by the three entry points: configuration becomes objects, and exceptions become one clear line."""

import difflib
import errno
import functools
import io
import os
import re
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from sdg.composition import CONF, at_home, check, check_values, conf_folders, explained
from sdg.errors import SDGError
from sdg.settings.again import repeat
from sdg.settings.experiments import list_experiments, table
from sdg.settings.help import page
from sdg.settings.names import note_overrides
from sdg.settings.typed import settings_in, tidy
from sdg.settings.utf8 import speak_utf8
from sdg.stopping import Stopped, guard, listen, tell
from sdg.words import typed

_VERBOSE = os.environ.get("SDG_TRACEBACKS", os.environ.get("HYDRA_FULL_ERROR")) == "1"
"""Whether the user wants tracebacks; read before a command sets Hydra's variable unconditionally. Processes
that a command starts inherit the answer."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""Disk full, over quota, turned read-only, or failing: what can go wrong in the middle of a run."""

_WHAT_TO_TRAIN = """\
Say what to train, for example  {} +experiment=toyfaces_clip (see --help):

{}"""


def build(config: DictConfig | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Instantiate the ``_target_``s of ``config``; constructors receive plain lists and dicts."""
    return instantiate(config, *args, _convert_="all", **kwargs)


def plain(config: DictConfig | ListConfig) -> dict[str, Any]:
    """A configuration of named settings as plain containers, with interpolations left unresolved."""
    settings = OmegaConf.to_container(config)
    if not isinstance(settings, dict):
        raise SDGError("a configuration names its settings, this one is a list: write name: value")
    return {str(key): value for key, value in settings.items()}


def resolved(config: DictConfig) -> dict[str, Any]:
    """Like ``plain``, with every interpolation resolved."""
    return plain(OmegaConf.create(OmegaConf.to_container(config, resolve=True)))


def command_line(command: str) -> str | None:
    """The line that runs ``command`` as it was typed, quoted for a shell; None if Hydra did not start it."""
    if not HydraConfig.initialized():
        return None
    words = [str(word) for word in HydraConfig.get().overrides.task]
    return " ".join([f"python {command}.py", *map(shlex.quote, words)])


def check_sweep(trainer: Any) -> None:
    """Raise SDGError if a job of a sweep (-m) would start processes: each would run the sweep again."""
    sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    environment = getattr(trainer.strategy, "cluster_environment", None)
    if trainer.world_size > 1 and sweep and not (environment and environment.creates_processes_externally):
        raise SDGError(
            "a sweep (-m) cannot start several processes for a job: use trainer.devices=1, or a cluster that "
            "starts them (hydra/launcher=submitit_slurm), or give the command once for each setting"
        )


def entry(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """Turn a function of the configuration into a command: Hydra's command line, errors as one line.

    Problems that the user can fix end in ``error: …`` and exit status 1; ``HYDRA_FULL_ERROR=1`` shows the
    traceback. In a sweep every job gets its own folder below ``output_dir``.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], Any]:
        def job(config: DictConfig) -> Any:
            running = HydraConfig.get()
            sweep = running.mode == RunMode.MULTIRUN
            # In a sweep, Hydra finishes the other jobs before it re-raises this one's exception.
            with nullcontext() if sweep else errors_in_one_line():
                _refuse_second_additions(config_name, running.overrides.task)
                if config.get("again") is not None:
                    fresh = _before(config_name, [])
                    config = repeat(fresh, config, running.overrides.task, conf_folders())
                if sweep:
                    config.output_dir = running.runtime.output_dir
                at_home(config)
                check(config_name, config)
                check_values(config)
                try:
                    return task(config)
                finally:
                    if sweep and (folder := Path(config.output_dir)).is_dir():
                        note_overrides(folder, running.overrides.task)

        functools.update_wrapper(job, task)
        command = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)

        def main() -> Any:
            speak_utf8()
            # pytorch_lightning 2.6 uses a class that torch 2.15 deprecates.
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
            # Set once and inherited by all processes of a run: they write to one folder.
            os.environ.setdefault("SDG_STARTED", time.strftime("%Y-%m-%d_%H-%M-%S"))
            os.environ["SDG_TRACEBACKS"] = str(int(_VERBOSE))
            # A name that is not UTF-8, or a terminal that is not, must not end a run in the middle.
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors="backslashreplace")
            # Otherwise Hydra prints its own shortened traceback and exits.
            os.environ["HYDRA_FULL_ERROR"] = "1"
            listen()
            guard()
            with errors_in_one_line():
                return _answer(config_name, command)

        return main

    return decorate


def _answer(config_name: str, command: Callable[[], Any]) -> Any:
    """What the words on the command line ask for: a page of help, or to run ``command`` with them."""
    folders = conf_folders()
    if {"-h", "--help"} & {*sys.argv}:
        return print(page(config_name, folders))
    words = sys.argv[1:] = tidy(config_name, sys.argv[1:], folders)
    if config_name == "train" and not words:
        return print(_WHAT_TO_TRAIN.format(typed("train"), table(list_experiments("train", folders))))
    try:
        return command()
    except ConfigCompositionException as error:
        if line := explained(error, config_name, settings_in(words)):
            raise SDGError(line) from error
        raise


def _refuse_second_additions(config_name: str, words: Sequence[str]) -> None:
    """Raise SDGError for ``+key={…}`` if ``key`` already exists: Hydra would silently merge the two."""
    addition = re.compile(r"\+([\w.]+)=\s*\{")
    added = [match[1] for word in words if (match := addition.match(word))]
    if not added:
        return
    others = [word for word in words if not addition.match(word)]
    before = _before(config_name, others)
    for i, key in enumerate(added):
        if key in added[:i] or OmegaConf.select(before, key) is not None:
            raise SDGError(f"there are two of {key}: give the one that +{key} adds another name")


def _before(config_name: str, words: Sequence[str]) -> DictConfig:
    """The configuration that a command has with other words."""
    loader = GlobalHydra.instance().config_loader()
    config = loader.load_configuration(config_name, list(words), run_mode=RunMode.RUN)
    with open_dict(config):
        del config["hydra"]
    return config


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """On errors that the user can fix, exit with one line, unless HYDRA_FULL_ERROR=1 asks for more."""
    try:
        yield
    except Stopped as stopped:
        tell(stopped)
        raise
    except (SDGError, HydraException, OmegaConfBaseException) as error:
        if _VERBOSE:
            raise
        sys.exit(f"error: {one_line(error)}")
    except OSError as error:
        if _VERBOSE or error.errno not in _DISK:
            raise
        sys.exit(
            f"error: cannot write {error.filename or 'a file'} ({error.strerror}): make room, or mend what "
            "else is wrong there, and give the same command again; what is done is kept"
        )


def one_line(error: BaseException) -> str:
    """The message of the innermost SDGError, else of ``error`` and its causes, on a single line."""
    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override}: put text between quotes, as in 'prompts=[\"a face\"]'"
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__
    ours = [link for link in chain if isinstance(link, SDGError)]
    # Hydra repeats the error that an object's constructor raised, once for each object around it.
    parts = [_said(link) for link in (ours[-1:] or chain) if not isinstance(link, InstantiationException)]
    if len(chain) > 1 and isinstance(chain[0], InstantiationException) and not ours:
        parts = [*_places(chain)[-1:], *parts]
    parts = parts or [str(error)]
    # Hydra and OmegaConf append where they looked, and the key and object concerned.
    parts = [part.split("\nConfig search path")[0].split("\n    full_key:")[0] for part in parts]
    line = ": ".join(" ".join(part.split()) for part in dict.fromkeys(parts))
    line = line.replace("str is not a ListConfig, list or tuple", "a list is written as key=[value]")
    return line + _suggestion(chain)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _places(chain: Sequence[BaseException]) -> list[str]:
    """Where the objects that could not be built are in the configuration, outermost first."""
    found = [re.search(r"full_key: (\S+)", str(link)) for link in chain]
    return [match[1] for match in found if match]


def _suggestion(chain: Sequence[BaseException]) -> str:
    """A hint at the group option that a mistyped one resembles."""
    for link in chain:
        if isinstance(link, MissingConfigException) and link.missing_cfg_file and link.options:
            typed = link.missing_cfg_file.rpartition("/")[2]
            if close := difflib.get_close_matches(typed, link.options, n=1):
                return f" (did you mean {close[0]}?)"
    return ""
