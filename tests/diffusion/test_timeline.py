"""Respacing: which timesteps are kept, and the chain that they form, against the golden arrays."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline, respace
from sdg.errors import SDGError

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    "steps, file", [("100", "process_100"), (100, "process_100"), ("ddim25", "process_ddim")]
)
def test_chain_equals_the_golden_arrays(steps: int | str, file: str) -> None:
    golden = load_file(GOLDEN / f"{file}.safetensors")
    timeline = Timeline(NoiseSchedule.linear(), steps)
    chain = list(timeline)[::-1]

    assert list(timeline.timesteps) == golden["timestep_map"].tolist()
    assert [step.t for step in chain] == golden["timestep_map"].tolist()
    for name, values in {
        "alphas_cumprod": [step.alpha_bar for step in chain],
        "betas": [step.beta for step in chain],
        "posterior_log_variance_clipped": [step.log_beta_tilde for step in chain],
    }.items():
        torch.testing.assert_close(
            torch.tensor(values, dtype=torch.float64), golden[name], rtol=1e-10, atol=0
        )


def test_steps_run_from_the_noisiest_to_the_image_and_join() -> None:
    timeline = Timeline(NoiseSchedule.linear(), 50)
    steps = list(timeline)
    assert len(timeline) == len(steps) == 50
    assert [step.index for step in steps] == list(range(49, -1, -1))
    assert [step.last for step in steps] == [False] * 49 + [True]
    assert [step.alpha_bar_s for step in steps] == [*(step.alpha_bar for step in steps[1:]), 1.0]
    assert steps[0].sigma == pytest.approx((1 - steps[0].alpha_bar) ** 0.5)


def test_even_spacing_keeps_both_ends() -> None:
    assert respace(1000, 100)[:8] == (0, 10, 20, 30, 40, 50, 61, 71)
    for n in (2, 7, 250, 1000):
        kept = respace(1000, n)
        assert len(set(kept)) == n
        assert (kept[0], kept[-1]) == (0, 999)
    assert respace(1000, 1000) == tuple(range(1000))
    assert respace(1000, 1) == (999,)


def test_a_position_midway_is_rounded_as_adm_rounds_it() -> None:
    """49.95 added up ten times is a little less than 499.5, while ten times 49.95 is exactly that."""
    assert respace(1000, 21)[10] == 499
    assert round(10 * 999 / 20) == 500


def test_ddim_spacing_has_a_constant_stride_and_misses_the_last_timestep() -> None:
    assert respace(1000, "ddim25") == tuple(range(0, 1000, 40))
    assert 999 not in respace(1000, "ddim25")


@pytest.mark.parametrize(
    "steps, remedy",
    [
        ("ddim60", "use sampler.steps=60"),
        (1001, "use 1000 or fewer"),
        ("ddim1001", "use 1000 or fewer"),
        (0, "use for example 50"),
        (-5, "use for example 50"),
        ("fast", "use for example 50"),
        ("", "use for example 50"),
        (12.5, "use for example 50"),
    ],
)
def test_impossible_steps_name_the_remedy(steps: int | str, remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        Timeline(NoiseSchedule.linear(), steps)


def test_one_step_is_a_chain() -> None:
    (step,) = Timeline(NoiseSchedule.linear(), 1)
    assert step.last
    assert step.t == 999
    assert step.beta == pytest.approx(1 - step.alpha_bar)
