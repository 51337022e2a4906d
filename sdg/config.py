"""From configuration to objects, and from exceptions to one clear line: what the three entry points share."""

import functools
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sdg.errors import SDGError

ROOT = Path(__file__).resolve().parent.parent


def build(config: DictConfig, *args: Any, **kwargs: Any) -> Any:
    """Instantiate ``config`` by its ``_target_``s; constructors receive plain lists and dicts."""
    return instantiate(config, *args, _convert_="all", **kwargs)


def entry(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """Make a function of the configuration a command: Hydra's command line, errors as one line.

    Problems that the user can mend end in ``error: …`` and exit status 1; ``HYDRA_FULL_ERROR=1`` shows the traceback.
    """

    def decorate(task: Callable[[DictConfig], Any]) -> Callable[[], Any]:
        command = hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=config_name)(task)

        @functools.wraps(task)
        def main() -> Any:
            os.environ.setdefault("SDG_ROOT", str(ROOT))
            # pytorch_lightning 2.6 uses what torch 2.15 deprecates.
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
            verbose = os.environ.get("HYDRA_FULL_ERROR") == "1"
            os.environ["HYDRA_FULL_ERROR"] = "1"  # otherwise Hydra prints a traceback of its own
            try:
                return command()
            except (SDGError, HydraException, OmegaConfBaseException, OSError) as error:
                if verbose:
                    raise
                sys.exit(f"error: {_one_line(error)}")

        return main

    return decorate


def _one_line(error: BaseException) -> str:
    """The message of the innermost error that we raised, else of ``error`` itself, on a single line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SDGError):
            return str(cause)
        cause = cause.__cause__
    return " ".join(str(error).split("\nConfig search path")[0].split())


def plain(config: DictConfig) -> dict:
    """The resolved configuration as plain containers."""
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
