"""The ancestral step and the paper's mean shift, against the golden arrays and by their properties."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Step, Timeline
from sdg.errors import SDGError
from tests.diffusion.examples import Fixed, normal

GOLDEN = Path(__file__).parents[1] / "golden"
SCHEDULE = NoiseSchedule.linear()
CASES = [("process_100", i) for i in (0, 1, 50, 99)] + [("process_ddim", i) for i in (0, 12, 24)]


def load_case(file: str, index: int, dtype: torch.dtype) -> tuple[dict[str, Tensor], Step, Prediction]:
    """The arrays of one step, the step, and our denoiser's prediction from the same network output."""
    arrays = load_file(GOLDEN / f"{file}.safetensors")
    golden = {key.removeprefix(f"i{index}."): value for key, value in arrays.items()}
    golden = {key: value.to(dtype) for key, value in golden.items()}
    step = Timeline(SCHEDULE, "ddim25" if file == "process_ddim" else 100).steps[index]
    return golden, step, Denoiser(Fixed(golden["model_output"]), SCHEDULE, 16)(golden["x"], step)


def error(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max())


@pytest.mark.parametrize("file, index", CASES)
def test_mean_and_variance_equal_the_golden_arrays(file: str, index: int) -> None:
    golden, step, prediction = load_case(file, index, torch.float64)
    variance = DDPM().variance(prediction, step)
    assert isinstance(variance, Tensor)
    assert error(DDPM().mean(golden["x"], prediction, step), golden["mean"]) < 1e-6
    assert error(variance, golden["variance"]) < 1e-6
    assert error(variance.log(), golden["log_variance"]) < 2e-6  # of numbers up to 10


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-6), (torch.float32, 2e-6)], ids=["64", "32"])
@pytest.mark.parametrize("file, index", CASES)
def test_guided_step_equals_the_golden_array(
    file: str, index: int, dtype: torch.dtype, tolerance: float
) -> None:
    golden, step, prediction = load_case(file, index, dtype)
    guided = DDPM().guide(prediction, golden["gradient"], step)
    x_s = DDPM().step(golden["x"], guided, step, golden["noise"])
    assert error(x_s, golden["ddpm_guided"]) < tolerance


@pytest.mark.parametrize("fraction", [None, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("index", [0, 1, 50, 99])
def test_guidance_shifts_the_mean_by_the_variance_times_the_gradient(
    index: int, fraction: float | None
) -> None:
    step = Timeline(SCHEDULE, 100).steps[index]
    x_t, x0, gradient = normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=1), 100 * normal(2, 3, 4, 4, seed=2)
    prediction = Prediction(x0, None if fraction is None else torch.full_like(x0, fraction))
    sampler = DDPM()
    guided = sampler.guide(prediction, gradient, step)
    shift = sampler.mean(x_t, guided, step) - sampler.mean(x_t, prediction, step)
    torch.testing.assert_close(shift, sampler.variance(prediction, step) * gradient, rtol=1e-9, atol=1e-12)
    assert guided.variance_fraction is prediction.variance_fraction


def test_a_zero_gradient_changes_no_bit() -> None:
    step = Timeline(SCHEDULE, 100).steps[99]
    prediction = Prediction(torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(DDPM().guide(prediction, torch.zeros(2, 3, 4, 4), step).x0, prediction.x0)


def test_variance_lies_between_posterior_and_forward() -> None:
    step = Timeline(SCHEDULE, 100).steps[50]
    beta_tilde = step.beta * (1 - step.alpha_bar_s) / (1 - step.alpha_bar)
    x0 = torch.zeros(1, 3, 4, 4, dtype=torch.float64)
    assert DDPM("large").variance(Prediction(x0), step) == pytest.approx(step.beta, rel=1e-12)
    assert DDPM("small").variance(Prediction(x0), step) == pytest.approx(beta_tilde, rel=1e-12)
    for fraction, expected in {
        0.0: beta_tilde,
        1.0: step.beta,
        0.5: math.sqrt(beta_tilde * step.beta),
    }.items():
        for kind in ("large", "small"):
            learned = DDPM(kind).variance(Prediction(x0, torch.full_like(x0, fraction)), step)  # type: ignore[arg-type]
            torch.testing.assert_close(learned, torch.full_like(x0, expected), rtol=1e-12, atol=0)


def test_fixed_variances_are_the_ends_of_the_learned_one_at_every_step() -> None:
    """Also at the last, where β̃ would be 0 and guidance silent: there it is that of the step before.

    ADM's own fixed variances differ at that step: 0 for small, and β̃_1 for large (docs/method).
    """
    x0 = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    timeline = Timeline(SCHEDULE, 100)
    for step in timeline:
        for kind, fraction in (("small", 0.0), ("large", 1.0)):
            learned = DDPM().variance(Prediction(x0, torch.full_like(x0, fraction)), step)
            fixed = DDPM(kind).variance(Prediction(x0), step)  # type: ignore[arg-type]
            assert float(learned) == pytest.approx(float(fixed), rel=1e-12)
    last, before = timeline.steps[:2]
    beta_tilde = before.beta * (1 - last.alpha_bar) / (1 - before.alpha_bar)
    assert DDPM("small").variance(Prediction(x0), last) == pytest.approx(beta_tilde, rel=1e-12)
    assert DDPM("large").variance(Prediction(x0), last) == pytest.approx(
        1e-4, rel=1e-9
    )  # β_0 of the schedule


def test_the_last_step_ignores_noise() -> None:
    last = Timeline(SCHEDULE, 100).steps[0]
    x_t, prediction = normal(1, 3, 4, 4), Prediction(normal(1, 3, 4, 4, seed=1))
    x_s = DDPM().step(x_t, prediction, last, torch.full_like(x_t, math.nan))
    torch.testing.assert_close(x_s, prediction.x0)  # the mean of the last step is x̂_0 itself: c1 = 1, c2 = 0


def test_an_unknown_variance_is_refused() -> None:
    with pytest.raises(SDGError, match="use large or small"):
        DDPM("medium")  # type: ignore[arg-type]
