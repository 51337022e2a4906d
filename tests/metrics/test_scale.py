"""50,500 samples, 500 noises of 101 rows, are measured in less than 2 GB beside the networks.

What networks would read is made up. ``python -m tests.metrics.test_scale`` prints what each metric took.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from experiments.coverage.worlds import Fresh, Values
from sdg.composition import ROOT
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.metrics.alignment import TextAlignment
from sdg.metrics.distance import Frechet
from sdg.metrics.diversity import PairwiseDistance
from sdg.metrics.drift import Drift
from sdg.metrics.evidence import Evidence
from sdg.metrics.feature_drift import FeatureDrift
from sdg.metrics.judged import Judged, JudgeReader
from sdg.metrics.kernel import GaussianDistance, KernelDistance
from sdg.metrics.manifold import Manifold
from sdg.metrics.measure import Metric
from sdg.metrics.mentions import Mentions
from sdg.metrics.vendi import Vendi
from tests.metrics.test_contributions import Texts

WIDTH = 128
METRICS: dict[str, Metric] = {
    "alignment": TextAlignment(),
    "drift": Drift(),
    "feature drift": FeatureDrift("values"),
    "diversity": PairwiseDistance("values"),
    "vendi": Vendi("values"),
    "fréchet": Frechet("values"),
    "gaussian": GaussianDistance("values"),
    "kernel": KernelDistance("values", subset_size=100),
    "prdc": Manifold("values"),
}


class Wide(Texts):
    width = WIDTH


class Hats(Mentions):
    """Every prompt asks for a hat."""

    def __init__(self, prompts: int):
        super().__init__(None)
        said = [1 if name == "hat" else -1 for name in ATTRIBUTES]
        self.path, self.rows = "memory", {f"prompt {number}": said for number in range(prompts)}


def main(prompts: int = 100, noises: int = 500) -> None:
    records = [
        {
            **{"prompt": f"prompt {row - 1}" if row else None, "reference": None, "seed": 0, "index": index},
            **{"scale": float(row > 0), "scores": {}, "file": f"samples/{row * noises + index:06d}.png"},
        }
        for row in range(prompts + 1)
        for index in range(noises)
    ]
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(len(records), WIDTH, generator=generator)
    reference = torch.randn(10_000, WIDTH, generator=generator)
    before = _held()
    found = Evidence(
        Values(features, records),
        Hats(prompts),
        lambda: JudgeReader(torch.nn.Identity(), 1),
        Fresh({"values": Wide}, Path()),
        Values(reference),
    )
    seen = torch.randint(2, (len(records), len(ATTRIBUTES)), generator=generator)
    every = Judged(seen, torch.zeros(len(records), len(NUISANCES)), features, records)
    found.guided = every.only([row for rows in found.targets.values() for row in rows])
    found.unguided = every.only(found.unguided_rows)
    for name, metric in METRICS.items():
        begun = time.process_time()
        metric(found)
        print(f"{name}: {time.process_time() - begun:.1f} s, {_held() - before:.0f} MB so far", flush=True)


def _held() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


@pytest.mark.slow
def test_fifty_thousand_samples_fit() -> None:
    line = [sys.executable, "-m", "tests.metrics.test_scale"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout.splitlines()[-1].split(", ")[1].split()[0]) < 2000, done.stdout


if __name__ == "__main__":
    main()
