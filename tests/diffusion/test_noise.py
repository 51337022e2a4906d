"""Noise that belongs to a sample."""

from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from sdg.diffusion.noise import NoiseSource

SHAPE = (3, 4, 4)


def test_noise_depends_on_the_key_alone_and_not_on_the_batch() -> None:
    whole = NoiseSource([(7, index) for index in range(5)])
    draws = [whole.normal(SHAPE) for _ in range(3)]
    shuffled = NoiseSource([(7, 4), (7, 0)])
    alone = NoiseSource([(7, 2)])
    for draw in draws:
        assert torch.equal(shuffled.normal(SHAPE), draw[[4, 0]])
        assert torch.equal(alone.normal(SHAPE), draw[[2]])


def test_keys_streams_and_draws_are_all_different() -> None:
    source = NoiseSource([(0, 0), (0, 1), (1, 0)])
    other = NoiseSource([(0, 0)], stream="reference")
    rows = torch.cat([source.normal(SHAPE), source.normal(SHAPE), other.normal(SHAPE)]).flatten(1)
    correlation = torch.corrcoef(rows) - torch.eye(len(rows))
    assert correlation.abs().max() < 0.6  # independent rows of 48 numbers: below 0.58 at four deviations


class Asked(TorchDispatchMode):
    """The keywords of the last call of every operator."""

    def __init__(self) -> None:
        super().__init__()
        self.keywords: dict[str, dict[str, Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.keywords[str(func.overloadpacket)] = kwargs or {}
        return func(*args, **(kwargs or {}))


def pretends() -> bool:
    """Whether a fake tensor can be on a GPU that is not there; PyTorch 2.8 asks the driver."""
    try:
        with FakeTensorMode():
            torch.empty(1).to("cuda")
    except (AssertionError, RuntimeError):
        return False
    return True


@pytest.mark.skipif(not pretends(), reason="runs with a GPU, or PyTorch from 2.9 for CUDA")
def test_a_gpu_takes_it_from_pinned_memory_without_a_wait() -> None:
    """On fake tensors, which need no GPU to be on one."""
    source = NoiseSource([(0, 0), (0, 1)])
    with FakeTensorMode(), Asked() as asked:
        noise = source.normal(SHAPE, "cuda")
    assert noise.device.type == "cuda"
    assert asked.keywords["aten.empty"]["pin_memory"]
    assert asked.keywords["aten._to_copy"]["non_blocking"]


def test_noise_is_standard_normal() -> None:
    noise = NoiseSource([(0, index) for index in range(16)]).normal((3, 32, 32))
    assert noise.dtype == torch.float32
    assert abs(float(noise.mean())) < 0.02
    assert abs(float(noise.std()) - 1) < 0.02
