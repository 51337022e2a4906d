"""How well the time-dependent encoder finds the clean version of a noised image, at every noise level."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from PIL import Image
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from sdg.diffusion.schedule import NoiseSchedule
from sdg.files import write_whole
from sdg.metrics.retrieval import top_k
from sdg.networks.clip import CLIP
from sdg.randomness import keyed_generator
from sdg.training.figures import keep_figure
from sdg.training.time_clip import TimeCLIPTraining


def levels(schedule: NoiseSchedule) -> list[int]:
    """Eleven timesteps, from the first to the last: 0, 100, …, 900, 999 out of 1000."""
    last = len(schedule.alpha_bar) - 1
    return [min(i * (last + 1) // 10, last) for i in range(11)]


class RetrievalCurve(Callback):
    """After each validation, plots top-1 retrieval of x_0 from x_t against t, for student and plain CLIP.

    The pool is the validation set. Both encode x_t; the answer is the clean image whose original CLIP
    embedding is nearest. Writes ``retrieval_<step>.png`` and ``retrieval.json``; logs the mean, ``val/top1``.
    """

    def __init__(self, folder: str):
        self.folder = Path(folder)

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TimeCLIPTraining)
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]  # set, but not declared
        batches = [batch["image"] for batch in data.val_dataloader()]
        pool = sum(map(len, batches))
        curves = retrieval_curves(pl_module.teacher, pl_module.encoder, pl_module.schedule, batches)
        at = levels(pl_module.schedule)
        for t, value in zip(at, curves["time-dependent"], strict=True):
            pl_module.log(f"val/top1_t{t:03d}", value, rank_zero_only=True)
        pl_module.log("val/top1", fmean(curves["time-dependent"]), prog_bar=True, rank_zero_only=True)
        pl_module.log("val/top1_plain_clip", fmean(curves["plain CLIP"]), rank_zero_only=True)
        keep_figure(trainer, self.folder, "retrieval", draw_curves(at, curves, pool))
        record = {"t": at, "pool": pool, "step": trainer.global_step, "top1": curves}
        write_whole(self.folder / "retrieval.json", json.dumps(record, indent=1) + "\n")


@torch.no_grad()
def retrieval_curves(
    teacher: CLIP, encoder: nn.Module, schedule: NoiseSchedule, batches: Sequence[Tensor]
) -> dict[str, list[float]]:
    """Top-1 retrieval of x_0 from x_t at every t of :func:`levels`, by the encoder and by plain CLIP.

    Args:
        batches: the pool, (B, 3, H, W) each, on any device: they are moved to the networks' device one at a
            time. The noise depends on t and on the index of the batch.
    """
    device = next(encoder.parameters()).device
    clean = torch.cat([teacher.encode_image(images.to(device)) for images in batches])
    curves: dict[str, list[float]] = {"time-dependent": [], "plain CLIP": []}
    for t in levels(schedule):
        at_t, students, plain = torch.full((1,), t, device=device), [], []
        for i, images in enumerate(batches):
            x_t = _noised(schedule, images.to(device), t, i)
            students.append(F.normalize(encoder(x_t, at_t).pooled, dim=-1))
            plain.append(teacher.encode_image(x_t))
        curves["time-dependent"].append(top_k(torch.cat(students) @ clean.T, 1))
        curves["plain CLIP"].append(top_k(torch.cat(plain) @ clean.T, 1))
    return curves


def draw_curves(at: Sequence[int], curves: dict[str, list[float]], pool: int) -> Image.Image:
    """Top-1 against the timesteps ``at``, one line per name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    axes = figure.subplots()
    for (name, values), colour in zip(curves.items(), ("#1f5fbf", "#c2571a"), strict=False):
        axes.plot(at, values, marker="o", markersize=4, linewidth=2, color=colour, label=name)
    axes.axhline(1 / pool, color="#999", linewidth=1, linestyle=":")
    axes.annotate("chance", (at[0], 1 / pool), (0, 4), textcoords="offset points", color="#777", fontsize=9)
    axes.set(
        xlabel="timestep t of the noised image",
        ylabel="top-1 retrieval of its clean image",
        ylim=(-0.02, 1.03),
    )
    axes.set_title(f"finding one clean image among {pool}", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return Image.open(stream)


def _noised(schedule: NoiseSchedule, images: Tensor, t: int, batch: int) -> Tensor:
    generator = keyed_generator("retrieval", t, batch, device=images.device)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return schedule.diffuse(images, torch.full((len(images),), t, device=images.device), noise)
