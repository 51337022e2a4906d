"""Loading takes hardly more memory than the loaded model, measured in a process of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sdg.checkpoints.weights import save_state
from sdg.composition import ROOT
from sdg.networks.unet import ADMUNet
from tests.checkpoints.files import save_legacy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="runs on Linux, which tells peak memory"
    ),
]

FFHQ: dict[str, Any] = {"base_channels": 128, "res_blocks": 1, "attention_factors": [16]}

PROGRAM = """
import sys, torch
from sdg.checkpoints import load_weights, unfilled
from sdg.networks.unet import ADMUNet

def peak():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) * 1024

with {context}:
    network = ADMUNet(**{arguments})
before = peak()
load_weights(network, sys.argv[1], {dtype})
after = peak()
size = sum(x.nbytes for x in network.state_dict().values())
assert all(bool((x == 0.5).all()) for x in network.parameters())
print(before, after, size)
"""


def weights(arguments: dict[str, Any], dtype: torch.dtype) -> dict[str, Tensor]:
    with torch.device("meta"):
        state = ADMUNet(**arguments).state_dict()
    return {key: torch.full(value.shape, 0.5, dtype=dtype) for key, value in state.items()}


def measure(
    path: Path, arguments: dict[str, Any], dtype: str = "None", context: str = "unfilled()"
) -> tuple[int, int, int]:
    """Peak memory before and after loading, and the size of the model, in bytes."""
    program = PROGRAM.format(arguments=arguments, dtype=dtype, context=context)
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    before, after, size = map(int, done.stdout.split())
    return before, after, size


@pytest.mark.parametrize(
    "kind, stored, dtype",
    [
        ("safetensors", torch.float16, "None"),
        ("safetensors", torch.float16, "torch.float16"),
        ("torch.save", torch.float32, "None"),
        ("torch.save", torch.float16, "None"),
        ("legacy", torch.float32, "None"),
    ],
)
def test_peak_memory(tmp_path: Path, kind: str, stored: torch.dtype, dtype: str) -> None:
    path, state = tmp_path / "w.pt", weights(FFHQ, stored)
    if kind == "safetensors":
        save_state(path, state, dtype=stored)
    else:
        (save_legacy if kind == "legacy" else torch.save)(state, path)
    before, after, size = measure(path, FFHQ, dtype)
    assert size == 93_563_910 * (2 if dtype == "torch.float16" else 4)
    assert after - before <= 1.3 * size


def test_peak_memory_of_a_module_that_was_built_as_usual(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_state(path, weights(FFHQ, torch.float16))
    before, after, size = measure(path, FFHQ, context="torch.no_grad()")
    assert after - before <= 0.3 * size  # the module itself is there already


def test_peak_memory_of_a_whole_process_at_full_size(tmp_path: Path) -> None:
    """552,814,086 parameters from float16 to float32: 2.2 GB, with Python and torch in the count.

    The file itself, mapped and half as large, may be counted in part; one more copy would make it 1.7.
    """
    path = tmp_path / "w.safetensors"
    save_state(path, weights({}, torch.float16))
    _, after, size = measure(path, {})
    assert size == 4 * 552_814_086
    assert after <= 1.45 * size
