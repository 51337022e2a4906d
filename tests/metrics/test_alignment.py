from pathlib import Path

import pytest
import torch

from sdg.data.toyfaces import ATTRIBUTES
from sdg.errors import SDGError
from sdg.metrics.alignment import TextAlignment
from sdg.metrics.measure import Measure
from tests.metrics.examples import evidence, judged, record, write_mentions

HAT, GLASSES = list(ATTRIBUTES).index("hat"), list(ATTRIBUTES).index("glasses")
MENTIONS = {"a hat": {"hat": "yes"}, "a hat, no glasses": {"hat": "yes", "glasses": "no"}}


def wearing(*hats_and_glasses: tuple[int, int]) -> torch.Tensor:
    rows = torch.zeros(len(hats_and_glasses), len(ATTRIBUTES), dtype=torch.int64)
    rows[:, [HAT, GLASSES]] = torch.tensor(hats_and_glasses)
    return rows


@pytest.fixture
def measures(tmp_path: Path) -> dict[str, Measure]:
    guided = judged(
        [record(prompt, i) for prompt in MENTIONS for i in range(2)],
        wearing((1, 1), (1, 0), (1, 1), (0, 1)),
    )
    # Stored in another order than the guided ones: partners are found by their noise.
    unguided = judged([record(None, i) for i in (1, 0)], wearing((0, 0), (1, 1)))
    found = evidence(guided, unguided, write_mentions(tmp_path / "m.jsonl", MENTIONS))
    return {measure.name: measure for measure in TextAlignment()(found)}


def test_rates_are_those_counted_by_hand(measures: dict[str, Measure]) -> None:
    # name: right, counted, right unguided
    expected = {
        "mentioned": (3, 6, 3),
        "all": (2, 4, 1),
        "all_of_1": (2, 2, 1),
        "all_of_2": (0, 2, 0),
        "glasses": (0, 2, 1),
        "hat": (3, 4, 2),
        "glasses/no": (0, 2, 1),
        "hat/yes": (3, 4, 2),
    }
    assert measures.keys() == expected.keys()
    for name, (right, count, by_chance) in expected.items():
        assert measures[name].value == pytest.approx(right / count), name
        assert measures[name].count == count, name
        assert measures[name].beside == ("unguided", pytest.approx(by_chance / count)), name


def test_intervals_are_over_prompts(measures: dict[str, Measure]) -> None:
    """Two of them, and two noises, are next to nothing."""
    for name in ("mentioned", "all", "all_of_1"):
        ends = measures[name].interval
        assert ends is not None
        assert 0 <= ends[0] < measures[name].value <= ends[1] <= 1
        assert ends[1] - ends[0] > 0.7
    assert "2 prompts" in measures["mentioned"].over


def test_of_prompts_with_several_references_all_are_in_the_interval(tmp_path: Path) -> None:
    """One prompt with two pictures, one all right and one all wrong."""
    led = [record("a hat", i) | {"reference": picture} for picture in ("a.png", "b.png") for i in range(2)]
    guided = judged(led, wearing((1, 0), (1, 0), (0, 0), (0, 0)))
    unguided = judged([record(None, i) for i in range(2)], wearing((0, 0), (0, 0)))
    found = TextAlignment()(evidence(guided, unguided, write_mentions(tmp_path / "m.jsonl", MENTIONS)))
    assert found[0].interval == pytest.approx((0.0015, 0.9985), abs=1e-4)
    assert found[0].over == "2 references × 2 noises"


def test_needs_the_unguided_samples_of_the_same_noise(tmp_path: Path) -> None:
    guided = judged([record("a hat", 5)])
    found = evidence(guided, judged([record(None, 4)]), write_mentions(tmp_path / "m.jsonl", MENTIONS))
    with pytest.raises(SDGError, match="no unguided sample has seed 0 and index 5: draw with unguided=true"):
        TextAlignment()(found)


def test_needs_guided_samples_and_mentions() -> None:
    with pytest.raises(SDGError, match="no guided samples"):
        TextAlignment()(evidence(judged([]), judged([record(None, 0)])))
    with pytest.raises(SDGError, match="give mentions=FILE"):
        TextAlignment()(evidence(judged([record("a hat", 0)]), judged([record(None, 0)])))
