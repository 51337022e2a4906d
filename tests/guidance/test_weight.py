"""Weights that change with progress, and prompts that carry weights."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from sdg.diffusion.level import Level
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.prompt import seems_weighted, weighted_sentences
from sdg.guidance.stages import StageWeights
from sdg.guidance.text import Text
from sdg.guidance.weight import Cosine, Linear, NoiseWindow, Weight, Window


@pytest.mark.parametrize(
    "weight, values",
    [
        (Window(2.0, 0.25, 0.75), [0.0, 2.0, 2.0, 2.0, 0.0]),
        (Window(3.0, stop=0.5), [3.0, 3.0, 3.0, 0.0, 0.0]),
        (Linear(1.0, 3.0), [1.0, 1.5, 2.0, 2.5, 3.0]),
        (Cosine(0.0, 2.0), [0.0, 1 - 0.5**0.5, 1.0, 1 + 0.5**0.5, 2.0]),
    ],
)
def test_weights_by_progress(weight: Weight, values: list[float]) -> None:
    assert [weight(i / 4) for i in range(5)] == pytest.approx(values)


@pytest.mark.parametrize("start, stop", [(-0.1, 0.5), (0.5, 1.1), (0.6, 0.6), (0.7, 0.2)])
def test_windows_lie_inside_the_chain(start: float, stop: float) -> None:
    with pytest.raises(SDGError, match="use 0 <= start < stop <= 1"):
        Window(1.0, start, stop)


@pytest.mark.parametrize("weight", ["strong", None, float("nan"), float("inf"), True])
def test_what_is_no_number_is_no_weight(weight: Any) -> None:
    makers: list[Callable[[], object]] = [
        lambda: Text(weight),
        lambda: Window(weight),
        lambda: Window(1.0, stop=weight),
        lambda: Linear(weight, 1.0),
        lambda: Cosine(1.0, weight),
        lambda: StageWeights({"layer1": weight}),
    ]
    for make in makers:
        with pytest.raises(SDGError, match=f"={weight} is not a number: use for example 1.0"):
            make()


def test_terms_weigh_numbers_and_functions_alike() -> None:
    level = Level.vp(750, 0.1, 0.25)
    assert [term.weight_at(level) for term in (Text(), Text(-2), Text(Linear(1.0, 0.0)))] == [1, -2, 0.75]


def test_a_window_that_holds_no_step_of_a_chain_is_refused() -> None:
    """Half a chain of four steps begins at t=333: an early window is past, and a narrow one lies between."""
    levels = [step.level for step in Timeline(NoiseSchedule.linear(), 4, strength=0.5)]
    windows = {"early": Window(stop=0.5), "narrow": NoiseWindow(start=300, stop=100)}
    for name, window in windows.items():
        with pytest.raises(SDGError, match=rf"t=333 down to 0, lies in the window of .*\.{name}\.weight"):
            Guidance(nn.Identity(), {"late": Text(Window(1.0, 0.6)), name: Text(window)}, 1.0).check(levels)
    Guidance(nn.Identity(), {"late": Text(NoiseWindow(start=333)), "off": Text(0.0)}, 1.0).check(levels)


def test_guidance_rests_where_every_weight_is_zero() -> None:
    windows = {"a": Text(Window(1.0, 0.0, 0.3)), "b": Text(Window(1.0, 0.2, 0.5)), "c": Text(0.0)}
    guidance = Guidance(nn.Identity(), windows, 1.0)
    assert [guidance.rests(Level.vp(0, 1.0, progress)) for progress in (0.0, 0.25, 0.4, 0.6)] == [
        False
    ] * 3 + [True]


@pytest.mark.parametrize(
    "prompt, sentences",
    [
        ("a smiling face", [("a smiling face", 1.0)]),
        ("a hat | glasses:-0.5", [("a hat", 1.0), ("glasses", -0.5)]),
        (" a hat :2|a beard : .25 ", [("a hat", 2.0), ("a beard", 0.25)]),
        ("ratio 3:4 of a face", [("ratio 3:4 of a face", 1.0)]),
        ("a hat, smiling: happy", [("a hat, smiling: happy", 1.0)]),
        # Without a bar, a prompt is one sentence.
        ("a bedroom at 10:30", [("a bedroom at 10:30", 1.0)]),
        ("a photo, 16:9", [("a photo, 16:9", 1.0)]),
        ("a sign that says: 5", [("a sign that says: 5", 1.0)]),
        ("a face:0.5", [("a face:0.5", 1.0)]),
        (":2", [(":2", 1.0)]),
        # With one, times, ratios and what follows a colon and a space are still text.
        ("a bedroom at 10:30 | a hat", [("a bedroom at 10:30", 1.0), ("a hat", 1.0)]),
        ("a sign that says: 5 | a hat:2", [("a sign that says: 5", 1.0), ("a hat", 2.0)]),
        # A backslash makes a bar or a colon text.
        (r"a cat \| a dog", [("a cat | a dog", 1.0)]),
        (r"number\:5 | a hat", [("number:5", 1.0), ("a hat", 1.0)]),
        (r"a \: b\|c:2 | d", [("a : b|c", 2.0), ("d", 1.0)]),
        (r"back\slash", [(r"back\slash", 1.0)]),
    ],
)
def test_weighted_sentences(prompt: str, sentences: list[tuple[str, float]]) -> None:
    assert weighted_sentences(prompt) == sentences


@pytest.mark.parametrize("prompt", ["a hat |", "| a hat", "a | | b", ":2 | a", "a | :2", ""])
def test_empty_sentences_are_refused(prompt: str) -> None:
    with pytest.raises(SDGError, match="empty part"):
        weighted_sentences(prompt)


@pytest.mark.parametrize(
    "prompt, seems",
    [
        ("a face:0.5", True),
        ("a face : 2", True),
        ("a bedroom at 10:30", False),
        ("a sign that says: 5", False),
        ("a face", False),
        ("a face:0.5 | a hat", False),
        (r"a face\:0.5", False),
    ],
)
def test_a_weight_without_a_bar_is_noticed(prompt: str, seems: bool) -> None:
    assert seems_weighted(prompt) == seems
