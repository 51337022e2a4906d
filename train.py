"""Train a network: ``python train.py +experiment=toyfaces_clip`` (see ``--help`` and conf/experiment)."""

from sdg.commands.train import main

if __name__ == "__main__":
    main()
