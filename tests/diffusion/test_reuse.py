"""Which steps of a chain compute the prior whole: counted by hand, and refused where none could be saved."""

import math
from typing import Any

import pytest
import torch

from sdg.diffusion.heun import Heun
from sdg.diffusion.reuse import Reuse, reuse
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.spacing import Karras
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError

SCHEDULE = NoiseSchedule.linear()


def whole(every: Any, timeline: Timeline) -> list[float]:
    """The times of the steps that compute the prior whole."""
    found = Reuse(every)
    found.fit(timeline)
    return [step.t for step in timeline if found.whole(step)]


def test_every_so_many_steps_counted_from_the_first() -> None:
    timeline = Timeline(SCHEDULE, 6)
    assert [step.t for step in timeline] == [999, 799, 599, 400, 200, 0]
    assert whole(2, timeline) == [999, 599, 200]
    assert whole(3, timeline) == [999, 400]
    assert whole(6, timeline) == [999]


def test_auto_is_whole_until_the_layout_is_decided_and_then_at_every_third_step() -> None:
    timeline = Timeline(SCHEDULE, 1000)
    alpha_bar = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64).neg().add(1).cumprod(0)
    first = int((alpha_bar / (1 - alpha_bar) >= math.exp(-2)).sum()) - 1  # the noisiest with λ >= -1
    assert 440 < first < 460
    assert whole("auto", timeline) == [*range(999, first, -1), *range(first - 2, -1, -3)]


def test_auto_depends_on_the_noise_and_not_on_the_number_of_steps() -> None:
    assert whole("auto", Timeline(SCHEDULE, 5)) == [999, 749, 500]
    assert whole("auto", Timeline(SCHEDULE, 2)) == [999]


def test_a_correction_is_an_evaluation_of_its_own() -> None:
    rule = Heun()
    timeline = Timeline(SCHEDULE, 3, spacing=Karras(), correct=rule.correct)
    found = Reuse(2)
    found.fit(timeline)
    steps = list(timeline)
    assert [step.corrects for step in steps] == [False, True, False, True, False]
    assert [found.whole(step) for step in steps] == [True, False, True, False, True]


@pytest.mark.parametrize("every", [None, "none"])
def test_none_is_no_reuse(every: Any) -> None:
    assert reuse(every) is None


@pytest.mark.parametrize("every", [1, 0, -2, 1.5, True, "often"])
def test_other_words_are_refused(every: Any) -> None:
    with pytest.raises(SDGError, match=rf"sampler\.reuse={every} is unknown: use none, auto, or a number"):
        reuse(every)


def test_more_than_the_chain_is_refused() -> None:
    found = Reuse(6)
    with pytest.raises(SDGError, match=r"sampler\.reuse=6 is more than the chain's 5 steps"):
        found.fit(Timeline(SCHEDULE, 5))
