"""Several processes, or one that is killed again and again: the same pictures, to the bit."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from sdg.composition import ROOT
from tests.sampling.test_controls import pictures, run
from tests.tiny import make_weights

PLAN = ("prompts=[a face, a hat]", "samples_per_prompt=5")


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_two_processes_draw_what_one_draws(tmp_path: Path, batch_size: int) -> None:
    weights = make_weights(tmp_path)
    run(weights, tmp_path / "one", *PLAN)
    settings = [*weights, *PLAN, "sampler.steps=4", "guidance.scale=30", f"output_dir={tmp_path / 'two'}"]
    devices = [
        "trainer=predict_ddp",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        f"batch_size={batch_size}",
    ]
    command = [sys.executable, "sample.py", *settings, *devices]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("look at") == 1
    assert pictures(tmp_path / "two") == pictures(tmp_path / "one")
    manifests = [(tmp_path / name / "manifest.jsonl").read_bytes() for name in ("one", "two")]
    assert manifests[0] == manifests[1]
    assert not list((tmp_path / "two").glob("manifest-*"))


@pytest.mark.slow
def test_a_process_without_work_waits_for_the_other(tmp_path: Path) -> None:
    settings = ["prompts=[a face]", "samples_per_prompt=1", "unguided=false", "sampler.steps=4"]
    devices = ["trainer=predict_ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    subprocess.run(
        [
            sys.executable,
            "sample.py",
            *make_weights(tmp_path),
            *settings,
            *devices,
            f"output_dir={tmp_path}/run",
        ],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
    )
    assert [path.name for path in (tmp_path / "run" / "samples").iterdir()] == ["000000.png"]
    assert (tmp_path / "run" / "index.html").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork")
@pytest.mark.parametrize(
    "kills, more",
    [
        (25, ["group=2", "samples_per_prompt=40"]),
        (
            8,
            [
                "group=4",
                "samples_per_prompt=20",
                "population=fk",
                "population.particles=2",
                "population.every=2",
            ],
        ),
    ],
)
def test_killed_at_any_moments_a_run_ends_as_if_undisturbed(
    tmp_path: Path, kills: int, more: list[str]
) -> None:
    weights, moments = make_weights(tmp_path), random.Random(0)
    torch.set_num_threads(1)  # a forked child has none of its parent's other threads
    plan = ("prompts=[a face, a hat, hair]", "batch_size=2", "sampler.steps=6", *more)
    run(weights, tmp_path / "whole", *plan)
    counts = []
    for _ in range(kills):
        child = os.fork()
        if not child:
            run(weights, tmp_path / "killed", *plan)
            os._exit(0)
        time.sleep(moments.uniform(0.1, 1.0))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        whole = {path.name for path in (tmp_path / "killed" / "samples").glob("*.png")}
        for path in (tmp_path / "killed" / "samples").glob("*.png"):
            Image.open(path).load()  # a picture that exists is whole
        counts.append(len(whole))
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    run(weights, tmp_path / "killed", *plan)
    trees = [
        {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (tmp_path / "whole", tmp_path / "killed")
    ]
    assert trees[0] == trees[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork")
def test_told_to_end_a_run_ends_with_what_is_complete(tmp_path: Path) -> None:
    weights = make_weights(tmp_path)
    torch.set_num_threads(1)
    plan = ("prompts=[a face, a hat, hair]", "samples_per_prompt=200", "batch_size=2", "group=2")
    child = os.fork()
    if not child:
        try:
            run(weights, tmp_path / "run", *plan)
        except SystemExit as told:
            os._exit(int(str(told.code)))
        os._exit(0)
    deadline = time.time() + 60
    while not list((tmp_path / "run").glob("samples/*.png")) and time.time() < deadline:
        time.sleep(0.05)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 143
    assert 0 < len(list((tmp_path / "run").glob("samples/*.png"))) < 800
