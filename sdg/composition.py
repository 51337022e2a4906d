"""Where configuration is found, and how it is composed outside of a command line.

Groups are looked for in ``./conf``, if the working folder has one, then in sdg's own ``conf``: a user's files
can add options to a group, or take the place of ours.
"""

import copy
import os
import pickle
import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, cast

import hydra
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException, HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sdg import schema
from sdg.settings import guards, known
from sdg.settings.names import folder_name

_INSTALLED = Path(__file__).resolve().parent / "shipped"
ROOT = _INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parent.parent
"""Holds ``conf/`` and ``checkpoints/``: the checkout or, in an installed package, a folder of it."""
CONF = ROOT / "conf"

_NO_SETTING = re.compile(
    r"Could not (?:override|delete) '([\w.]+)'|Could not delete from config\. '([\w.]+)' does not exist"
)

_ONE_AT_A_TIME = threading.RLock()
"""Hydra composes in a global state."""


def compose(command: str, words: Sequence[str] = ()) -> DictConfig:
    """The configuration of ``python <command>.py <words>``, a copy of one's own.

    Groups are composed once for each process; after that, other values for the same groups cost little and
    read no file.

    Raises:
        HydraException, OmegaConfBaseException: a word cannot be read, or names nothing that is there.
    """
    parsed = OverridesParser.create().parse_overrides(list(words))
    values = [override for override in parsed if _is_value(override)]
    others = _without_values(words, parsed)
    with _ONE_AT_A_TIME:
        if _meet(values, parsed):
            config = _hydra(command, words)
        else:
            config = _groups(command, others)
            try:
                for override in values:  # as Hydra applies them
                    OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
            except OmegaConfBaseException:
                _hydra(command, words)  # says it better
                raise
    at_home(config)
    check(command, config)
    return config


def chosen(command: str, words: Sequence[str] = ()) -> DictConfig:
    """Like :func:`compose`, with the values that the groups begin with; nothing is checked."""
    parsed = OverridesParser.create().parse_overrides(list(words))
    with _ONE_AT_A_TIME:
        return _groups(command, _without_values(words, parsed))


def composed() -> list[Path]:
    """The files that this process has composed configurations of."""
    return [Path(file) for file in RememberedFiles.parsed]


def check(command: str, config: DictConfig) -> None:
    """Raise SDGError for a setting that nothing reads, with the nearest known one; see :mod:`.settings`."""
    known.check(_plain(config), schema.top_level(command), conf_folders())


def check_values(config: DictConfig) -> None:
    """Raise SDGError for an argument that its constructor refuses; before that is imported."""
    guards.check(_plain(config))


def at_home(node: DictConfig | ListConfig) -> None:
    """Replace ``~`` by the home folder where a setting begins with it; prompts are text."""
    for key in range(len(node)) if isinstance(node, ListConfig) else [*node]:
        child: Any = node._get_node(key)
        if key == "prompts" or child._is_none() or child._is_missing() or child._is_interpolation():
            continue
        if isinstance(child, DictConfig | ListConfig):
            at_home(child)
        elif str(child).startswith("~"):
            node[key] = os.path.expanduser(str(child))


def explained(error: ConfigCompositionException, command: str, words: Sequence[str]) -> str | None:
    """The line about a word that names no setting; None if the error is about something else.

    Args:
        words: what ``command`` was given.
    """
    match = _NO_SETTING.search(str(error))
    if match is None:
        return None
    name = match[1] or match[2]
    if added := [word for word in words if word.startswith("experiment=") and name == "experiment"]:
        return f"an experiment is added to the settings: write +{added[0]}"
    others = [word for word in words if word.lstrip("+~").partition("=")[0].partition("@")[0] != name]
    with _ONE_AT_A_TIME:
        GlobalHydra.instance().clear()
        try:
            config = _hydra(command, others)
        except HydraException:  # another word is wrong, too
            config = _hydra(command, ())
    return known.unknown(name, _plain(config), conf_folders())


def _plain(config: DictConfig) -> dict[str, Any]:
    """Interpolations stay unresolved."""
    return cast(dict[str, Any], OmegaConf.to_container(config))


def conf_folders() -> tuple[Path, ...]:
    """Where configuration groups are found: the user's folder first, if there is one."""
    own = user_conf()
    return (CONF,) if own is None else (own, CONF)


def user_conf() -> Path | None:
    """The ``conf`` folder of the working folder, if it has one that is not ours."""
    own = Path.cwd() / "conf"
    return own if own.is_dir() and own.resolve() != CONF else None


def _is_value(override: Override) -> bool:
    """Whether an override changes a value, rather than a group's choice, or what keys there are."""
    group = override.key_or_group
    folders = (CONF, user_conf() or CONF)
    plain = override.type == OverrideType.CHANGE and "/" not in group
    return plain and not any((path / group).is_dir() for path in folders)


def _without_values(words: Sequence[str], parsed: Sequence[Override]) -> tuple[str, ...]:
    return tuple(word for word, override in zip(words, parsed, strict=True) if not _is_value(override))


def _meet(values: Sequence[Override], words: Sequence[Override]) -> bool:
    """Whether a word deletes what another sets, so that their order matters."""
    gone = [word.key_or_group for word in words if word.type == OverrideType.DEL]
    return any(f"{value.key_or_group}.".startswith(f"{name}.") for value in values for name in gone)


def _user_files() -> tuple[tuple[str, int], ...]:
    """The user's configuration files, with the times of their last change."""
    own = user_conf()
    files = sorted(own.rglob("*.yaml")) if own else []
    return tuple((str(file), file.stat().st_mtime_ns) for file in files)


def _groups(command: str, words: tuple[str, ...]) -> DictConfig:
    """What Hydra composes of words without values; a copy."""
    return cast(DictConfig, pickle.loads(_pickled(command, words, _user_files())))


@lru_cache(maxsize=64)
def _pickled(command: str, words: tuple[str, ...], files: tuple[tuple[str, int], ...]) -> bytes:
    # OmegaConf's own copies take six times as long.
    return pickle.dumps(_hydra(command, words))


def _hydra(command: str, words: Sequence[str]) -> DictConfig:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(command, list(words))


class RememberedFiles(FileConfigSource):
    """YAML files, parsed once and again only if they change."""

    parsed: ClassVar[dict[str, tuple[int, ConfigResult]]] = {}

    @staticmethod
    def scheme() -> str:
        return "remembered"

    def load_config(self, config_path: str) -> ConfigResult:
        file = os.path.join(self.path, self._normalize_file_name(config_path))
        changed = os.stat(file).st_mtime_ns if os.path.exists(file) else 0
        kept = self.parsed.get(file)
        if kept is None or kept[0] != changed:
            kept = self.parsed[file] = changed, super().load_config(config_path)
        result = kept[1]
        return ConfigResult(result.provider, result.path, copy.deepcopy(result.config), dict(result.header))


class SearchPath(SearchPathPlugin):
    """Puts the user's folder before ours, and both into memory."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for element in search_path.get_path():
            if element.path is not None and element.path.removeprefix("file://") == str(CONF):
                element.path = f"{RememberedFiles.scheme()}://{CONF}"
        if own := user_conf():
            search_path.prepend("user", f"{RememberedFiles.scheme()}://{own}")


os.environ.setdefault("SDG_ROOT", str(ROOT))  # what conf/paths refers to
schema.register()
OmegaConf.register_new_resolver("sdg.folder", folder_name, replace=True)  # for conf/hydra
for plugin in (RememberedFiles, SearchPath):
    Plugins.instance().register(plugin)
