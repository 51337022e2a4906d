"""Measure a folder of samples: ``python evaluate.py samples=DIR mentions=FILE`` (see ``--help``)."""

from omegaconf import DictConfig

from sdg.config import entry
from sdg.errors import SDGError


@entry("evaluate")
def main(config: DictConfig) -> None:
    from sdg.metrics.folder import is_run, loose_pictures

    if not is_run(config.samples):
        loose_pictures(config.samples)  # refused before what measures is imported

    from sdg.metrics.run import evaluate, table

    found = evaluate(config)
    print(table(found.report))
    if found.failed:
        names = {
            why: [name for name, its in found.failed.items() if its == why] for why in found.failed.values()
        }
        told = "; ".join(f"{', '.join(those)}: {why}" for why, those in names.items())
        raise SDGError(f"not all could be measured ({told}); metrics.json has the rest")


if __name__ == "__main__":
    main()
