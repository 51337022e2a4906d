"""A plan drawn by one process on one device: Lightning, which takes seconds to import, has nothing to do."""

import os
from collections.abc import Mapping
from typing import Any

import torch

from sdg.sampling.method import Method
from sdg.sampling.shard import PlanShard
from sdg.sampling.writer import SamplingBar, StoreWriter
from sdg.stopping import listen

_MINE = {"_target_", "accelerator", "devices", "inference_mode", "enable_progress_bar"}
_MINE |= {"enable_checkpointing", "enable_model_summary", "use_distributed_sampler"}
"""Settings of a trainer that need none to be followed."""


def device_alone(trainer: Mapping[str, Any]) -> torch.device | None:
    """The device of a trainer's settings if a process can follow them alone; None if it takes the trainer.

    That is so with several devices or machines, another precision or strategy, or under torchrun.
    """
    if set(trainer) - _MINE or trainer.get("devices") != 1 or "TORCHELASTIC_RUN_ID" in os.environ:
        return None
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    match trainer.get("accelerator"):
        case "cpu":
            return torch.device("cpu")
        case "auto":
            return torch.device("cuda", 0) if cuda else torch.device("mps" if mps else "cpu")
        case "gpu" | "cuda" if cuda:
            return torch.device("cuda", 0)
        case "gpu" | "mps" if mps:
            return torch.device("mps")
    return None


class Alone:
    """Draws with this process alone."""

    rank, processes = 0, 1

    def __init__(self, device: torch.device):
        self.device = device

    def draw(self, method: Method, shard: PlanShard, bar: SamplingBar, writer: StoreWriter) -> None:
        """Draw what is left; whatever ends it, what is complete is kept."""
        method.to(self.device)
        listen(running=True)
        try:
            with torch.no_grad():
                for batch in shard.batches():
                    method.draw(batch, bar, writer)
        finally:
            writer.wait()
