import pytest
import torch

from sdg.data.toyfaces import ATTRIBUTES, MARGINALS, sample_attributes
from sdg.errors import SDGError
from sdg.metrics.marginals import Marginals
from tests.metrics.examples import evidence, judged, record


def test_shares_are_counted_and_the_worst_is_named() -> None:
    attributes = torch.zeros(200, len(ATTRIBUTES), dtype=torch.int64)
    attributes[:150, list(ATTRIBUTES).index("hat")] = 1
    found = evidence(judged([]), judged([record(None, i) for i in range(200)], attributes))
    measures = {measure.name: measure for measure in Marginals()(found)}
    assert measures["hat/yes"].value == pytest.approx(0.75)
    assert measures["hat/no"].beside == ("data", 0.65)
    assert measures["largest_deviation"].value == pytest.approx(1 - 1 / 7)  # black hair everywhere
    assert len(measures) == 1 + sum(map(len, ATTRIBUTES.values()))


def test_faces_as_the_data_has_them_are_near_its_marginals() -> None:
    attributes = sample_attributes(0, torch.arange(4000))
    found = evidence(judged([]), judged([record(None, i) for i in range(4000)], attributes))
    measures = {measure.name: measure for measure in Marginals()(found)}
    assert measures["largest_deviation"].value < 0.03
    for name, values in ATTRIBUTES.items():
        assert sum(measures[f"{name}/{value}"].value for value in values) == pytest.approx(1)
        assert [measures[f"{name}/{value}"].beside[1] for value in values] == list(MARGINALS[name])


def test_few_samples_say_nothing() -> None:
    with pytest.raises(SDGError, match="need 100 unguided samples or more, here are 99"):
        Marginals()(evidence(judged([]), judged([record(None, i) for i in range(99)])))
