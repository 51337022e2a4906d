"""Experiments on real models at full size, with generated weights; ``pytest -s`` shows what a step takes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sdg.checkpoints import save_weights, unfilled
from sdg.composition import ROOT
from sdg.config import build
from sdg.report.traces import read_trace
from tests.golden.fill import fill, fill_state_dict
from tests.tiny import configure

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="runs on Linux, which tells peak memory"
    ),
]

PROGRAM = """
import sys, time
from sdg.sampling import run
from tests.tiny import configure

class Clock(run.SamplingBar):
    ticks = []
    def __call__(self, images):
        self.ticks.append(time.perf_counter())
        super().__call__(images)

run.SamplingBar = Clock
run.sample(configure("sample", sys.argv[1:]))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(Clock.ticks[1] - Clock.ticks[0], int(status["VmHWM"].split()[0]) / 2**20)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """One that does not stay: pytest would keep the gigabytes of several runs."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def write_weights(folder: Path, experiment: str) -> list[str]:
    """Every file that an experiment reads, in half precision; the settings that name them."""
    config = configure("sample", [f"+experiment={experiment}"])
    names = [f"{key}={folder / key}.pt" for key in ("prior.checkpoint", "encoder.checkpoint")]
    with unfilled():
        prior, encoder = build(config.prior.denoiser).network, build(config.encoder.network)
    for network, name in zip((prior, encoder), names, strict=True):
        state = {key: fill(key, value.shape).half() for key, value in network.state_dict().items()}
        torch.save(state, name.partition("=")[2])
    clip = build(config.encoder.clip)
    clip.load_state_dict(fill_state_dict(clip.state_dict()))
    save_weights(folder / "clip.safetensors", clip)
    return [*names, f"encoder.clip_checkpoint={folder / 'clip.safetensors'}"]


@pytest.mark.parametrize("experiment, gib", [("ffhq_text", 4.5), ("lsun_bedroom_text", 7)])
def test_a_guided_step_on_a_cpu(folder: Path, experiment: str, gib: float) -> None:
    words = [f"+experiment={experiment}", *write_weights(folder, experiment)]
    words += ["sampler.steps=2", "samples_per_prompt=1", "unguided=false", "group=1", "prompts=[a picture]"]
    words += ["trainer.accelerator=cpu", f"output_dir={folder / 'out'}"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seconds, peak = map(float, done.stdout.split()[-2:])
    print(f"{experiment}: {seconds:.0f} s a guided step on one thread, {peak:.1f} GiB at the most")
    assert peak < gib
    # Random weights draw nothing, but they guide.
    (record,) = map(json.loads, (folder / "out" / "manifest.jsonl").read_text().splitlines())
    trace = read_trace(folder / "out", record)
    assert trace is not None
    assert min(trace["guided"]["gradient_rms"]) > 0
    assert np.asarray(Image.open(folder / "out" / record["file"])).std() > 1
