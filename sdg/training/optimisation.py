"""Optimiser, learning-rate schedule and weight averaging, shared by every training."""

import math
from collections.abc import Iterable

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from sdg.errors import SDGError

Tensors = tuple[Tensor, ...] | list[Tensor]


class Optimisation:
    """AdamW with a linear warm-up and a cosine decay to ``final`` times the peak learning rate.

    Args:
        lr: peak learning rate.
        warmup: steps of the linear rise.
        final: learning rate at the last step, as a fraction of the peak.

    Raises:
        SDGError: a number that no training can have.
    """

    def __init__(
        self,
        lr: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        warmup: int = 100,
        final: float = 0.02,
    ):
        for name, value, wanted, right in (
            ("lr", lr, "a number above 0", lr > 0),
            ("weight_decay", weight_decay, "0 or more", weight_decay >= 0),
            ("betas", betas, "two numbers from 0 to below 1", [0 <= b < 1 for b in betas] == [True] * 2),
            ("warmup", warmup, "0 or more", warmup >= 0),
            ("final", final, "0 or more", final >= 0),
        ):
            if not right:
                raise SDGError(f"model.optimisation.{name}={value} makes no sense: use {wanted}")
        self.lr, self.weight_decay, self.warmup, self.final = lr, weight_decay, warmup, final
        self.betas = (betas[0], betas[1])

    def __str__(self) -> str:
        fall = "constant" if self.final == 1 else f"falling to {self.final:g} of it"
        return (
            f"AdamW, learning rate {self.lr:g} after {self.warmup} steps of warm-up, then {fall}, "
            f"betas {self.betas[0]:g} and {self.betas[1]:g}, weight decay {self.weight_decay:g}"
        )

    def __call__(self, parameters: Iterable[nn.Parameter], steps: int) -> OptimizerLRSchedulerConfig:
        """What Lightning's ``configure_optimizers`` returns for a run of ``steps`` steps."""
        optimizer = torch.optim.AdamW(
            [p for p in parameters if p.requires_grad],
            lr=self.lr,
            weight_decay=self.weight_decay,
            betas=self.betas,
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.factor(step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def factor(self, step: int, steps: int) -> float:
        """Learning rate at ``step`` of ``steps``, relative to the peak."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / max(1, steps - self.warmup))
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2


def exponential_average(model: nn.Module, decay: float) -> AveragedModel:
    """A moving average of ``model``'s parameters, whose decay rises as (1+n)/(10+n) up to ``decay``.

    Raises:
        SDGError: a decay outside [0, 1).
    """
    if not 0 <= decay < 1:
        raise SDGError(f"model.ema_decay={decay} averages nothing: use a number from 0 to below 1")

    def average(averaged: Tensors, current: Tensors, updates: Tensor | int) -> None:
        count = int(updates)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + count) / (10 + count)))

    # Without gradients: DDP waits for the gradient of every parameter that requires one.
    return AveragedModel(model, multi_avg_fn=average, use_buffers=False).requires_grad_(False)
