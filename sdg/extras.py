"""Libraries that not everyone needs: each comes with an extra of the package."""

from importlib import import_module
from types import ModuleType

from sdg.errors import SDGError

EXTRAS = {
    "diffusers": "diffusers",
    "gradio": "play",
    "lmdb": "lsun",
    "matplotlib": "figures",
    "optuna": "sweeps",
    "torch_fidelity": "metrics",
    "torchmetrics": "metrics",
    "trackio": "trackio",
    "wandb": "wandb",
}
"""The extra that brings a library, as in ``pip install 'sdg[figures]'``."""


def need(module: str) -> ModuleType:
    """A module of a library in :data:`EXTRAS`.

    Raises:
        SDGError: the library is not installed.
    """
    library = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        raise SDGError(
            f"this needs {library}, which is not installed: pip install 'sdg[{EXTRAS[library]}]', or in a "
            f"checkout pip install -e '.[{EXTRAS[library]}]'"
        ) from error
