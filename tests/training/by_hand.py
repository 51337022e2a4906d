"""A training by Lightning in float64, and what it must do: AdamW, schedule, clipping and average by hand."""

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader

LR, WARMUP, FINAL, DECAY, BETAS = 0.02, 2, 0.3, 0.1, (0.8, 0.95)
RATES = [0.01, 0.02, 0.02, 0.02 * (0.3 + 0.7 * (1 + 0.5) / 2), 0.02 * (0.3 + 0.7 * (1 - 0.5) / 2)]
"""Two steps of warm-up, then a cosine from 1 to 0.3 whose angles here are 0, 60 and 120 degrees."""

STEPS = len(RATES)


class Record(Callback):
    """The loss, the learning rate and the norm of the gradient of every step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.norms: list[float] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        self.losses.append(float(outputs["loss"]))
        self.norms.append(float(trainer.callback_metrics["train/gradient_norm"]))


def fit(module: pl.LightningModule, batches: Sequence[dict], clip: float | None = None) -> Record:
    """Train ``module`` on one batch a step."""
    record = Record()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=len(batches),
        precision="64-true",
        gradient_clip_val=clip,
        callbacks=[record],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        log_every_n_steps=1,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no `val_dataloader`")
        trainer.fit(module, DataLoader(batches, batch_size=None))
    return record


class ByHand:
    """AdamW over ``parameters`` (Loshchilov & Hutter 2019, algorithm 2), with everything around it."""

    def __init__(self, parameters: Iterable[nn.Parameter], clip: float = math.inf):
        self.parameters, self.clip, self.count = list(parameters), clip, 0
        self.m = [torch.zeros_like(p) for p in self.parameters]
        self.v = [torch.zeros_like(p) for p in self.parameters]
        self.norms: list[float] = []

    def step(self, loss: Tensor) -> None:
        """Take the gradient of ``loss`` and a step."""
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        norm = math.sqrt(sum(float((g * g).sum()) for g in gradients if g is not None))
        self.norms.append(norm)
        lr = RATES[self.count]
        self.count += 1
        with torch.no_grad():
            for i, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
                if g is None:
                    continue
                g = g * min(1.0, self.clip / (norm + 1e-6))
                self.m[i] = BETAS[0] * self.m[i] + (1 - BETAS[0]) * g
                self.v[i] = BETAS[1] * self.v[i] + (1 - BETAS[1]) * g * g
                m_hat = self.m[i] / (1 - BETAS[0] ** self.count)
                v_hat = self.v[i] / (1 - BETAS[1] ** self.count)
                p.copy_(p - lr * DECAY * p - lr * m_hat / (v_hat.sqrt() + 1e-8))


class Average:
    """The average of ``network``'s parameters: the first step's, then with decay min((1+n)/(10+n), most)."""

    def __init__(self, network: nn.Module, most: float):
        self.network, self.most, self.count = network, most, 0
        self.values: dict[str, Tensor] = {}

    def update(self) -> None:
        new = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        decay = min((1 + self.count) / (10 + self.count), self.most) if self.count else 0.0
        self.values = {name: decay * self.values.get(name, 0.0) + (1 - decay) * p for name, p in new.items()}
        self.count += 1


def same(got: nn.Module | dict[str, Tensor], expected: nn.Module | dict[str, Tensor]) -> None:
    """Assert that both hold the same numbers, as far as AdamW, which magnifies small gradients, can tell."""
    a, b = (x.state_dict() if isinstance(x, nn.Module) else x for x in (got, expected))
    for name, value in b.items():
        torch.testing.assert_close(a[name], value, rtol=1e-5, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over rows of -Σ target · log softmax(logits), both (N, M)."""
    return -(target * (logits - logits.exp().sum(dim=1, keepdim=True).log())).sum(dim=1).mean()


def double(module: Callable[[], nn.Module]) -> nn.Module:
    """A module as ``module`` makes it under a fixed seed, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return module().double()
