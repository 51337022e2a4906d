"""Hundreds of damaged files of every format: a correct load or one clear line, nothing else."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sdg.checkpoints import load_weights, open_checkpoint
from sdg.errors import SDGError
from tests.checkpoints.files import SAVERS

MUTANTS = 250
"""Of each format."""


def flip_bits(content: bytearray, draw: random.Random, other: bytes) -> bytearray:
    for _ in range(draw.choice([1, 1, 4, 32])):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return content


def flip_in_the_index(content: bytearray, draw: random.Random, other: bytes) -> bytearray:
    """Where the names, shapes and sizes are: the head of a file, and a zip's directory at its end."""
    place = draw.randrange(min(700, len(content)))
    content[place if draw.random() < 0.6 else -1 - place] = draw.randrange(256)
    return content


def truncate(content: bytearray, draw: random.Random, other: bytes) -> bytearray:
    return content[: draw.randrange(len(content))]


def swap_heads(content: bytearray, draw: random.Random, other: bytes) -> bytearray:
    length = draw.choice([2, 8, 9, 64, 300])
    return bytearray(other[:length]) + content[length:]


def repeat_a_part(content: bytearray, draw: random.Random, other: bytes) -> bytearray:
    start, stop = sorted(draw.sample(range(len(content)), 2))
    return content[:stop] + content[start:]


def write_large_numbers(content: bytearray, draw: random.Random, other: bytes) -> bytearray:
    place = draw.randrange(len(content) - 8)
    content[place : place + draw.choice([2, 4, 8])] = b"\xff" * draw.choice([2, 4, 8])
    return content


MUTATIONS: list[Callable[[bytearray, random.Random, bytes], bytearray]] = [
    flip_bits,
    flip_in_the_index,
    truncate,
    swap_heads,
    repeat_a_part,
    write_large_numbers,
]


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def outcome(path: Path) -> dict[str, Tensor] | SDGError:
    """What a file holds, or the error that says why not; any other exception is a failure."""
    try:
        checkpoint = open_checkpoint(path)
        outline = {key: (x.shape, x.dtype) for key, x in checkpoint.outline.items()}
        state = dict(checkpoint.tensors())
        assert {key: (x.shape, x.dtype) for key, x in state.items()} == outline
        load_weights(network(), path)
    except SDGError as error:
        return error
    return state


@pytest.mark.parametrize("kind", SAVERS)
def test_damaged_files_load_or_end_in_one_line(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(0)
    state, whole = network().state_dict(), tmp_path / "whole"
    shapes = {key: x.shape for key, x in state.items()}
    contents = []
    for save in [SAVERS[kind], *(save for other, save in SAVERS.items() if other != kind)]:
        save(state, whole)
        contents.append(whole.read_bytes())
    loads, path = 0, tmp_path / "damaged"
    for i in range(MUTANTS):
        draw = random.Random(f"{kind} {i}")
        mutate = MUTATIONS[i % len(MUTATIONS)]
        path.write_bytes(mutate(bytearray(contents[0]), draw, draw.choice(contents[1:])))
        found = outcome(path)
        if isinstance(found, SDGError):
            assert str(path) in str(found)
            assert "\n" not in str(found)
        else:
            assert {key: x.shape for key, x in found.items()} == shapes
            loads += 1
    assert 10 < loads < MUTANTS - 10  # the damage is neither always nor never found
