"""``-m`` by every launcher: a folder for each job, and the other jobs end before one that failed is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdg.composition import ROOT

COMMAND = """
from pathlib import Path
from sdg.config import entry
from sdg.errors import SDGError

@entry("sample")
def main(config):
    folder = Path(config.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "told").write_text(f"{config.seed} {config.guidance.scale}")
    if config.seed == 3 and config.guidance.scale == 40:
        raise SDGError("use another seed")

main()
"""
LAUNCHERS = [
    ("basic", "hydra", []),
    pytest.param(
        *("joblib", "hydra_plugins.hydra_joblib_launcher", ["hydra.launcher.n_jobs=2"]),
        marks=pytest.mark.slow,
    ),
    pytest.param(
        *("submitit_local", "hydra_plugins.hydra_submitit_launcher", ["hydra.launcher.timeout_min=5"]),
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize("launcher, package, settings", LAUNCHERS)
def test_every_job_has_a_folder_of_its_own(tmp_path: Path, launcher: str, package: str, settings: list[str]):
    pytest.importorskip(package, reason=f"there is no {package}: '.[dev]' brings it")
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    words = ["-m", f"hydra/launcher={launcher}", *settings, "seed=1,3", "guidance.scale=20,40"]
    result = subprocess.run(
        [sys.executable, str(script), *words, "output_dir=sweep"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    told = {path.parent.name: path.read_text() for path in (tmp_path / "sweep").glob("*/told")}
    jobs = [(scale, seed) for scale in (20, 40) for seed in (1, 3)]
    assert told == {f"guidance.scale-{scale}+seed-{seed}": f"{seed} {scale}" for scale, seed in jobs}
    beside = (tmp_path / "sweep" / "guidance.scale-20+seed-1.txt").read_text(encoding="utf-8")
    assert beside.splitlines() == ["seed=1", "guidance.scale=20", "output_dir=sweep"]
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "error: use another seed"
