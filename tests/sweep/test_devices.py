"""One GPU for each job, as docs/scaling.md does it: never two at a time on one. The GPUs are pretended."""

import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from sdg.composition import ROOT

JOB = """#!/bin/sh
start=$(date +%s%N)
sleep 0.2
for word in "$@"; do case $word in output_dir=*) folder=${word#*=};; esac; done
mkdir -p "$folder"
echo "$CUDA_VISIBLE_DEVICES $start $(date +%s%N)" > "$folder/told"
"""


def test_jobs_have_a_device_each(tmp_path: Path) -> None:
    document = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    (command,) = re.findall(r"^.*\bCUDA_VISIBLE_DEVICES\b.* python .*$", document, re.MULTILINE)
    if subprocess.run(["xargs", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("runs where GNU xargs is installed")
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(JOB)
    python.chmod(0o755)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-c", command], cwd=tmp_path, env=os.environ | {"PATH": path}, check=True)
    told = {
        file.parent.name: [int(word) for word in file.read_text().split()] for file in tmp_path.rglob("told")
    }
    assert sorted(map(int, told)) == list(range(12))
    assert {device for device, *_ in told.values()} == {0, 1, 2, 3}
    for device in range(4):
        spans = sorted((start, end) for own, start, end in told.values() if own == device)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
