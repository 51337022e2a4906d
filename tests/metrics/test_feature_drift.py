"""Drift of features: known steps, along what is asked for and across it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.extractor import Extractor
from sdg.metrics.feature_drift import FeatureDrift
from sdg.metrics.measure import Measure
from tests.metrics.examples import Known, record, viewed

TEXTS = {"right": torch.tensor([1.0, 0, 0, 0]), "up": torch.tensor([0, 2.0, 0, 0])}


class Table(Extractor):
    """Features that are known by the number in a picture's first pixel."""

    def __init__(self, rows: Tensor):
        super().__init__("a table", "none")
        self.rows = rows

    def forward(self, pictures: Tensor) -> Tensor:
        return self.rows[pictures[:, 0, 0, 0].long()]

    def texts(self, prompts: list[str]) -> Tensor:  # type: ignore[override]
        return torch.stack([TEXTS[prompt] for prompt in prompts])


def measure(folder: Path, guided: dict[str, Tensor], unguided: Tensor) -> Measure:
    """Guided features (n, 4) of each prompt against unguided ones (n, 4)."""
    samples = len(unguided)
    records = [record(prompt, i) for prompt in guided for i in range(samples)]
    records += [record(None, i) for i in reversed(range(samples))]  # partners are found by their noise
    pixels = torch.arange(len(records), dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 2, 2)
    rows = torch.cat([*guided.values(), unguided.flip(0)])
    (found,) = FeatureDrift("table")(viewed(Known(records, pixels), folder, table=Table(rows)))
    return found


def unguided(samples: int = 50) -> Tensor:
    return torch.randn(samples, 4, generator=torch.Generator().manual_seed(0))


def test_a_step_along_what_is_asked_for_is_no_drift(tmp_path: Path) -> None:
    noise = unguided()
    found = measure(tmp_path, {name: noise + 3 * text for name, text in TEXTS.items()}, noise)
    assert found.value == pytest.approx(0, abs=1e-6)
    assert found.count == 100


def test_a_step_across_it_is_measured_in_standard_deviations(tmp_path: Path) -> None:
    """Both axes of texts are taken out of both prompts: two of four remain."""
    noise = unguided()
    step = torch.tensor([0.0, 0, 0.3, 0.4])
    found = measure(tmp_path, {"right": noise + step, "up": noise + step + TEXTS["up"]}, noise)
    spread = float(noise[:, 2:].var(dim=0).sum())
    # All pairs changed alike, so exchanging them at random leaves |step|² / n.
    assert found.value**2 == pytest.approx(0.25 / spread, rel=1e-4)
    assert found.beside == ("by chance", pytest.approx((0.25 / 50 / spread) ** 0.5, rel=1e-4))


def test_noise_alone_is_no_drift(tmp_path: Path) -> None:
    noise = unguided(200)
    other = torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    found = measure(tmp_path, {"right": other}, noise)
    assert found.value < 0.12
    assert found.beside == ("by chance", pytest.approx(0.1, abs=0.02))  # √(2 / 200)


def test_one_sample_cannot_be_told_from_chance(tmp_path: Path) -> None:
    with pytest.raises(SDGError, match="two samples of a prompt"):
        measure(tmp_path, {"right": unguided(1)}, unguided(1))
