"""Variances by halves, against those among many sets, and against measures of the halves themselves."""

import pytest
import torch
from torch import Tensor

from sdg.metrics import halves
from sdg.metrics.halves import variances_by_halves
from sdg.metrics.intervals import Spread, mean_spread
from sdg.metrics.manifold import prdc
from sdg.metrics.units import Units
from sdg.randomness import keyed_generator

SHARES = ("precision", "recall", "coverage")


def test_what_halves_say_is_the_variance_and_leaving_one_out_says_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Among 60 sets a variance has a relative standard error of 0.18."""
    monkeypatch.setattr(halves, "SPLITS", 6)
    generator, runs = torch.Generator().manual_seed(0), 60
    values, by_halves, one_by_one = torch.zeros(3, runs, len(SHARES), dtype=torch.float64)
    x_alone, y_alone = Units.alone(120), Units.alone(100)
    for run in range(runs):
        x, y = (torch.randn(count, 4, generator=generator).double() for count in (120, 100))
        found = prdc(x + 0.3, y)
        values[run] = torch.stack([getattr(found, name).mean() for name in SHARES])
        by_halves[run] = torch.tensor([*variances_by_halves(x + 0.3, y, 3, 5).values()])
        spreads = (
            (mean_spread(x_alone, found.precision), Spread.without(y_alone, [found.lost.precision])),
            (Spread.without(x_alone, [found.lost.recall_alone]), mean_spread(y_alone, found.recall)),
            (Spread.without(x_alone, [found.lost.coverage_alone]), mean_spread(y_alone, found.coverage)),
        )
        one_by_one[run] = torch.tensor([a.variance + b.variance for a, b in spreads])
    truth = values.var(dim=0)
    right, more = by_halves.mean(dim=0) / truth, one_by_one.mean(dim=0) / truth
    assert right.min() > 0.75, right
    assert right.max() < 1.5, right
    assert more.min() > 1.5, more
    assert (more / right).min() > 1.5


def test_each_half_is_measured_as_a_set_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halves, "SPLITS", 2)
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(31, 3, generator=generator), torch.randn(24, 3, generator=generator)
    found = variances_by_halves(x, y, k=2, k_density=4)

    def shares(x: Tensor, y: Tensor) -> Tensor:
        each = prdc(x, y, k=2, k_density=4)
        return torch.stack([getattr(each, name).mean() for name in SHARES])

    draw, squares = keyed_generator("halves"), []
    x, y = (each[torch.randperm(len(each), generator=draw)[:count]] for each, count in ((x, 30), (y, 24)))
    for _ in range(2):
        of_x, of_y = (torch.randperm(count, generator=draw) for count in (30, 24))
        one, other = (shares(x[a], y[b]) for a, b in zip(of_x.split(15), of_y.split(12), strict=True))
        squares.append((one - other) ** 2)
    expected = sum(squares) / 8
    assert expected.min() > 0  # type: ignore[union-attr]
    assert [*found] == [*SHARES]
    torch.testing.assert_close(torch.tensor([*found.values()]).double(), expected)


def test_of_many_pictures_some_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of them has four times the variance, by which it is told."""
    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(400, 3, generator=generator) + 0.5, torch.randn(300, 3, generator=generator)
    whole = variances_by_halves(x, y, 3, 5)
    monkeypatch.setattr(halves, "MOST", 100)
    for name, variance in variances_by_halves(x, y, 3, 5).items():
        assert 0.4 < variance / whole[name] < 2.5, name


def test_halves_too_small_for_the_balls_say_nothing() -> None:
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(3))
    assert variances_by_halves(x[:11], x, 3, 5) == {}
    assert variances_by_halves(x, x[:11], 3, 5) == {}
    assert variances_by_halves(x, x[:11], 3, 4).keys() == {*SHARES}
