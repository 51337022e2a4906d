"""Draw guided samples: ``python sample.py 'prompts=["a smiling face with red hair"]'`` (see ``--help``)."""

from omegaconf import DictConfig

from sdg.config import entry


@entry("sample")
def main(config: DictConfig) -> None:
    from sdg.sampling.run import first_process, sample

    page = sample(config)
    if first_process():
        print(f"look at {page}")


if __name__ == "__main__":
    main()
