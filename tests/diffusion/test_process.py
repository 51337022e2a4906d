"""The whole reverse process: exact priors are sampled exactly, guidance tilts them, batches do not matter."""

from collections.abc import Sequence
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.dpmpp import DPMSolverPP2M
from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import Guide, Moment, generate
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Step, Timeline
from sdg.guidance.guidance import Guidance
from sdg.guidance.text import Text
from sdg.networks.time_clip import TimeResNet
from sdg.networks.unet import ADMUNet
from tests.diffusion.examples import Fixed, gaussian_denoiser
from tests.golden.fill import fill_state_dict

MEAN, STD = 0.3, 0.5
KEYS = [(0, index) for index in range(64)]  # 64 x 256 pixels: standard errors of 0.004 and 0.003


# --- the exact score of a Gaussian


@pytest.mark.parametrize("kind", ["small", "large"])
def test_the_exact_score_of_a_gaussian_recovers_it_as_steps_grow(kind: str) -> None:
    """With a fixed variance, too small or too large, the error is the discretisation's and must shrink."""
    errors = []
    for steps in (5, 25, 250):
        denoiser, timeline, _ = gaussian_denoiser(steps, MEAN, STD, learn_variance=False)
        x = generate(denoiser, DDPM(kind), timeline, NoiseSource(KEYS))  # type: ignore[arg-type]
        assert abs(float(x.mean()) - MEAN) < 0.016
        errors.append(abs(float(x.std()) - STD))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.03


@pytest.mark.parametrize("steps", [2, 10])
def test_the_exact_score_and_variance_of_a_gaussian_recover_it_in_any_number_of_steps(steps: int) -> None:
    """p(x_s | x_t) is itself Gaussian here: a network that also knows its variance makes no error at all."""
    denoiser, timeline, _ = gaussian_denoiser(steps, MEAN, STD, learn_variance=True)
    x = generate(denoiser, DDPM(), timeline, NoiseSource(KEYS))
    assert abs(float(x.mean()) - MEAN) < 0.016
    assert abs(float(x.std()) - STD) < 0.012


# --- a linear F in closed form


def guided_shift(steps: int, constant: bool = False, at_mean: bool = False) -> Tensor:
    """Guided minus unguided pictures of one noise, for F = 2 E[x_0 | x] or F = 2 x."""
    denoiser, timeline, network = gaussian_denoiser(steps, MEAN, STD, learn_variance=True)

    def guide(x: Tensor, level: Level) -> Tensor:
        slope = 1.0 if constant else network.regression(level.alpha_bar, 1.0)[0]
        return torch.full_like(x, 2 * slope)

    unguided = generate(denoiser, DDPM(), timeline, NoiseSource(KEYS[:2]))
    sampler = DDPM(gradient_at="mean" if at_mean else "x_t")
    guided = generate(denoiser, sampler, timeline, NoiseSource(KEYS[:2]), guide)
    return guided - unguided


@pytest.mark.parametrize("steps", [5, 50])
def test_a_constant_gradient_accumulates_by_the_chains_own_recursion(steps: int) -> None:
    """F = c x_t. The sampler is linear in x_t, so guidance moves every pixel by one D, whatever its noise:

        D_s = A_t D_t + Σ_t c,    A_t = d E[x_s | x_t] / d x_t,    Σ_t = Var[x_s | x_t],

    A and Σ by the regression of one Gaussian on another, not by the sampler's coefficients.
    """
    _, timeline, network = gaussian_denoiser(steps, MEAN, STD, learn_variance=True)
    expected = 0.0
    for step in timeline:
        slope, variance = network.regression(step.alpha_bar, step.alpha_bar_s)
        expected = slope * expected + variance * 2
    shift = guided_shift(steps, constant=True)
    torch.testing.assert_close(shift, torch.full_like(shift, expected), rtol=1e-5, atol=1e-5)


