"""Fewer questions to the encoder: the last gradient used again, and intervals in which guidance rests."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sdg.config import build
from sdg.diffusion.timeline import Level
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.targets import Aim
from sdg.guidance.text import Text
from sdg.guidance.weight import Window
from sdg.networks.time_encoder import Features
from sdg.sampling.aims import Steer
from tests.sampling.test_controls import pictures, records, run
from tests.tiny import configure, make_weights

WINDOW = "guidance.terms.text.weight={_target_: sdg.guidance.weight.Window, start: 0.2, stop: 0.7}"


class Pixels(nn.Module):
    """Embeds a picture as its first two pixels."""

    def forward(self, x: Tensor, t: Tensor) -> Features:
        return Features((), x.flatten(1)[:, :2])


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


STATES = [(normal(2, 1, 2, 2, seed=i), Level(100 * (7 - i), 0.5, i / 8)) for i in range(8)]
TARGET, SCALE = normal(2, 2, seed=9), torch.tensor([100.0, -3.0])


def steer(every: int, terms: dict[str, Text] | None = None) -> Steer:
    guidance = Guidance(Pixels(), terms or {"text": Text()}, scale=1.0, every=every)
    return Steer(guidance, Aim(guidance.encode, dict.fromkeys(guidance.terms, TARGET), {}), SCALE)


def fresh(number: int) -> Tensor:
    """The gradient at one of the states, by the guidance alone."""
    return steer(1).guidance(*STATES[number], {"text": TARGET}, SCALE).gradient


@pytest.mark.parametrize(
    "every, asked", [(1, [0, 1, 2, 3, 4, 5, 6, 7]), (2, [0, 2, 4, 6]), (3, [0, 3, 6]), (99, [0])]
)
def test_between_two_questions_the_last_answer_stands(every: int, asked: list[int]) -> None:
    said = [*map(steer(every), *zip(*STATES, strict=True))]
    for number, steering in enumerate(said):
        last = max(i for i in asked if i <= number)
        assert steering is not None
        assert torch.equal(steering.gradient, fresh(last))
        assert steering.reused == (number not in asked)


def test_after_a_rest_the_encoder_is_asked_anew() -> None:
    """Asked at 0, rests from 2 to 4, asked at 5 and then at every third step again."""
    terms = {"early": Text(Window(1.0, 0.0, 0.2)), "late": Text(Window(1.0, 0.6, 1.0))}
    said = [*map(steer(3, terms), *zip(*STATES, strict=True))]
    assert [None if each is None else each.reused for each in said] == (
        [False, True] + [None] * 3 + [False, True, True]
    )


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
    "preset, sampler", [("fast", "dpmpp_2m_sde"), ("balanced", "dpmpp_2m_sde"), ("exact", "ddpm")]
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
