"""From configuration to objects, and from exceptions to one clear line: what the three entry points share."""

import difflib
import errno
import functools
import os
import re
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
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sdg import schema
from sdg.errors import SDGError

schema.register()

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("SDG_ROOT", str(ROOT))  # what conf/paths refers to

_VERBOSE = os.environ.get("SDG_TRACEBACKS", os.environ.get("HYDRA_FULL_ERROR")) == "1"
"""Whether the user wants tracebacks; read before a command sets Hydra's variable for all. The processes that
a command starts inherit the answer."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""Full, over quota, become read-only, broken: what may befall a disk in the middle of a run."""


def build(config: DictConfig | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Instantiate ``config`` by its ``_target_``s; constructors receive plain lists and dicts."""
    return instantiate(config, *args, _convert_="all", **kwargs)


def plain(config: DictConfig | ListConfig) -> dict[str, Any]:
    """A configuration of named settings as plain containers, its interpolations as they are written."""
    settings = OmegaConf.to_container(config)
    if not isinstance(settings, dict):
        raise SDGError("a configuration names its settings, this one is a list: write name: value")
    return {str(key): value for key, value in settings.items()}


def resolved(config: DictConfig) -> dict[str, Any]:
    """The same with every interpolation filled in."""
    return plain(OmegaConf.create(OmegaConf.to_container(config, resolve=True)))


def check_sweep(trainer: Any) -> None:
    """Raises SDGError where a job of a sweep (-m) would have to start processes: each would be the sweep."""
    sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    environment = getattr(trainer.strategy, "cluster_environment", None)
    if trainer.world_size > 1 and sweep and not (environment and environment.creates_processes_externally):
        raise SDGError(
            "a sweep (-m) cannot start several processes for a job: use trainer.devices=1, or a cluster that "
            "starts them (hydra/launcher=submitit_slurm), or give the command once for each setting"
        )


def entry(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """Make a function of the configuration a command: Hydra's command line, errors as one line.

    Problems that the user can mend end in ``error: …`` and exit status 1; ``HYDRA_FULL_ERROR=1`` shows the
    traceback. In a sweep every job gets a folder of its own below ``output_dir``.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], Any]:
        def job(config: DictConfig) -> Any:
            running = HydraConfig.get()
            sweep = running.mode == RunMode.MULTIRUN
            if sweep:
                config.output_dir = running.runtime.output_dir
            # Of a sweep, Hydra finishes the other jobs before it raises what this one raised.
            with nullcontext() if sweep else errors_in_one_line():
                _refuse_second_additions(config_name, running.overrides.task)
                return task(config)

        functools.update_wrapper(job, task)
        command = hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=config_name)(job)

        def main() -> Any:
            # pytorch_lightning 2.6 uses what torch 2.15 deprecates.
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
            # Once for all processes of a run, which inherit it: they write to one folder.
            os.environ.setdefault("SDG_STARTED", time.strftime("%Y-%m-%d_%H-%M-%S"))
            os.environ["SDG_TRACEBACKS"] = str(int(_VERBOSE))
            # Else Hydra prints a shortened traceback of its own and exits.
            os.environ["HYDRA_FULL_ERROR"] = "1"
            with errors_in_one_line():
                return command()

        return main

    return decorate


def _refuse_second_additions(config_name: str, words: Sequence[str]) -> None:
    """Raises SDGError for ``+key={…}`` where ``key`` is there already: Hydra would mix the two silently."""
    addition = re.compile(r"\+([\w.]+)=\s*\{")
    added = [match[1] for word in words if (match := addition.match(word))]
    if not added:
        return
    others = [word for word in words if not addition.match(word)]
    loader = GlobalHydra.instance().config_loader()
    before = loader.load_configuration(config_name, others, run_mode=RunMode.RUN)
    for i, key in enumerate(added):
        if key in added[:i] or OmegaConf.select(before, key) is not None:
            raise SDGError(f"there are two of {key}: give the one that +{key} adds another name")


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn what the user can mend into an exit with one line, unless HYDRA_FULL_ERROR=1 asks for more."""
    try:
        yield
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
    """What the innermost error that we raised says, else ``error`` and what caused it, on a single line."""
    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override}: put text between quotes, as in 'prompts=[\"a face\"]'"
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__
    ours = [link for link in chain if isinstance(link, SDGError)]
    parts = [str(link) for link in (ours[-1:] or chain)]
    # Hydra and OmegaConf append where they looked, and which key of which object it was.
    parts = [part.split("\nConfig search path")[0].split("\n    full_key:")[0] for part in parts]
    line = ": ".join(" ".join(part.split()) for part in dict.fromkeys(parts))
    line = line.replace("str is not a ListConfig, list or tuple", "a list is written as key=[value]")
    return line + _suggestion(chain)


def _suggestion(chain: Sequence[BaseException]) -> str:
    """The option of a group that a mistyped one looks like."""
    for link in chain:
        if isinstance(link, MissingConfigException) and link.missing_cfg_file and link.options:
            typed = link.missing_cfg_file.rpartition("/")[2]
            if close := difflib.get_close_matches(typed, link.options, n=1):
                return f" (did you mean {close[0]}?)"
    return ""