def test_the_exact_likelihood_of_a_linear_score_draws_the_tilted_gaussian() -> None:
    """Tilting p(x_0) = N(m, s²) by exp(c x_0) gives N(m + s² c, s²): every pixel moves by s² c.

    The F that does this is F(x_t) = log E[exp(c x_0) | x_t], linear in x_t with slope c dE[x_0 | x_t]/dx_t.
    Taken at the mean of the state a step arrives at, it makes each step of the chain exact (Doob's
    transform): a few suffice. Taken at x_t, as in the paper, its error is of first order in the size of
    the steps.
    """
    tilt = STD**2 * 2
    exact = guided_shift(5, at_mean=True)
    torch.testing.assert_close(exact, torch.full_like(exact, tilt), rtol=0, atol=1e-4)

    errors = [tilt - float(guided_shift(steps).mean()) for steps in (100, 200)]
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.05)
    assert errors[1] < 0.03 * tilt


# --- batches and scales, with small networks of every kind of layer

PROMPTS = torch.randn(8, 16, generator=torch.Generator().manual_seed(1))
STEPS = 10


@pytest.fixture(scope="module")
def networks() -> tuple[Denoiser, Guidance]:
    unet = ADMUNet(32, 1, (1, 2), (2,), head_channels=32, patch=2).eval().requires_grad_(False)
    unet.load_state_dict(fill_state_dict(unet.state_dict()))
    encoder = TimeResNet((1, 1, 1, 1), 8, 4, 16, image_size=32, sinusoid_dim=16, time_dim=24)
    encoder.load_state_dict(fill_state_dict(encoder.state_dict()))
    return Denoiser(unet, NoiseSchedule.linear(), 32, parameterisation="v"), Guidance(
        encoder, {"text": Text()}, scale=500.0
    )


class NoiseIn(NoiseSource):
    """The noise in the dtype of the networks, which the whole chain then has."""

    def __init__(self, dtype: torch.dtype, keys: Sequence[tuple[int, int]]):
        super().__init__(keys)
        self.dtype = dtype

    def normal(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        return super().normal(shape, device).to(self.dtype)


def draw(
    networks: tuple[Denoiser, Guidance],
    indices: Sequence[int],
    scales: Sequence[float] | None,
    steps: int = STEPS,
) -> Tensor:
    """The samples ``indices``, each with a prompt of its own, in one batch; without scales nothing guides."""
    denoiser, guidance = networks
    dtype = next(denoiser.parameters()).dtype
    guide: Guide | None = None
    if scales is not None:
        targets, scale = {"text": PROMPTS[list(indices)].to(dtype)}, torch.tensor(scales)

        def guide(x_t: Tensor, level: Level) -> Tensor:
            return guidance(x_t, level, targets, scale).gradient

    noise = NoiseIn(dtype, [(0, index) for index in indices])
    return generate(denoiser, DDPM(), Timeline(denoiser.schedule, steps), noise, guide)


def test_scale_zero_equals_no_guidance_to_the_bit(networks: tuple[Denoiser, Guidance]) -> None:
    unguided = draw(networks, range(4), None)
    mixed = draw(networks, range(4), [0.0, 500.0, 0.0, 500.0])
    assert torch.equal(draw(networks, range(4), [0.0] * 4), unguided)
    assert torch.equal(mixed[[0, 2]], unguided[[0, 2]])
    assert (mixed[[1, 3]] - unguided[[1, 3]]).abs().mean() > 0.02


def test_a_sample_does_not_depend_on_its_company(networks: tuple[Denoiser, Guidance]) -> None:
    """To the bit, for batches of one size, in which it has one place."""
    reference = draw(networks, [0, 1, 2, 3], [500.0] * 4)
    assert torch.equal(draw(networks, [6, 5, 2, 7], [0.0, 500.0, 500.0, 5.0])[2], reference[2])


def test_a_sample_depends_on_its_place_and_the_size_of_its_batch_by_rounding_alone(
    networks: tuple[Denoiser, Guidance],
) -> None:
    """A convolution of one image, a matrix of few rows run other kernels, which sum in another order; without
    AVX-512, so do the last rows of MKL's matrix products beside the first. In float64 that is all but
    nothing. In float32 a long chain under strong guidance can amplify it until it shows.
    """
    exact = deepcopy(networks[0]).double(), deepcopy(networks[1]).double()
    whole = draw(exact, range(4), [500.0] * 4, steps=3)
    parts = [draw(exact, part, [500.0] * len(part), steps=3) for part in ([0], [1, 2, 3])]
    moved = draw(exact, [3, 1, 0, 2], [500.0] * 4, steps=3)
    assert whole.dtype == torch.float64
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-9)
    torch.testing.assert_close(moved, whole[[3, 1, 0, 2]], rtol=0, atol=1e-9)


