"""How well the time-dependent encoder finds the clean version of a noised image, at every noise level."""

import io
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from PIL import Image
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from sdg.diffusion.codec import Codec, Pixels
from sdg.diffusion.schedule import NoiseSchedule
from sdg.extras import need
from sdg.files import write_whole
from sdg.metrics.retrieval import top_k
from sdg.networks.clip import CLIP
from sdg.pixels import from_bytes, to_bytes
from sdg.randomness import keyed_generator
from sdg.training.figures import keep_figure
from sdg.training.time_clip import TimeCLIPTraining


def levels(schedule: NoiseSchedule) -> list[int]:
    """Eleven timesteps, from the first to the last: 0, 100, …, 900, 999 out of 1000."""
    last = len(schedule.alpha_bar) - 1
    return [min(i * (last + 1) // 10, last) for i in range(11)]


class RetrievalCurve(Callback):
    """After each validation, plots top-1 retrieval of x_0 from x_t against t, for student and plain CLIP.

    The pool is the beginning of the validation set, as its batches come by. Both encode x_t; the answer is
    the clean image whose original CLIP embedding is nearest. Writes ``retrieval_<step>.png`` and
    ``retrieval.json``; logs the mean, ``val/top1``. What plain CLIP does is found once in a run.

    Args:
        folder: where the figures go.
        pictures: the most that are searched; each costs the student eleven forward passes.
    """

    def __init__(self, folder: str, pictures: int = 512):
        need("matplotlib.figure")  # asked for now, not after the first thousand steps
        self.folder, self.pictures = Path(folder), pictures
        self._batches: list[Tensor] = []
        self._clean: Tensor | None = None
        self._plain: list[float] = []

    def on_validation_epoch_start(self, *_: Any) -> None:
        self._batches = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        room = self.pictures - sum(map(len, self._batches))
        if room > 0 and trainer.is_global_zero:
            self._batches.append(to_bytes(batch["image"][:room]))

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TimeCLIPTraining)
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        curves = self._curves(trainer, pl_module)
        at, pool = levels(pl_module.schedule), sum(map(len, self._batches))
        for t, value in zip(at, curves["time-dependent"], strict=True):
            pl_module.log(f"val/top1_t{t:03d}", value, rank_zero_only=True)
        pl_module.log("val/top1", fmean(curves["time-dependent"]), prog_bar=True, rank_zero_only=True)
        pl_module.log("val/top1_plain_clip", fmean(curves["plain CLIP"]), rank_zero_only=True)
        keep_figure(trainer, self.folder, "retrieval", draw_curves(at, curves, pool))
        record = {"t": at, "pool": pool, "step": trainer.global_step, "top1": curves}
        write_whole(self.folder / "retrieval.json", json.dumps(record, indent=1) + "\n")
        self._batches = []

    def _curves(self, trainer: pl.Trainer, module: TimeCLIPTraining) -> dict[str, list[float]]:
        dtype, ask = next(module.encoder.parameters()).dtype, module.ask_teacher
        batches = [from_bytes(pixels).to(dtype) for pixels in self._batches]
        codec = module.codec
        search = Search(module.schedule, batches, trainer.precision_plugin.forward_context, codec)
        if self._clean is None:
            self._clean = search.clean(ask)
            self._plain = search.curve(lambda x_t, _: ask(codec.decode(x_t)), self._clean)
        student = search.curve(module.ask_student, self._clean)
        return {"time-dependent": student, "plain CLIP": self._plain}


@torch.no_grad()
def retrieval_curves(
    teacher: CLIP, encoder: nn.Module, schedule: NoiseSchedule, batches: Sequence[Tensor]
) -> dict[str, list[float]]:
    """Top-1 retrieval of x_0 from x_t at every t of :func:`levels`, by the encoder and by plain CLIP.

    Args:
        batches: the pool, (B, 3, H, W) each, on the networks' device.
    """
    search = Search(schedule, batches)
    clean = search.clean(teacher.encode_image)
    return {
        "time-dependent": search.curve(lambda x_t, t: encoder(x_t, t).pooled, clean),
        "plain CLIP": search.curve(lambda x_t, _: teacher.encode_image(x_t), clean),
    }


class Search(NamedTuple):
    """A pool of pictures in which the clean version of each noised one is looked for.

    The noise depends on t and on the index of the batch. Encoders compute in ``context``, the comparison of
    embeddings is always in float32: in a half precision many would tie.
    """

    schedule: NoiseSchedule
    batches: Sequence[Tensor]
    context: Callable[[], AbstractContextManager] = nullcontext
    codec: Codec = Pixels()
    """Noise is added to the states that pictures become."""

    def clean(self, ask: Callable[[Tensor], Tensor]) -> Tensor:
        """What ``ask`` gives for the clean pictures: embeddings (N, D)."""
        with self.context():
            return torch.cat([F.normalize(ask(images).float(), dim=-1) for images in self.batches])

    def curve(self, embed: Callable[[Tensor, Tensor], Tensor], clean: Tensor) -> list[float]:
        """Top-1 at every level, for ``embed``: x_t (B, C, s, s) and t (1,) to embeddings (B, D)."""
        found = []
        for t in levels(self.schedule):
            at_t = torch.full((1,), t, device=clean.device)
            with self.context():
                states = map(self.codec.encode, self.batches)
                noised = (_noised(self.schedule, each, t, i) for i, each in enumerate(states))
                embeddings = torch.cat([F.normalize(embed(x_t, at_t).float(), dim=-1) for x_t in noised])
            found.append(top_k(embeddings @ clean.T, 1))
        return found


def draw_curves(at: Sequence[int], curves: dict[str, list[float]], pool: int) -> Image.Image:
    """Top-1 against the timesteps ``at``, one line per name."""
    figure = need("matplotlib.figure").Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
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
    noise = torch.randn(images.shape, generator=generator, device=images.device, dtype=torch.float32)
    return schedule.diffuse(images, torch.full((len(images),), t, device=images.device), noise.to(images))
