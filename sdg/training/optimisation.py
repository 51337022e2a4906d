"""Optimiser, learning-rate schedule and weight averaging, shared by every training."""

import math
from collections.abc import Iterable

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


class Optimisation:
    """AdamW with a linear warm-up and a cosine decay to ``final`` times the peak learning rate.

    Args:
        lr: peak learning rate.
        warmup: steps of the linear rise.
        final: learning rate at the last step, as a fraction of the peak.
    """

    def __init__(
        self,
        lr: float,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        warmup: int = 100,
        final: float = 0.02,
    ):
        self.lr, self.weight_decay, self.warmup, self.final = lr, weight_decay, warmup, final
        self.betas = (betas[0], betas[1])

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
    """A moving average of ``model``'s parameters, whose decay rises as (1+n)/(10+n) up to ``decay``."""

    def average(averaged: Tensors, current: Tensors, updates: Tensor | int) -> None:
        count = int(updates)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + count) / (10 + count)))

    # Without gradients: DDP waits for the gradient of every parameter that requires one.
    return AveragedModel(model, multi_avg_fn=average, use_buffers=False).requires_grad_(False)
