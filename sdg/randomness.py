"""Generators keyed by their purpose: the source of the random numbers of sampling."""

import hashlib

import torch
from torch import Tensor

_WORDS = 624
"""The Mersenne Twister's state, in words of 32 bits."""
_BEFORE = 24
"""Bytes before these words in what a CPU generator gives as its state, where each takes 8."""


def keyed_seed(*key: int | str) -> int:
    """A seed of 63 bits that is a pure function of ``key``; different keys give unrelated seeds."""
    return int.from_bytes(_digest(key, 8), "little") >> 1


def keyed_generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator that is a pure function of ``key``: the same numbers in every run and, if ``device``
    is the CPU, on every machine.

    Different keys give unrelated streams, e.g. ``keyed_generator("train noise", seed, step)``. On a GPU they
    are told apart by the 63 bits of :func:`keyed_seed`, on the CPU by the generator's whole state.
    """
    generator = torch.Generator(device).manual_seed(keyed_seed(*key))
    if generator.device.type == "cpu":
        generator.set_state(_filled(generator.get_state(), key))
    return generator


def seed_torch(*key: int | str) -> None:
    """Make PyTorch's own generators, of all devices, a pure function of ``key``, like those made here."""
    torch.manual_seed(keyed_seed(*key))
    torch.set_rng_state(_filled(torch.get_rng_state(), key))


def _filled(state: Tensor, key: tuple[int | str, ...]) -> Tensor:
    """The state of a CPU generator just seeded, with its words from the hash of a key.

    ``manual_seed`` would make them from 32 bits of the seed, so that of 50,000 keys two are likely the same.
    """
    signed = torch.frombuffer(bytearray(_digest(key, 4 * _WORDS)), dtype=torch.int32)
    state[_BEFORE : _BEFORE + 8 * _WORDS] = (signed.long() & 0xFFFFFFFF).view(torch.uint8)
    return state


def _digest(key: tuple[int | str, ...], length: int) -> bytes:
    """``length`` bytes that differ for keys that differ, also as 1 and "1", or ("a", "b") and ("a/b",)."""
    said = repr([part if isinstance(part, str) else int(part) for part in key])
    return hashlib.shake_256(said.encode("utf-8", "surrogatepass")).digest(length)
