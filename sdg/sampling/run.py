"""One sampling run: from configuration to a folder of pictures with a page to look at."""

import logging
from pathlib import Path

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import DataLoader, Subset

from sdg.config import build, plain
from sdg.data.picture import list_pictures, read_picture
from sdg.errors import SDGError
from sdg.report.page import write_page
from sdg.sampling.method import Method
from sdg.sampling.plan import SamplePlan, read_prompts
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
    if config.batch_size < 1:
        raise SDGError(f"batch_size={config.batch_size} draws nothing: use 1 or more")
    method: Method = build(config.method)
    columns = config.samples_per_prompt
    plan = SamplePlan(prompts, references, columns, config.seed, method.scale, config.unguided)
    # Whatever is wrong with the input ends the run before anything is written.
    method.check(prompts, references)
    for prompt in prompts:
        if unknown := method.unknown_words(prompt):
            print(f"note: this encoder does not know {', '.join(unknown)} in {prompt!r}")

    store = SampleStore(config.output_dir, _settings(config, prompts, references))
    for path in method.pictures(references):
        store.write_picture(reference_file(path), to_bytes(read_picture(path, method.size)))
    writer = StoreWriter(store)
    bar = SamplingBar(len(plan), len(store.done), method.steps)
    method.on_step = bar
    todo = Subset(plan, [entry.id for entry in plan if entry.id not in store.done])
    if len(todo):
        batches = DataLoader(todo, batch_size=config.batch_size, collate_fn=list)
        trainer: pl.Trainer = build(config.trainer, callbacks=[writer], logger=False)
        trainer.predict(method, batches, return_predictions=False)
    bar.close()
    records = store.finish()
    page = write_page(store.folder, records, title=" ".join(["sample.py", *prompts[:1]]))
    if writer.broken:
        first = min(sample.lost or 0 for sample in writer.broken)
        raise SDGError(
            f"{len(writer.broken)} of {len(plan)} samples became NaN, the first at step {first} of "
            f"{method.steps}, and were not kept: lower guidance.scale ({method.scale}), or limit the "
            "gradient with guidance.clamp"
        )
    return page


def _settings(config: DictConfig, prompts: list[str], references: list[str]) -> str:
    """What the samples depend on, as text; how they are computed (batch size, devices) may change."""
    free = ("batch_size", "trainer", "output_dir", "prompts_file")
    settings = {key: value for key, value in plain(config).items() if key not in free}
    return OmegaConf.to_yaml(OmegaConf.create(settings | {"prompts": prompts, "references": references}))
