"""Draw guided samples: ``python sample.py 'prompts=["a smiling face with red hair"]'`` (see ``--help``)."""

from omegaconf import DictConfig

from sdg.config import entry, resolved
from sdg.stopping import started_by_first


@entry("sample")
def main(config: DictConfig) -> None:
    from sdg.sampling.asked import MADE, check_aims, check_numbers, check_weights
    from sdg.settings.guards import refuse

    settings = resolved(config)
    for target in MADE:
        refuse(target, settings)
    check_numbers(settings)
    check_aims(settings)
    check_weights(settings)
    if not started_by_first():
        print(f"loading what will draw into {config.output_dir}", flush=True)
    import torch

    from sdg.sampling.run import first_process, sample

    # The threads that PyTorch starts from now on take after this one: see sdg/diffusion/branches.py.
    torch.set_flush_denormal(True)
    page = sample(config)
    if first_process():
        print(f"look at {page}")


if __name__ == "__main__":
    main()
