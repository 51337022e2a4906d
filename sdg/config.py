"""From configuration to objects, and from exceptions to one clear line: what the three entry points share."""

import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sdg import schema
from sdg.errors import SDGError

schema.register()

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("SDG_ROOT", str(ROOT))  # what conf/paths refers to

_VERBOSE = "HYDRA_FULL_ERROR"


def build(config: DictConfig, *args: Any, **kwargs: Any) -> Any:
    """Instantiate ``config`` by its ``_target_``s; constructors receive plain lists and dicts."""
    return instantiate(config, *args, _convert_="all", **kwargs)


def plain(config: DictConfig) -> dict:
    """The resolved configuration as plain containers."""
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]


def entry(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """Make a function of the configuration a command: Hydra's command line, errors as one line.

    Problems that the user can mend end in ``error: …`` and exit status 1; ``HYDRA_FULL_ERROR=1`` shows the traceback.
    In a sweep every job gets a folder of its own below ``output_dir``.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], Any]:
        def job(config: DictConfig) -> Any:
            running = HydraConfig.get()
            if running.mode == RunMode.MULTIRUN:
                config.output_dir = running.runtime.output_dir
            with _errors_in_one_line():
                return task(config)

        functools.update_wrapper(job, task)
        command = hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=config_name)(job)

        def main() -> Any:
            # pytorch_lightning 2.6 uses what torch 2.15 deprecates.
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
            with _errors_in_one_line():
                return command()

        return main

    return decorate


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Turn what the user can mend into an exit with one line, unless HYDRA_FULL_ERROR=1 asks for the traceback."""
    verbose = os.environ.get(_VERBOSE) == "1"
    os.environ[_VERBOSE] = "1"  # else Hydra prints a shortened traceback of its own and exits
    try:
        yield
    except (SDGError, HydraException, OmegaConfBaseException) as error:
        if verbose:
            raise
        sys.exit(f"error: {one_line(error)}")
    finally:
        os.environ[_VERBOSE] = "1" if verbose else "0"


def one_line(error: BaseException) -> str:
    """The message of the innermost error that we raised, else of ``error`` and what caused it, on a single line."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__
    ours = [link for link in chain if isinstance(link, SDGError)]
    parts = [str(link) for link in (ours[-1:] or chain)]
    # Hydra and OmegaConf append where they looked and which key of which object it was; the first part says it all.
    parts = [part.split("\nConfig search path")[0].split("\n    full_key:")[0] for part in parts]
    return ": ".join(" ".join(part.split()) for part in dict.fromkeys(parts))
