"""One sampling run: from configuration to a folder of pictures with a page to look at."""

import logging
from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import DataLoader, Subset

from sdg.checkpoints import load_weights, locate, unfilled
from sdg.config import build, plain
from sdg.data.picture import list_pictures, read_picture
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.guidance.targets import TextTargets
from sdg.report.page import write_page
from sdg.sampling.aims import Aims
from sdg.sampling.module import GuidedSampling
from sdg.sampling.plan import SamplePlan, read_prompts
from sdg.sampling.start import Start
from sdg.sampling.store import SampleStore, reference_file
from sdg.sampling.trace import to_bytes
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
    references = [str(path) for given in config.references for path in list_pictures(given)]
    scale, columns = config.guidance.scale, config.samples_per_prompt
    if config.batch_size < 1:
        raise SDGError(f"batch_size={config.batch_size} draws nothing: use 1 or more")
    plan = SamplePlan(prompts, references, columns, config.seed, scale, config.unguided)
    module = build_sampling(config)
    # Whatever is wrong with the input ends the run before anything is written.
    module.aims.check(prompts, references)
    for prompt in prompts:
        if unknown := module.aims.texts.unknown_words(prompt):
            print(f"note: this encoder does not know {', '.join(unknown)} in {prompt!r}")

    store = SampleStore(config.output_dir, _settings(config, prompts, references))
    for path in module.aims.pictures(references):
        store.write_picture(reference_file(path), to_bytes(read_picture(path, module.aims.size)))
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
        first = min(sample.lost or 0 for sample in writer.broken)
        raise SDGError(
            f"{len(writer.broken)} of {len(plan)} samples became NaN, the first at step {first} of "
            f"{len(module.timeline)}, and were not kept: lower guidance.scale ({scale}), or limit the "
            "gradient with guidance.clamp"
        )
    return page


def build_sampling(config: DictConfig) -> GuidedSampling:
    """The networks of ``config``, with their weights, behind one module."""
    start: Start = build(config.start)
    with unfilled():  # networks take no memory before their weights are read
        denoiser: Denoiser = build(config.prior.denoiser)
        clip, encoder = build(config.encoder.clip), build(config.encoder.network)
    timeline = Timeline(denoiser.schedule, config.sampler.steps, start.strength)
    prior = config.prior
    files = [
        locate(prior.checkpoint, prior.get("url"), prior.get("sha256"), prior.get("download", False)),
        *(locate(config.encoder[key], setting=f"encoder.{key}") for key in ("clip_checkpoint", "checkpoint")),
    ]  # all of them, before the first takes its time to load
    for network, file in zip((denoiser.network, clip, encoder), files, strict=True):
        load_weights(network, file)
    aims = Aims(
        build(config.guidance, encoder=encoder),
        TextTargets(clip),
        denoiser.image_size,
        config.reference_noise,
        config.share_reference,
    )
    return GuidedSampling(
        denoiser,
        build(config.sampler.rule),
        timeline,
        aims,
        start,
        group=config.group,
        snapshots=config.snapshots,
        trace=config.trace,
    )


def _settings(config: DictConfig, prompts: list[str], references: list[str]) -> str:
    """What the samples depend on, as text; how they are computed (batch size, devices) may change."""
    free = ("batch_size", "trainer", "output_dir", "prompts_file")
    settings = {key: value for key, value in plain(config).items() if key not in free}
    return OmegaConf.to_yaml(OmegaConf.create(settings | {"prompts": prompts, "references": references}))
