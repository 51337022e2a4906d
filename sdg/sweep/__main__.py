"""Search settings: ``python -m sdg.sweep +sweep=guidance_scale`` (see ``--help`` and conf/sweep)."""

from omegaconf import DictConfig

from sdg.config import entry


@entry("sweep")
def main(config: DictConfig) -> None:
    from sdg.sweep.run import search

    search(config)


if __name__ == "__main__":
    main()
