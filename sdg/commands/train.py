"""Train a network: ``python train.py +experiment=toyfaces_clip`` (see ``--help`` and conf/experiment)."""

from omegaconf import DictConfig

from sdg.config import entry


@entry("train")
def main(config: DictConfig) -> None:
    from sdg.training.run import train

    train(config)


if __name__ == "__main__":
    main()
