"""DDIM and DPM-Solver++(2M): against the golden arrays, against diffusers, and on an exact Gaussian."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sdg.diffusion.ddim import DDIM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.dpmpp import DPMSolverPP2M
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.sampler import Sampler, Taken
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from tests.diffusion.examples import Fixed

GOLDEN = Path(__file__).parents[1] / "golden"
SCHEDULE = NoiseSchedule.linear()
MEAN, STD = 0.3, 0.4


class ExactGaussian(nn.Module):
    """ε of x_t when x_0 ~ N(MEAN, STD²): the optimal network."""

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        a, sigma = SCHEDULE.coefficients(t, x_t)
        return sigma * (x_t - a * MEAN) / (a**2 * STD**2 + sigma**2)


@pytest.mark.parametrize("eta", [0, 1])
@pytest.mark.parametrize("file, index", [("process_100", i) for i in (0, 1, 50, 99)] + [("process_ddim", 12)])
def test_guided_ddim_equals_the_golden_array(file: str, index: int, eta: int) -> None:
    arrays = load_file(GOLDEN / f"{file}.safetensors")
    golden = {key.removeprefix(f"i{index}."): value.double() for key, value in arrays.items()}
    step = Timeline(SCHEDULE, "ddim25" if file == "process_ddim" else 100).steps[index]
    sampler = DDIM(eta)
    prediction = Denoiser(Fixed(golden["model_output"]), SCHEDULE, 16)(golden["x"], step)
    guided = sampler.guide(prediction, golden["gradient"], step)
    x_s = sampler.step(golden["x"], guided, step, golden["noise"])
    assert float((x_s - golden[f"ddim_guided_eta{eta}"]).abs().max()) < 1e-4


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers with numpy 2
@pytest.mark.parametrize("name", ["ddim", "dpmpp_2m"])
@pytest.mark.parametrize("steps", [10, 25])
def test_unguided_chains_equal_those_of_diffusers(name: str, steps: int) -> None:
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    timeline = Timeline(SCHEDULE, steps)
    timesteps = [step.t for step in timeline]
    before = torch.cat([torch.ones(1), SCHEDULE.alpha_bar[:-1]])
    betas = {"trained_betas": (1 - SCHEDULE.alpha_bar / before).numpy()}
    network, denoiser = ExactGaussian(), Denoiser(ExactGaussian(), SCHEDULE, 4, clip=False)
    noise = NoiseSource([(0, 0), (0, 1)])
    x = NoiseSource([(0, 0), (0, 1)]).normal((3, 4, 4)).double()
    ours = generate(denoiser, DDIM() if name == "ddim" else DPMSolverPP2M(), timeline, noise)
    if name == "ddim":
        # diffusers knows evenly strided steps only: its formula is asked step by step.
        scheduler = DDIMScheduler(**betas, clip_sample=False, set_alpha_to_one=True)
        for step in timeline:
            scheduler.alphas_cumprod = torch.tensor([step.alpha_bar_s, step.alpha_bar], dtype=torch.float64)
            scheduler.num_inference_steps, scheduler.config.num_train_timesteps = 1, 1
            x = scheduler.step(network(x, torch.tensor([step.t])), 1, x, eta=0.0).prev_sample
    else:
        scheduler = DPMSolverMultistepScheduler(
            **betas, algorithm_type="dpmsolver++", final_sigmas_type="zero"
        )
        scheduler.set_timesteps(timesteps=timesteps)
        for t in timesteps:
            x = scheduler.step(network(x, torch.tensor([t])), t, x).prev_sample
    torch.testing.assert_close(ours, x.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers with numpy 2
def test_stochastic_dpmpp_2m_equals_that_of_diffusers_given_the_same_noise() -> None:
    from diffusers import DPMSolverMultistepScheduler

    timeline, network = Timeline(SCHEDULE, 20), ExactGaussian()
    before = torch.cat([torch.ones(1), SCHEDULE.alpha_bar[:-1]])
    scheduler = DPMSolverMultistepScheduler(
        trained_betas=(1 - SCHEDULE.alpha_bar / before).numpy(),
        algorithm_type="sde-dpmsolver++",
        final_sigmas_type="zero",
    )
    scheduler.set_timesteps(timesteps=[step.t for step in timeline])
    source = NoiseSource([(0, 0), (0, 1)])
    x = source.normal((3, 4, 4)).double()
    for step in timeline:
        z = source.normal((3, 4, 4)).double()
        x = scheduler.step(network(x, torch.tensor([step.t])), step.t, x, variance_noise=z).prev_sample
    denoiser = Denoiser(network, SCHEDULE, 4, clip=False)
    ours = generate(denoiser, DPMSolverPP2M(eta=1.0), timeline, NoiseSource([(0, 0), (0, 1)]))
    torch.testing.assert_close(ours, x.float(), atol=3e-5, rtol=1e-5)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_whatever_its_eta_dpmpp_2m_keeps_a_gaussian(eta: float) -> None:
    denoiser = Denoiser(ExactGaussian(), SCHEDULE, 16, clip=False)
    noise = NoiseSource([(0, i) for i in range(64)])
    x = generate(denoiser, DPMSolverPP2M(1.0, eta), Timeline(SCHEDULE, 100), noise)
    assert abs(float(x.mean()) - MEAN) < 0.01
    assert abs(float(x.std()) - STD) < 0.02


@pytest.mark.parametrize("sampler, order", [(DDIM(), 1), (DPMSolverPP2M(), 2)])
def test_order_of_convergence_to_the_exact_flow(sampler: Sampler, order: int) -> None:
    """A Gaussian's probability flow is affine: its end point from any noise is known in closed form."""
    denoiser = Denoiser(ExactGaussian(), SCHEDULE, 4, clip=False)
    x_T = NoiseSource([(0, 0)]).normal((3, 4, 4)).double()

    def end(steps: int) -> Tensor:
        timeline = list(Timeline(SCHEDULE, steps))[:-1]  # down to the last step, where σ > 0
        x, previous = x_T, None
        for step in timeline:
            prediction = denoiser(x, step)
            x = sampler.step(x, prediction, step, x, previous)
            previous = Taken(step, prediction, x)
        return x

    first, last = SCHEDULE.alpha_bar[0], SCHEDULE.alpha_bar[-1]
    spread = [(a * STD**2 + 1 - a).sqrt() for a in (first, last)]
    exact = first.sqrt() * MEAN + spread[0] / spread[1] * (x_T - last.sqrt() * MEAN)
    errors = [float((end(steps) - exact).abs().max()) for steps in (100, 200)]
    slope = torch.tensor(errors[0] / errors[1]).log2()
    assert abs(float(slope) - order) < 0.4, errors


def test_eta_out_of_range_is_refused() -> None:
    for sampler in (DDIM, lambda eta: DPMSolverPP2M(eta=eta)):
        with pytest.raises(SDGError, match=r"use 0 .* to 1"):
            sampler(1.5)
