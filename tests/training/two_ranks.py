"""What each of two gloo processes does in ``test_ranks``, in a module that a new process can import."""

from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from sdg.config import build
from sdg.randomness import keyed_generator
from sdg.training.ranks import Ranks
from sdg.training.teacher_cache import TeacherCache
from sdg.training.time_clip import TimeCLIPTraining
from tests.tiny import NETWORKS, configure

BATCH = 8


def training(weights: str, *overrides: str) -> TimeCLIPTraining:
    """The tiny fine-tuning, with time layers that do something."""
    config = configure("train", ["+experiment=toyfaces_clip", *NETWORKS, weights, "data.size=32", *overrides])
    torch.manual_seed(0)  # as ``train`` does, for the time layers
    model: TimeCLIPTraining = build(config.model)
    generator = keyed_generator("time layers")
    for parameter in model.encoder.emb_layers.parameters():
        parameter.data.normal_(std=0.1, generator=generator)
    return model.train()


def step(model: TimeCLIPTraining, ranks: Ranks) -> dict[str, Tensor]:
    """Loss, gradients as DDP would average them, and buffers after a step on this rank's part of a batch."""
    images = torch.rand(BATCH, 3, 32, 32, generator=keyed_generator("pictures")) * 2 - 1
    batch = {"image": images[ranks.rank :: ranks.size]}
    loss, _ = model._loss(batch, keyed_generator("step"), ranks, model.timesteps)
    loss.backward()
    result = {"loss": loss.detach()}
    for name, parameter in model.encoder.named_parameters():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
        if ranks.size > 1:
            dist.all_reduce(gradient)
        result[f"gradient of {name}"] = gradient / ranks.size
    return result | dict(model.encoder.named_buffers())


def everything(weights: str) -> dict[str, dict[str, Tensor]]:
    """A step of every policy that does not depend on the number of ranks."""
    ranks = Ranks.current()
    frozen = training(weights)
    for module in frozen.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return {
        "frozen": step(frozen, ranks),
        "synchronised": step(training(weights, "model.batchnorm=synchronised"), ranks),
        "recomputed": step(
            training(weights, "model.batchnorm=synchronised", "model.checkpointing=true"), ranks
        ),
    }


def share_answers(rank: int) -> None:
    """Ask a cached teacher: what the other rank's has said by then, this rank's is not asked."""
    counts = []

    def teacher(images: Tensor) -> Tensor:
        counts.append(len(images))
        return images.flatten(1)

    cache, pictures = TeacherCache(teacher), torch.rand(4, 3, 2, 2, generator=keyed_generator("pictures"))
    for index in (torch.tensor([2 * rank]), torch.arange(4)):
        found = cache(pictures[index], index, torch.zeros(len(index), dtype=torch.bool))
        assert torch.equal(found, pictures[index].flatten(1))
        dist.barrier()
    assert counts[0] == 1
    assert sum(counts) <= 3  # of 4 pictures: one the other rank asked for, and the rest it may be asking for


def main(rank: int, folder: Path, weights: str) -> None:
    """The entry of process ``rank`` of two."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.save(everything(weights), folder / f"{rank}.pt")
    share_answers(rank)
    dist.destroy_process_group()
