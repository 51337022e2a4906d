"""Measure a folder of samples: ``python evaluate.py samples=DIR mentions=FILE`` (see ``--help``)."""

from omegaconf import DictConfig

from sdg.config import entry


@entry("evaluate")
def main(config: DictConfig) -> None:
    from sdg.metrics.folder import is_run, loose_pictures

    if config.samples is not None and not is_run(config.samples):
        loose_pictures(config.samples)  # refused before what measures is imported

    from sdg.metrics.run import evaluate, table

    print(table(evaluate(config)))


if __name__ == "__main__":
    main()
