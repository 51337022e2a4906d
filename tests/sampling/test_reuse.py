"""Fewer questions to the encoder: the last gradient used again, and intervals in which guidance rests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sdg.config import build
from sdg.diffusion.ddim import DDIM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.level import Level
from sdg.diffusion.look import Look
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.pilot import Push
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Step
from sdg.errors import SDGError
from sdg.estimators.sdg import SDG
from sdg.estimators.steer import Steer
from sdg.guidance.guidance import Guidance
from sdg.guidance.score import Aimed
from sdg.guidance.targets import Aim
from sdg.guidance.text import Text
from sdg.guidance.weight import Window
from sdg.networks.time_encoder import Features
from tests.sampling.test_controls import pictures, records, run
from tests.tiny import configure, make_weights

WINDOW = "guidance.terms.text.weight={_target_: sdg.guidance.weight.Window, start: 0.2, stop: 0.7}"


class Pixels(nn.Module):
    """Embeds a picture as its first two pixels."""

    def forward(self, x: Tensor, t: Tensor) -> Features:
        return Features((), x.flatten(1)[:, :2])


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


STATES = [(normal(2, 1, 2, 2, seed=i), Level.vp(100 * (7 - i), 0.5, i / 8)) for i in range(8)]
TARGET, SCALE = normal(2, 2, seed=9), torch.tensor([100.0, -3.0])


class Still(nn.Module):
    """Takes everything for noise."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.zeros_like(x)


PRIOR = Denoiser(Still(), NoiseSchedule.linear(), 2, channels=1, parameterisation="x0")


def steer(every: int, terms: dict[str, Text] | None = None, since: float = 0.0) -> Steer:
    guidance = Guidance(Pixels(), terms or {"text": Text()}, scale=1.0, every=every)
    aim = Aim(guidance.encode, dict.fromkeys(guidance.terms, TARGET), {})
    return Steer(SDG(), Aimed(guidance, aim, SCALE), NoiseSource([(0, 0), (0, 1)]), every, every_from=since)


def asked_of(steer: Steer) -> Iterator[tuple[Push | None, bool]]:
    """The pushes at all states, and whether each was made from what an earlier one found."""
    for x, level in STATES:
        step = Step(1, level, Level.vp(level.t, 0.6, level.progress), 0.0)
        yield steer(Look(PRIOR, x, step), DDIM(), torch.zeros_like(x)), steer.reusing


def fresh(number: int) -> Tensor:
    """The gradient at one of the states, by the guidance alone."""
    guidance = Guidance(Pixels(), {"text": Text()}, scale=1.0)
    return guidance(*STATES[number], {"text": TARGET}, SCALE).gradient


@pytest.mark.parametrize(
    "every, asked", [(1, [0, 1, 2, 3, 4, 5, 6, 7]), (2, [0, 2, 4, 6]), (3, [0, 3, 6]), (99, [0])]
)
def test_between_two_questions_the_last_answer_stands(every: int, asked: list[int]) -> None:
    for number, (push, reused) in enumerate(asked_of(steer(every))):
        last = max(i for i in asked if i <= number)
        assert push is not None
        assert push.prediction is not None
        factor = (1 - 0.5) / 0.5**0.5
        assert torch.equal(push.prediction.x0, factor * fresh(last))
        assert reused == (number not in asked)


def test_after_a_rest_the_encoder_is_asked_anew() -> None:
    """Asked at 0, rests from 2 to 4, asked at 5 and then at every third step again."""
    terms = {"early": Text(Window(1.0, 0.0, 0.2)), "late": Text(Window(1.0, 0.6, 1.0))}
    said = [None if push is None else reused for push, reused in asked_of(steer(3, terms))]
    assert said == [False, True] + [None] * 3 + [False, True, True]


def test_steps_may_be_asked_less_often_from_some_progress_on() -> None:
    """Each of the first five states, whose progress lies below 0.6; then at every third."""
    said = [reused for _, reused in asked_of(steer(3, since=0.6))]
    assert said == [False] * 5 + [True, True, False]


@pytest.mark.parametrize("since", [-0.1, 1.5, float("nan")])
def test_they_are_from_within_the_chain(since: float) -> None:
    with pytest.raises(SDGError, match=rf"guidance\.every_from={since} is no progress"):
        Guidance(Pixels(), {"text": Text()}, 1.0, every_from=since)


@pytest.mark.parametrize("every", [0, -1, 1.5])
def test_every_is_a_number_of_steps(every: float) -> None:
    with pytest.raises(SDGError, match=r"guidance\.every=.* is no number of steps"):
        Guidance(Pixels(), {"text": Text()}, 1.0, every=every)  # type: ignore[arg-type]


# --- as sample.py does it


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize("sampler", ["ddpm", "dpmpp_2m_sde"])
def test_a_run_that_reuses_gradients_depends_on_neither_batch_nor_interruption(
    weights: list[str], tmp_path: Path, sampler: str
) -> None:
    common = ["prompts=[a face, a hat]", f"sampler={sampler}", "sampler.steps=4"]
    run(weights, tmp_path / "plain", *common)
    again = [*common, "guidance.every=3"]
    run(weights, tmp_path / "whole", *again)
    run(weights, tmp_path / "ones", *again, "batch_size=1")
    for i in (3, 7):
        (tmp_path / "ones" / "samples" / f"{i:06d}.png").unlink()
    run(weights, tmp_path / "ones", *again, "batch_size=1")
    plain, whole = pictures(tmp_path / "plain"), pictures(tmp_path / "whole")
    assert pictures(tmp_path / "ones") == whole
    assert [plain[name] == whole[name] for name in plain] == [True] * 3 + [False] * 6
    # The manifest has every call of the encoder, with its t, and no reuse.
    for record in records(tmp_path / "whole")[3:]:
        guided = record["trace"]["guided"]
        assert guided["t"] == [999, 0]
        assert len(guided["gradient_rms"]) == len(guided["scores"]["text"]) == 2
        assert record["trace"]["t"] == [999, 666, 333, 0]


def test_an_interval_and_reuse_go_together(weights: list[str], tmp_path: Path) -> None:
    run(weights, tmp_path / "run", "prompts=[a face]", "sampler.steps=8", WINDOW, "guidance.every=2")
    guided = [record["trace"]["guided"]["t"] for record in records(tmp_path / "run")[3:]]
    assert guided == [[714, 428]] * 3


@pytest.mark.parametrize(
    "preset, sampler",
    [
        ("quick", "dpmpp_2m_sde"),
        ("fast", "dpmpp_2m_sde"),
        ("balanced", "dpmpp_2m_sde"),
        ("exact", "ddpm"),
    ],
)
def test_presets_are_samplers_with_steps_of_their_own(preset: str, sampler: str) -> None:
    chosen, named = (configure("sample", [f"sampler={name}"]).sampler for name in (preset, sampler))
    assert chosen.rule == named.rule
    assert type(build(chosen.rule)) is type(build(named.rule))


def test_presets_take_more_steps_the_more_exact_they_are() -> None:
    fast, balanced, exact = (
        configure("sample", [f"sampler={name}"]).sampler.steps for name in ("fast", "balanced", "exact")
    )
    assert fast < balanced < exact == 100


def test_the_quick_preset_leaves_out_both_ends_of_the_chain() -> None:
    chosen = configure("sample", ["sampler=quick"]).sampler
    times = build(chosen.spacing)(NoiseSchedule.linear(), chosen.steps)
    # Nine equal strides of 860/9, rounded to whole timesteps.
    assert times == (40, 136, 231, 327, 422, 518, 613, 709, 804, 900)
