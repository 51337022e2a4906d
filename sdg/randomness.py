"""Generators keyed by their purpose: the source of the random numbers of sampling."""

import hashlib

import torch


def keyed_seed(*key: int | str) -> int:
    """A seed of 63 bits that is a pure function of ``key``; different keys give unrelated seeds."""
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def keyed_generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator that is a pure function of ``key``: the same numbers in every run and, if ``device``
    is the CPU, on every machine.

    Different keys give unrelated streams, e.g. ``keyed_generator("train noise", seed, step)``.
    """
    return torch.Generator(device).manual_seed(keyed_seed(*key))
