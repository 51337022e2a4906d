"""Fine-tuning of the time-dependent image encoder: the paper's only training, on images alone."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from sdg.diffusion.codec import Codec, Pixels
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.networks.clip import CLIP
from sdg.networks.time_encoder import TimeEncoder
from sdg.randomness import keyed_generator
from sdg.training.batchnorm import Policy, freeze, set_policy
from sdg.training.checkpointing import recompute_blocks
from sdg.training.contrast import Contrast
from sdg.training.objectives import Distillation, Objective
from sdg.training.optimisation import Optimisation
from sdg.training.parts import learn_only
from sdg.training.ranks import Ranks
from sdg.training.teacher_cache import TeacherCache
from sdg.training.timesteps import Timesteps
from sdg.training.training import Training


class TimeCLIPTraining(Training):
    """Trains E'_I(x_t, t), the student, on noised images to match the frozen teacher E_I(x_0) on clean ones.

    t is random, one per image; captions are never used.

    Args:
        clip: the original CLIP; its image tower is the teacher, and stays unchanged.
        encoder: makes the student from CLIP's image tower: ``from_clip`` with its options.
        schedule: on which the encoder learns noise; it guides priors of any.
        cache_teacher: run the teacher only once per view of a picture; this needs data from files.
        cache_gigabytes: the most that its answers take on each machine; see :class:`TeacherCache`.
        learns: the parts of the student that are trained, such as ``[layer4, attn_pool]``; None: all of it.
        batchnorm: ``train`` lets the student's running statistics follow the noisy data, as released (with
            several devices, the first one's data); ``synchronised`` computes them over all devices;
            ``frozen`` keeps CLIP's.
        checkpointing: recompute a ResNet's blocks in the backward pass to save memory.
        objective: the loss; by default the paper's.
        timesteps: distribution of t in training; by default uniform, as in validation and as released.
        codec: of that prior, whose states the student is shown; by default states are pictures.

    Raises:
        SDGError: the student has no such part, or ``batchnorm`` would change the others.
    """

    least_batch = 2

    def __init__(
        self,
        clip: CLIP,
        encoder: Callable[[nn.Module], TimeEncoder],
        schedule: NoiseSchedule,
        optimisation: Optimisation,
        learns: Sequence[str] | None = None,
        batchnorm: Policy = "train",
        cache_teacher: bool = False,
        cache_gigabytes: float = 4.0,
        checkpointing: bool = False,
        objective: Objective | None = None,
        timesteps: Timesteps | None = None,
        codec: Codec | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self.encoder = encoder(clip.model.visual).to(memory_format=torch.channels_last)
        set_policy(self.encoder, batchnorm)
        if learns is not None:
            if batchnorm != "frozen":
                raise SDGError(f"with model.batchnorm={batchnorm} more than model.learns changes: use frozen")
            learn_only(self.encoder, learns, "model.learns")
        if checkpointing:
            recompute_blocks(self.encoder)
        self.schedule, self.optimisation = schedule, optimisation
        self.batchnorm, self.seed = batchnorm, seed
        self.objective, self.timesteps = objective or Distillation(), timesteps
        self.contrast = Contrast(of_chance=2)
        # In lists, to be neither trained nor in the checkpoint.
        self._teacher = [clip.eval().requires_grad_(False)]
        self._codec = [(codec or Pixels()).eval().requires_grad_(False)]
        self._cache = TeacherCache(self.ask_teacher, cache_gigabytes) if cache_teacher else None

    @property
    def teacher(self) -> CLIP:
        """The frozen CLIP, on this module's device."""
        self._teacher[0].to(self.device)
        return self._teacher[0]

    @property
    def codec(self) -> Codec:
        """Between pictures and the states that the student is shown, on this module's device."""
        self._codec[0].to(self.device)
        return self._codec[0]

    def ask_student(self, states: Tensor, t: Tensor) -> Tensor:
        """The student's embeddings (B, D) of noised states (B, C, s, s) at t (B,) or (1,)."""
        seen = states if self.encoder.reads_states else self.codec.decode(states)
        embeddings: Tensor = self.encoder(seen, t).pooled
        return embeddings

    def ask_teacher(self, images: Tensor) -> Tensor:
        """The teacher's embeddings (B, D) of images (B, 3, H, W), in its own precision."""
        teacher = self.teacher
        dtype = next((parameter.dtype for parameter in teacher.parameters()), images.dtype)
        return teacher.encode_image(images.to(dtype))

    def training_step(self, batch: dict, batch_idx: int) -> Tensor:
        if self.batchnorm == "frozen":
            freeze(self.encoder)
        generator = keyed_generator("time clip", self.seed, batch["step"], device=self.device)
        ranks = Ranks.current()
        loss, contrast = self._loss(batch, generator, ranks, self.timesteps)
        self.contrast.note(contrast, len(batch["image"]) * ranks.size)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict, batch_idx: int) -> None:
        generator = keyed_generator("time clip validation", self.seed, batch_idx, device=self.device)
        loss, _ = self._loss(batch, generator, Ranks(), None)
        self.log("val/loss", loss, batch_size=len(batch["image"]), sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return self.optimisation(self.encoder.parameters(), self.trainer.max_steps)

    def trained(self) -> nn.Module:
        """The student, which the optimiser updates."""
        return self.encoder

    def exported(self) -> nn.Module:
        """The student, which guides."""
        return self.encoder

    def exported_notes(self) -> dict[str, str]:
        """On which schedule it has learned noise, which whoever is guided by it must know."""
        return {"schedule": str(self.schedule)}

    def verdict(self) -> str:
        return self.contrast.verdict()

    def _loss(
        self, batch: dict, generator: torch.Generator, ranks: Ranks, timesteps: Timesteps | None
    ) -> tuple[Tensor, Tensor]:
        images, steps = batch["image"], len(self.schedule)
        options: dict[str, Any] = {"generator": generator, "device": self.device}

        def draw(count: int) -> Tensor:
            if timesteps is None:
                return torch.randint(steps, (count,), **options)
            return timesteps(torch.rand(count, **options), self.schedule)

        each = batch.get("family", 1)  # siblings share level and noise: only the attribute is between them
        t = ranks.share(draw, len(images) // each).repeat_interleave(each)
        with torch.no_grad():
            states = self.codec.encode(images)
        shape = states.shape[1:]
        noise = ranks.share(
            lambda n: torch.randn(n, *shape, dtype=torch.float32, **options), len(images) // each
        ).repeat_interleave(each, dim=0)
        with torch.no_grad():
            target = self._target(batch)
        noised = self.schedule.diffuse(states, t, noise.to(states))
        student = F.normalize(self.ask_student(noised, t), dim=-1)
        with torch.no_grad():
            targets = ranks.gather(target)
        return self.objective(ranks.gather(student), targets, paired=each > 1)

    def _target(self, batch: dict) -> Tensor:
        if self._cache is None:
            return self.ask_teacher(batch["image"])
        if "index" not in batch:
            raise SDGError("encoder.cache_teacher=true needs data from files: use false with this data set")
        return self._cache(batch["image"], batch["index"], batch["flipped"])
