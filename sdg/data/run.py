"""Data set preparation, from configuration to cache."""

from omegaconf import DictConfig

from sdg.config import build, entry
from sdg.data.file_data import FileData
from sdg.errors import SDGError


def prepare(config: DictConfig) -> None:
    """Write the cache that training on ``config.data`` will use, or check the existing one."""
    data = build(config.data, size=config.size)
    if not isinstance(data, FileData):
        raise SDGError("this data set is drawn, not read: there is nothing to prepare")
    data.write_cache()
    print(f"prepared: {data.cache}")


main = entry("prepare")(prepare)
