"""Repeating a sampling run: the settings that its folder keeps, and what is typed beside them."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from sdg.errors import SDGError
from sdg.settings.known import choices

_NOT_SETTINGS = ("contents", "earlier")
_MANY = ("experiment", "method")
"""Groups that set several others, too."""


def repeat(fresh: DictConfig, typed: DictConfig, words: Sequence[str], folders: Sequence[Path]) -> DictConfig:
    """The settings of the run in the folder ``typed.again``, changed by what else is typed.

    Args:
        fresh: the command's settings without any words.
        typed: its settings with the words, from which groups are taken that they choose.
        words: what is typed after the command.
        folders: where the files of the configuration groups are.

    Raises:
        SDGError: no run's folder, or a word that has no place beside it.
    """
    config = copy.deepcopy(fresh)
    with open_dict(config):
        for name, value in _kept(Path(str(typed.again)).expanduser()).items():
            config[name] = OmegaConf.merge(config.trainer, value) if name == "trainer" else value
        for override in OverridesParser.create().parse_overrides(list(words)):
            name = override.key_or_group
            if name in _MANY:
                raise SDGError(f"again= repeats a run as it was: leave {name}= out, or again=")
            if override.is_delete():
                raise SDGError(f"again= repeats a run as it was: leave ~{name} out, or again=")
            if choices(folders, name):
                config[name] = typed[name]
            else:
                OmegaConf.update(config, name, OmegaConf.select(typed, name), merge=True, force_add=True)
    return config


def _kept(folder: Path) -> dict[str, Any]:
    path = folder / "config.yaml"
    if not (path.is_file() and (folder / "manifest.jsonl").is_file()):
        raise SDGError(f"{folder} holds no run of sample.py: give again=FOLDER, the output_dir of one")
    try:
        kept: Any = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException) as error:
        raise SDGError(f"{path} cannot be read: repeat the run by its command") from error
    return {name: value for name, value in kept.items() if name not in _NOT_SETTINGS}
