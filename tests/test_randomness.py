"""Keyed generators: the numbers behind every picture and every training."""

import hashlib

import numpy as np
import pytest
import torch

from sdg.diffusion.noise import NoiseSource
from sdg.randomness import keyed_generator, keyed_seed, seed_torch

PAIRS = [((5, 24436), (5, 48700)), ((1, 43715), (1, 98594))]
"""Samples, as (seed, index), that were the same chain while 32 bits told keys apart."""


def _first(*key: int | str) -> list[float]:
    return torch.rand(4, generator=keyed_generator(*key)).tolist()


def test_a_generator_is_a_function_of_its_key() -> None:
    first, second = (torch.randn(8, generator=keyed_generator("noise", 3, 1)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("keys", PAIRS)
def test_samples_that_were_the_same_chain_are_two(keys: tuple[tuple[int, int], tuple[int, int]]) -> None:
    a, b = NoiseSource(keys).normal((3, 4, 4))
    assert (a != b).all()


def test_seeds_that_are_equal_in_32_bits_give_other_numbers() -> None:
    assert _first("x_t", 5, 0) != _first("x_t", 5 + 7 * 2**32, 0)


@pytest.mark.parametrize(
    "a, b", [((1,), ("1",)), (("a", "b"), ("a/b",)), (("a", 1), ("a1",)), (("x", 1, 23), ("x", 12, 3))]
)
def test_keys_that_are_written_alike_are_apart(a: tuple[int | str, ...], b: tuple[int | str, ...]) -> None:
    assert keyed_seed(*a) != keyed_seed(*b)
    assert _first(*a) != _first(*b)


def test_no_two_of_many_keys_draw_the_same() -> None:
    """What a generator draws first is made of few words of its state, the last of all; none repeats."""
    keys = [("noise", seed, index) for seed in range(20) for index in range(100)]
    drawn = torch.stack([torch.rand(640, generator=keyed_generator(*key)) for key in keys])
    for column in (drawn[:, :4], drawn[:, -4:]):
        assert len(column.unique(dim=0)) == len(keys)
    # Independent uniform numbers: means of 2000 stay within six deviations of a half, and of 1/12.
    assert (drawn.mean(dim=0) - 0.5).abs().max() < 6 * (1 / 12 / len(keys)) ** 0.5
    assert abs(float(drawn.var()) - 1 / 12) < 1e-3


@pytest.mark.slow
def test_no_two_of_a_million_keys_draw_the_same() -> None:
    """128 bits of each are all apart; of 32 bits, as many pairs agree as chance has it, 116 ± 11."""
    keys = [(seed, index) for seed in (0, 1, 5, 5 + 7 * 2**32) for index in range(250_000)]
    drawn = torch.empty(len(keys), 2, dtype=torch.int64)
    for row, key in zip(drawn, keys, strict=True):
        row.random_(-(2**63), 2**63 - 1, generator=keyed_generator("x_t", *key))
    for column in drawn.unbind(dim=1):
        assert len(column.unique()) == len(keys)
        pairs = len(keys) - len((column & 0xFFFFFFFF).unique())
        assert abs(pairs - len(keys) ** 2 / 2**33) < 6 * (len(keys) ** 2 / 2**33) ** 0.5, pairs


def test_numpy_draws_the_same_from_the_same_state() -> None:
    """An independent Mersenne Twister, its state the hash of the key as the format of keys has it."""
    words = np.frombuffer(hashlib.shake_256(b"['x_t', 0, 1]").digest(4 * 624), "<u4")
    numpy = np.random.RandomState()
    numpy.set_state(("MT19937", words, 624))
    expected = numpy.randint(0, 2**32, 2000, dtype=np.uint32).astype(np.int64)
    # PyTorch takes 24 bits of each word for a number in [0, 1).
    drawn = torch.rand(2000, generator=keyed_generator("x_t", 0, 1)).double() * 2**24
    assert (drawn.numpy() == expected % 2**24).all()


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    torch.randn(8, generator=keyed_generator("noise"))
    assert torch.equal(torch.get_rng_state(), state)


def test_torchs_own_generator_gets_the_whole_key_too() -> None:
    state = torch.get_rng_state()
    seed_torch("training step", 0, 7, 1)
    drawn = torch.rand(4)
    torch.set_rng_state(state)
    assert drawn.tolist() == _first("training step", 0, 7, 1)


def test_a_seed_is_63_bits_of_the_hash() -> None:
    """It is all that a GPU's generator takes."""
    seed = keyed_seed("x_t", 0, 1)
    assert 2**32 < seed < 2**63
    assert seed == int.from_bytes(hashlib.shake_256(b"['x_t', 0, 1]").digest(8), "little") // 2