# --- the loop itself


class Recording(Sampler):
    """Counts steps in place of removing noise: x_s = x_t + 1."""

    def __init__(self) -> None:
        self.calls: list[tuple[Step, Prediction, Tensor, Prediction | None]] = []

    def guide(self, prediction: Prediction, gradient: Tensor, step: Step) -> Prediction:
        return prediction._replace(x0=prediction.x0 + gradient)

    def step(
        self,
        x_t: Tensor,
        prediction: Prediction,
        step: Step,
        noise: Tensor,
        previous: Prediction | None = None,
    ) -> Tensor:
        self.calls.append((step, prediction, noise, previous))
        return x_t + 1


def test_the_loop_hands_everyone_what_they_need() -> None:
    """Guides see x_t before the step, observers x_s after it, the sampler its last (guided) prediction."""
    schedule = NoiseSchedule.linear()
    timeline, sampler = Timeline(schedule, 3), Recording()
    denoiser = Denoiser(
        Fixed(torch.zeros(2, 3, 4, 4, requires_grad=True)), schedule, 4, parameterisation="x0"
    )
    seen: list[Tensor] = []
    observed: list[Moment] = []

    def guide(x_t: Tensor, level: Level) -> Tensor | None:
        seen.append(x_t)
        return None if level.t == 0 else torch.full_like(x_t, 3.0 - len(seen))

    keys = [(0, 0), (0, 1)]
    x = generate(denoiser, sampler, timeline, NoiseSource(keys), guide, observe=observed.append)

    noise = NoiseSource(keys)
    start = noise.normal((3, 4, 4))
    assert not x.requires_grad
    assert torch.equal(x, start + 1 + 1 + 1)
    assert torch.equal(torch.stack(seen), torch.stack([start, start + 1, start + 1 + 1]))
    assert torch.equal(observed[0].x_s, seen[1])
    assert torch.equal(observed[2].x_s, x)
    steps, predictions, noises, previous = zip(*sampler.calls, strict=True)
    assert list(steps) == list(timeline) == [moment.step for moment in observed]
    assert [float(prediction.x0.mean()) for prediction in predictions] == [2.0, 1.0, 0.0]
    assert previous[0] is None
    for taken, step, prediction in zip(previous[1:], steps, predictions, strict=False):
        assert taken.step == step
        assert taken.prediction is prediction
    assert all(moment.guided is used for moment, used in zip(observed, predictions, strict=True))
    assert all(torch.equal(moment.prior.x0, torch.zeros(2, 3, 4, 4)) for moment in observed)
    assert all(torch.equal(used, noise.normal((3, 4, 4))) for used in noises[:-1])
    assert noises[-1].shape == ()  # the last step adds none
    assert not noises[-1]


class Counted(NoiseSource):
    """Counts what is drawn."""

    drawn = 0

    def normal(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        self.drawn += 1
        return super().normal(shape, device)


@pytest.mark.parametrize("sampler, drawn", [
    (DDPM(), 5), (DDIM(0.0), 1), (DDIM(0.5), 5), (DPMSolverPP2M(), 1), (DPMSolverPP2M(eta=0.5), 5),
])  # fmt: skip
def test_noise_is_drawn_for_steps_that_add_it_alone(sampler: Sampler, drawn: int) -> None:
    """x_T, and one for each step but the last: drawing takes time."""
    schedule, noise = NoiseSchedule.linear(), Counted([(0, 0)])
    denoiser = Denoiser(Fixed(torch.zeros(1, 3, 4, 4)), schedule, 4, parameterisation="x0")
    generate(denoiser, sampler, Timeline(schedule, 5), noise)
    assert noise.drawn == drawn
