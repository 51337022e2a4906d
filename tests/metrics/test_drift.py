"""Drift: shifts that are known, and none, measured from few samples."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdg.data.toyfaces import ATTRIBUTES
from sdg.errors import SDGError
from sdg.metrics.drift import Drift
from sdg.metrics.exchange import EXCHANGES, at_least, balanced, lots
from sdg.metrics.intervals import mean_spread
from sdg.metrics.measure import Measure
from sdg.metrics.units import Units
from tests.metrics.examples import evidence, judged, record, write_mentions

NAMES = list(ATTRIBUTES)
HAIR, HAT, BEARD = (NAMES.index(name) for name in ("hair_color", "hat", "beard"))


def measure(folder: Path, guided: Tensor, unguided: Tensor, mentions: dict[str, dict]) -> dict[str, Measure]:
    """Drift of guided attributes (P, n, 8) against unguided ones (n, 8)."""
    samples = guided.shape[1]
    records = [record(prompt, i) for prompt in mentions for i in range(samples)]
    found = evidence(
        judged(records, guided.flatten(0, 1)),
        judged([record(None, i) for i in range(samples)], unguided),
        write_mentions(folder / "mentions.jsonl", mentions),
    )
    return {each.name: each for each in Drift()(found)}


def drawn(prompts: int, samples: int, beards: float, seed: int) -> Tensor:
    """(prompts, samples, 8): hair of any colour, this share of beards, and nothing else."""
    generator = torch.Generator().manual_seed(seed)
    faces = torch.zeros(prompts, samples, len(ATTRIBUTES), dtype=torch.int64)
    faces[..., HAIR] = torch.randint(7, (prompts, samples), generator=generator)
    faces[..., BEARD] = (torch.rand(prompts, samples, generator=generator) < beards).long()
    return faces


def hats(prompts: int) -> dict[str, dict]:
    return {f"hat {number}": {"hat": "yes"} for number in range(prompts)}


def test_of_one_prompt_it_is_the_total_variation_less_the_floor(tmp_path: Path) -> None:
    """Hair black, black, brown, blond, where it was black, brown, brown, brown: ½ (¼ + ½ + ¼)."""
    guided, unguided = torch.zeros(1, 4, 8, dtype=torch.int64), torch.zeros(4, 8, dtype=torch.int64)
    guided[0, :, HAIR], unguided[:, HAIR] = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 1])
    found = measure(tmp_path, guided, unguided, hats(1))["hair_color"]
    # Two pairs differ, black for brown and blond for brown. Exchanged alike, they add up to ½; one of the two
    # alone exchanged, brown cancels, and black and blond leave ¼.
    assert found.beside[1] ** 2 == pytest.approx((0.5**2 + 0.25**2) / 2)  # type: ignore[index]
    assert found.value**2 == pytest.approx((0.5**2 - found.beside[1] ** 2) * 4 / 3)  # type: ignore[index]


@pytest.mark.parametrize("samples", [2, 7, 40, 128])
def test_lots_are_balanced(samples: int) -> None:
    """Products of two are 0 on average, as of all that could be drawn; seven run through all of these."""
    signs = balanced(samples)
    assert torch.equal(signs.T @ signs, EXCHANGES * torch.eye(samples, dtype=torch.float64))
    few = signs[:, : min(samples, 7)]
    assert len(few.unique(dim=0)) == 2 ** few.shape[1]


def test_lots_belong_to_noises_and_those_of_different_noises_are_unlike(tmp_path: Path) -> None:
    """Two prompts share noises 0 to 3, a third has 4 to 7; 200 samples of a prompt have lots, too."""
    places = [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
    records = [record(f"hat {prompt}", place) for prompt, row in enumerate(places) for place in row]
    free = judged([record(None, place) for place in range(8)])
    mentions = write_mentions(tmp_path / "mentions.jsonl", hats(3))
    first, second, third = lots(evidence(judged(records), free, mentions))
    assert torch.equal(first, second)
    assert first.shape == (EXCHANGES, 4)
    for signs in (first, third):
        assert torch.equal(signs.T @ signs, EXCHANGES * torch.eye(4, dtype=torch.float64))
    assert not torch.equal(first, third)
    assert float((first.T @ third).abs().max()) < 0.5 * EXCHANGES
    records = [record("hat 0", place) for place in range(200)]
    (many,) = lots(evidence(judged(records), judged([record(None, i) for i in range(200)]), mentions))
    assert many.shape == (EXCHANGES, 200)
    assert len(many.T.unique(dim=0)) == 200


def test_the_same_samples_have_not_drifted(tmp_path: Path) -> None:
    unguided = drawn(1, 8, 0.3, 0)[0]
    guided = unguided.expand(3, -1, -1).clone()
    guided[..., HAT] = 1
    measures = measure(tmp_path, guided, unguided, hats(3))
    assert "hat" not in measures
    assert len(measures) == len(ATTRIBUTES)
    assert all(each.value == 0 and each.beside == ("by chance", 0) for each in measures.values())
    assert measures["all"].count == 3 * 8 * 7
    assert measures["beard"].count == 24


@pytest.mark.parametrize("samples, runs, chance", [(12, 16, 0.2), (200, 1, 0.06)])
def test_a_known_shift_is_found_whatever_the_number_of_samples(
    tmp_path: Path, samples: int, runs: int, chance: float
) -> None:
    """Beards from 20 % to 45 %; hair is drawn anew with the same shares, which is no drift."""
    found = [
        measure(tmp_path, drawn(9, samples, 0.45, 2 * i), drawn(1, samples, 0.2, 2 * i + 1)[0], hats(9))
        for i in range(runs)
    ]
    beard, hair = (sum(each[name].value ** 2 for each in found) / runs for name in ("beard", "hair_color"))
    assert beard**0.5 == pytest.approx(0.25, abs=0.05)
    assert hair**0.5 < chance
    ends = found[0]["beard"].interval
    assert ends is not None
    assert ends[0] < found[0]["beard"].value < ends[1]


def test_opposite_drifts_of_two_prompts_do_not_cancel(tmp_path: Path) -> None:
    unguided = torch.zeros(64, len(ATTRIBUTES), dtype=torch.int64)
    unguided[:32, BEARD] = 1
    guided = torch.stack([unguided, unguided])
    guided[0, :, BEARD], guided[1, :, BEARD] = 0, 1
    assert measure(tmp_path, guided, unguided, hats(2))["beard"].value == pytest.approx(0.5, abs=0.01)


def test_prompts_that_mention_an_attribute_say_nothing_of_its_drift(tmp_path: Path) -> None:
    unguided = torch.zeros(16, len(ATTRIBUTES), dtype=torch.int64)
    guided = torch.stack([unguided, unguided])
    guided[0, :, BEARD] = 1
    mentions = {"a beard": {"beard": "yes"}, "a hat": {"hat": "yes"}}
    measures = measure(tmp_path, guided, unguided, mentions)
    assert measures["beard"].value == 0
    assert measures["beard"].count == 16
    assert measures["glasses"].count == 32


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    unguided = torch.zeros(2, len(ATTRIBUTES), dtype=torch.int64)
    with pytest.raises(SDGError, match="larger samples_per_prompt"):
        measure(tmp_path, unguided[None, :1], unguided[:1], hats(1))
    everything = {"all": {name: values[0] for name, values in ATTRIBUTES.items()}}
    with pytest.raises(SDGError, match="nothing can drift"):
        measure(tmp_path, unguided[None], unguided, everything)


def test_the_interval_of_a_large_drift_is_that_of_the_mean_change(tmp_path: Path) -> None:
    """Of one attribute of two values, the total variation is |mean change|, and has its standard error."""
    guided, unguided = drawn(1, 400, 0.6, 0), drawn(1, 400, 0.2, 1)[0]
    beard = measure(tmp_path, guided, unguided, hats(1))["beard"]
    change = (guided[0, :, BEARD] - unguided[:, BEARD]).double()
    error = float(change.std()) / 400**0.5
    assert beard.interval is not None
    assert beard.interval[1] - beard.interval[0] == pytest.approx(2 * 1.966 * error, rel=0.02)
    assert beard.value == pytest.approx(float(change.mean()), rel=0.01)


@pytest.mark.parametrize("own, right", [(0.0, 4.0), (1.0, 4.0), (9.0, 9.0)])
def test_a_square_varies_no_less_than_where_nothing_has_moved(own: float, right: float) -> None:
    """Exchanges that move it by two either way have a variance of four."""
    signs = torch.tensor([1.0, -1.0]).repeat(8)
    spread = mean_spread(Units.alone(len(signs)), signs)
    found = at_least(spread.scaled((own / spread.variance) ** 0.5), 5 + 2 * signs)
    assert sum(each.variance for each in found) == pytest.approx(right, rel=0.08)
