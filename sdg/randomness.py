"""Generators keyed by their purpose: the source of the random numbers of sampling."""

import hashlib

import torch


def keyed_generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator that is a pure function of ``key``: the same numbers in every run and, if ``device``
    is the CPU, on every machine.

    Different keys give unrelated streams, e.g. ``keyed_generator("train noise", seed, step)``.
    """
    digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)
