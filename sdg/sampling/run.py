"""One sampling run: from configuration to a folder of pictures with a page that shows them."""

from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from omegaconf import DictConfig

from sdg.config import build, check_sweep, command_line, plain, resolved
from sdg.data.listing import list_pictures
from sdg.data.picture import picture_size, read_picture
from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.guidance.prompt import seems_weighted
from sdg.locks import locked_folder
from sdg.pixels import to_bytes
from sdg.processes import first_process, set_rank
from sdg.report.grid import open_picture
from sdg.report.page import write_page
from sdg.sampling.alone import Alone, device_alone
from sdg.sampling.asked import check_numbers
from sdg.sampling.build import build_method
from sdg.sampling.method import Method
from sdg.sampling.plan import SamplePlan
from sdg.sampling.provenance import content_hash, describer, named_files
from sdg.sampling.recorded import as_text, changed_files, read_record, recorded, settle
from sdg.sampling.shard import PlanShard
from sdg.sampling.store import SampleStore, reference_file
from sdg.sampling.writer import SamplingBar, StoreWriter

if TYPE_CHECKING:  # Lightning is imported where it has something to do
    from pytorch_lightning.loggers import Logger

    from sdg.sampling.predicting import Spread

_TABLE_ROWS = 1000
"""Row limit of the loggers' table; the folder has all."""


def sample(config: DictConfig) -> Path:
    """Draw the plan of ``config`` into ``config.output_dir``; samples that an earlier run finished are kept.

    Returns:
        The path of the page that shows the pictures; on processes other than the first, the folder.

    Raises:
        SDGError: unusable input, or samples that became NaN or were not drawn.
    """
    prompts = list(config.prompts)
    if config.prompts_file is not None:
        prompts += read_prompts(config.prompts_file)
    references = [str(path) for given in config.references for path in list_pictures(given)]
    check_numbers(config)
    folder = Path(config.output_dir)
    for name in ("group", "side_by_side", "channels_last", "dtype"):
        if config[name] is None and (known := read_record(folder)):
            config[name] = known.get(name)
    asked = SamplePlan(prompts, references, config.samples_per_prompt, config.seed, 0.0, config.unguided)
    method = build_method(config, samples=len(asked))
    settings, plan = settle(
        folder,
        _settings(config, prompts, references),
        partial(SamplePlan, seed=config.seed, scale=method.scale),
    )
    # Unusable input ends the run before anything is written.
    method.check(prompts, references)
    crew = _crew(config)
    origin = describer(config)
    if config.again is not None and first_process():
        for name in changed_files(read_record(Path(config.again)) or {}, settings):
            print(f"note: {name} is not the file that {config.again} was drawn with")
    # Kernels that sum in a varying order would give a different sample each time.
    torch.backends.cudnn.deterministic = True
    with locked_folder(config.output_dir):
        store = SampleStore(
            config.output_dir, as_text(settings), crew.rank, lambda entry: origin(entry).text()
        )
        loggers: list[Logger] = []
        if first_process():
            _introduce(store, method, prompts, references)
            loggers = _open_loggers(config)
        try:
            shard = PlanShard(plan, store.done, config.batch_size)
            _draw(crew, method, shard, StoreWriter(store, loggers))
            if not first_process():
                return store.folder
            lost = store.finish(plan.ids())
            title = " ".join(["sample.py", *prompts[:1]])
            page = write_page(
                store.folder, store.records(), title, command_line("sample"), _edited(config, method, store)
            )
            _show(loggers, store)
        finally:
            if loggers:
                _finish(loggers)
    if absent := len(plan) - len(store.done) - len(lost):
        raise SDGError(f"{absent} of {len(plan)} samples were not drawn: give the same command again")
    if lost:
        raise SDGError(
            f"{len(lost)} of {len(plan)} samples became NaN, the first at step {min(lost.values())} of "
            f"{method.steps}, and were not kept: lower guidance.scale ({method.scale}), or limit the "
            "gradient with guidance.clamp"
        )
    return page


def _edited(config: DictConfig, method: Method, store: SampleStore) -> list[str]:
    """Copies of what every sample begins from, the picture and its mask, beside the samples."""
    start = config.get("start") or {}
    files = [path for key in ("image", "mask") if (path := start.get(key)) is not None]
    for path in files:
        store.write_picture(reference_file(str(path)), to_bytes(read_picture(path, method.size)))
    return [reference_file(str(path)) for path in files]


def _introduce(store: SampleStore, method: Method, prompts: list[str], references: list[str]) -> None:
    """Store the reference pictures beside the samples; report cropped pictures and unknown words."""
    pictures = method.pictures(references)
    for path in pictures:
        store.write_picture(reference_file(path), to_bytes(read_picture(path, method.size)))
    if oblong := [path for path in pictures if len({*picture_size(path)}) == 2]:
        width, height = picture_size(oblong[0])
        others = f", and so of {len(oblong) - 1} more" if len(oblong) > 1 else ""
        print(f"note: of {oblong[0]} ({width} x {height}) only the middle square is seen{others}")
    for prompt in prompts:
        if unknown := method.unknown_words(prompt):
            print(f"note: this encoder does not know {', '.join(unknown)} in {prompt!r}")
        if seems_weighted(prompt):
            print(f"note: {prompt!r} is drawn as it is: a weight needs a bar, as in 'a face | a hat:0.5'")


def _crew(config: DictConfig) -> "Alone | Spread":
    """What draws: this process, or all those of the trainer."""
    if (device := device_alone(plain(config.trainer))) is not None:
        set_rank(0)
        return Alone(device)
    from sdg.sampling.predicting import Spread
    from sdg.trainers import make_trainer

    make = partial(build, config.trainer, logger=False)
    trainer = make_trainer(make, "trainer=predict_ddp", config.trainer.get("num_nodes", 1))
    check_sweep(trainer)
    return Spread(trainer)


def _open_loggers(config: DictConfig) -> "list[Logger]":
    if not config.get("logger"):
        return []
    from sdg.report.loggers import open_loggers

    return open_loggers(
        {name: partial(build, node) for name, node in config.logger.items()}, resolved(config)
    )


def _draw(crew: "Alone | Spread", method: Method, shard: PlanShard, writer: StoreWriter) -> None:
    if not shard.left():
        return
    bar = SamplingBar(len(shard.plan), len(shard.done), method.steps, crew.processes)
    crew.draw(method, shard, bar, writer)
    bar.close()


def _finish(loggers: "list[Logger]") -> None:
    from sdg.report.loggers import finish

    finish(loggers)


def _show(loggers: "list[Logger]", store: SampleStore) -> None:
    """Send the grid and a table of the samples to the loggers."""
    if not loggers:
        return
    from sdg.report.loggers import show_pictures, show_table

    if (grid := store.folder / "grid.png").exists():
        show_pictures(loggers, "grid", [open_picture(grid)], [""], len(store.done))
    rows = [
        {
            "prompt": record["prompt"],
            "reference": record["reference"],
            "picture": open_picture(store.folder / record["file"]),
            "seed": f"{record['seed']}.{record['index']}",
            "scale": record["scale"],
            "scores": ", ".join(f"{name} {score:.3g}" for name, score in record["scores"].items()),
        }
        for record in islice(store.records(), _TABLE_ROWS)
    ]
    show_table(loggers, "all samples", rows)


def _settings(config: DictConfig, prompts: list[str], references: list[str]) -> dict[str, Any]:
    """All that the samples depend on; how they are computed (batch size, devices) may change."""
    pictures = [(Path(path).name, content_hash(Path(path))) for path in references]
    return recorded(plain(config), prompts, references, [*named_files(config).items(), *pictures])
