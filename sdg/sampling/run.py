"""One sampling run: from configuration to a folder of pictures with a page to look at."""

import logging
from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import DataLoader, Subset

from sdg.checkpoints import load_weights
from sdg.config import build, plain
from sdg.errors import SDGError
from sdg.guidance.targets import TextTargets
from sdg.report.page import write_page
from sdg.sampling.module import GuidedSampling
from sdg.sampling.plan import SamplePlan, read_prompts
from sdg.sampling.store import SampleStore
from sdg.sampling.writer import SamplingBar, StoreWriter

# After Lightning has been imported, which sets the level itself: only what a user can act on.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


def sample(config: DictConfig) -> Path:
    """Draw the plan of ``config`` into ``config.output_dir``; what an earlier run finished is kept.

    Returns:
        The path of the page that shows the pictures.

    Raises:
        SDGError: unusable input, or samples that became NaN.
    """
    prompts = list(config.prompts)
    if config.prompts_file is not None:
        prompts += read_prompts(config.prompts_file)
    scale, columns = config.guidance.scale, config.samples_per_prompt
    if config.batch_size < 1:
        raise SDGError(f"batch_size={config.batch_size} draws nothing: use 1 or more")
    plan = SamplePlan(prompts, columns, config.seed, scale, config.unguided)
    module = build_sampling(config)
    for prompt in prompts:
        if unknown := module.texts.clip.tokenizer.unknown_words(prompt):
            print(f"note: this encoder does not know {', '.join(unknown)} in {prompt!r}")
    module.texts(prompts)  # a prompt that is too long ends the run before anything is written

    store = SampleStore(config.output_dir, _settings(config, prompts))
    writer = StoreWriter(store)
    bar = SamplingBar(len(plan), len(store.done), len(module.timeline))
    module.on_step = bar
    todo = Subset(plan, [entry.id for entry in plan if entry.id not in store.done])
    if len(todo):
        batches = DataLoader(todo, batch_size=config.batch_size, collate_fn=list)
        trainer: pl.Trainer = build(config.trainer, callbacks=[writer], logger=False)
        trainer.predict(module, batches, return_predictions=False)
    bar.close()
    records = store.finish()
    page = write_page(store.folder, records, title=" ".join(["sample.py", *prompts[:1]]))
    if writer.broken:
        raise SDGError(
            f"{len(writer.broken)} of {len(plan)} samples became NaN and were not kept: "
            f"lower guidance.scale ({scale})"
        )
    return page


def build_sampling(config: DictConfig) -> GuidedSampling:
    """The networks of ``config``, with their weights, behind one module."""
    denoiser = build(config.prior.denoiser)
    load_weights(denoiser.network, config.prior.checkpoint)
    clip = load_weights(build(config.encoder.clip), config.encoder.clip_checkpoint)
    encoder = load_weights(build(config.encoder.network), config.encoder.checkpoint)
    guidance = build(config.guidance, encoder=encoder)
    rule = build(config.sampler.rule)
    return GuidedSampling(denoiser, rule, config.sampler.steps, guidance, TextTargets(clip), config.group)


def _settings(config: DictConfig, prompts: list[str]) -> str:
    """What the samples depend on, as text; how they are computed (batch size, devices) may change."""
    free = ("batch_size", "trainer", "output_dir", "prompts_file")
    settings = {key: value for key, value in plain(config).items() if key not in free}
    return OmegaConf.to_yaml(OmegaConf.create(settings | {"prompts": prompts}))
