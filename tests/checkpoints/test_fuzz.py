"""Damaged files of every format: the tensors that torch and safetensors read, or one clear line, at once."""

import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from sdg.checkpoints import load_weights, open_checkpoint
from sdg.errors import SDGError
from tests.checkpoints.files import SAVERS

QUICK, ALL = 60, 375
"""Damaged files of each format."""
BUDGET = 60.0
"""Seconds of computing for all of them."""


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


def library(path: Path, kind: str) -> dict[str, Tensor] | None:
    """What the format's own library reads, whole and not mapped; None if it refuses."""
    try:
        if kind == "safetensors":
            return safetensors.torch.load(path.read_bytes())
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception:
        return None
    return content if isinstance(content, dict) else None


def damage(tmp_path: Path, kind: str, count: int) -> int:
    """Open ``count`` damaged files; returns how many loaded."""
    torch.manual_seed(0)
    state, whole = network().state_dict(), tmp_path / "whole"
    contents = []
    for save in [SAVERS[kind], *(save for other, save in SAVERS.items() if other != kind)]:
        save(state, whole)
        contents.append(whole.read_bytes())
    loads, path, saved = 0, tmp_path / "damaged", list(state.values())
    for i in range(count):
        draw = random.Random(f"{kind} {i}")
        mutate = MUTATIONS[i % len(MUTATIONS)]
        path.write_bytes(mutate(bytearray(contents[0]), draw, draw.choice(contents[1:])))
        found = outcome(path)
        if isinstance(found, SDGError):
            assert str(path) in str(found)
            assert "\n" not in str(found)
            continue
        loads += 1
        values = sorted(map(described, found.values()))
        if kind == "TorchScript archive":  # which torch would run
            assert [value[:2] for value in values] == [value[:2] for value in sorted(map(described, saved))]
        elif values != sorted(map(described, saved)):
            expected = library(path, kind)
            assert expected is not None
            assert values == sorted(map(described, expected.values()))
    return loads


def described(tensor: Tensor) -> tuple[str, ...]:
    """A tensor's shape and its every bit, whatever its name."""
    raw = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    return str(tensor.shape), str(tensor.dtype), str(raw.tolist())


@pytest.mark.parametrize("kind", SAVERS)
def test_damaged_files_load_exactly_or_end_in_one_line(tmp_path: Path, kind: str) -> None:
    loads = damage(tmp_path, kind, QUICK)
    assert 0 < loads < QUICK - 5  # the damage is neither always nor never found


@pytest.mark.slow
def test_fifteen_hundred_damaged_files_within_a_minute(tmp_path: Path) -> None:
    began = time.process_time()
    loads = {kind: damage(tmp_path, kind, ALL) for kind in SAVERS}
    assert all(ALL // 20 < count < ALL - 5 for count in loads.values()), loads
    assert time.process_time() - began < BUDGET
