"""The denoiser: what a network's output means."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sdg.diffusion.denoiser import Denoiser, Parameterisation, Prediction
from sdg.diffusion.sampler import correct_score
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from tests.diffusion.examples import Fixed, normal

GOLDEN = Path(__file__).parents[1] / "golden"
SCHEDULE = NoiseSchedule.linear()
ALL: list[Parameterisation] = ["eps", "x0", "v"]


@pytest.mark.parametrize("t", [0, 500, 999])
@pytest.mark.parametrize("parameterisation", ALL)
def test_a_perfect_network_gives_back_image_and_noise(parameterisation: Parameterisation, t: int) -> None:
    step = Timeline(SCHEDULE, 1000).steps[t]
    x0, noise = normal(2, 3, 4, 4).clamp(-1, 1), normal(2, 3, 4, 4, seed=1)
    a, sigma = SCHEDULE.coefficients(torch.tensor([t, t]), x0)
    x_t = SCHEDULE.diffuse(x0, torch.tensor([t, t]), noise)

    blank = Denoiser(nn.Identity(), SCHEDULE, 4, parameterisation=parameterisation)
    network = Fixed(blank.meaning.target(x0, noise, a, sigma))
    prediction = Denoiser(network, SCHEDULE, 4, parameterisation=parameterisation)(x_t, step)

    torch.testing.assert_close(prediction.x0, x0, rtol=0, atol=1e-10)
    torch.testing.assert_close(prediction.eps(x_t, step), noise, rtol=0, atol=1e-10)
    assert prediction.variance_fraction is None


def test_parameterisations_agree_on_an_imperfect_network_too() -> None:
    """Three networks that hold the same belief about x0, right or wrong, are the same denoiser."""
    step = Timeline(SCHEDULE, 100).steps[50]
    x_t, belief = normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=1)
    eps = Prediction(belief).eps(x_t, step)
    a, sigma = step.alpha_bar**0.5, step.sigma
    for parameterisation, output in {"eps": eps, "x0": belief, "v": a * eps - sigma * belief}.items():
        denoiser = Denoiser(Fixed(output), SCHEDULE, 4, parameterisation=parameterisation, clip=False)
        torch.testing.assert_close(denoiser(x_t, step).x0, belief, rtol=0, atol=1e-12)


def test_clipping_bounds_the_image_and_the_noise_follows() -> None:
    step = Timeline(SCHEDULE, 100).steps[50]
    x_t, wild = normal(2, 3, 4, 4), 3 * normal(2, 3, 4, 4, seed=1)
    clipped = Denoiser(Fixed(wild), SCHEDULE, 4, parameterisation="x0")(x_t, step)
    assert torch.equal(clipped.x0, wild.clamp(-1, 1))
    torch.testing.assert_close(step.alpha_bar**0.5 * clipped.x0 + step.sigma * clipped.eps(x_t, step), x_t)
    free = Denoiser(Fixed(wild), SCHEDULE, 4, parameterisation="x0", clip=False)(x_t, step)
    assert torch.equal(free.x0, wild)


def test_extra_channels_are_the_variance_not_clamped() -> None:
    step = Timeline(SCHEDULE, 100).steps[50]
    v = torch.tensor([-1.0, 1.0, 3.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    output = torch.cat([torch.zeros(1, 3, 4, 4), v], dim=1)
    prediction = Denoiser(Fixed(output), SCHEDULE, 4, parameterisation="x0")(torch.zeros(1, 3, 4, 4), step)
    assert torch.equal(prediction.x0, torch.zeros(1, 3, 4, 4))
    assert prediction.variance_fraction is not None
    assert prediction.variance_fraction[0, :, 0, 0].tolist() == [0.0, 1.0, 2.0]


def test_the_network_is_given_the_original_timestep() -> None:
    network = Fixed(torch.zeros(2, 3, 4, 4))
    Denoiser(network, SCHEDULE, 4)(torch.zeros(2, 3, 4, 4), Timeline(SCHEDULE, 100).steps[50])
    (t,) = network.asked
    assert t.dtype == torch.int64
    assert t.tolist() == [505]


@pytest.mark.parametrize("file, index", [("process_100", i) for i in (0, 1, 50, 99)] + [("process_ddim", 12)])
def test_clean_image_and_its_corrected_score_equal_the_golden_arrays(file: str, index: int) -> None:
    """The arrays divide by √ᾱ_t in float32, which is their limit near t = 999."""
    golden = load_file(GOLDEN / f"{file}.safetensors")
    step = Timeline(SCHEDULE, "ddim25" if file == "process_ddim" else 100).steps[index]
    assert golden[f"i{index}.model_t"].tolist() == [step.t] * 3
    prediction = Denoiser(Fixed(golden["model_output"].double()), SCHEDULE, 16)(golden["x"].double(), step)
    torch.testing.assert_close(prediction.x0.float(), golden[f"i{index}.pred_xstart"], rtol=0, atol=5e-5)
    corrected = correct_score(prediction, golden["gradient"].double(), step).x0
    torch.testing.assert_close(corrected.float(), golden[f"i{index}.ddim_guided_x0"], rtol=1e-5, atol=3e-4)


@pytest.mark.parametrize("parameterisation", ALL)
def test_a_network_in_half_precision_is_read_in_the_precision_of_the_state(
    parameterisation: Parameterisation,
) -> None:
    """Its own arithmetic is in bfloat16; what its rounded output means is computed in float32."""

    class Half(nn.Module):
        def __init__(self, output: Tensor) -> None:
            super().__init__()
            self.output, self.seen = nn.Parameter(output.bfloat16()), list[Tensor]()

        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            self.seen.append(x_t)
            return self.output

    step = Timeline(SCHEDULE, 100).steps[50]
    x_t, output = normal(2, 3, 4, 4).float(), normal(2, 6, 4, 4, seed=1)
    network = Half(output)
    half = Denoiser(network, SCHEDULE, 4, parameterisation=parameterisation, clip=False)(x_t, step)
    rounded = network.output.detach().float()
    full = Denoiser(Fixed(rounded), SCHEDULE, 4, parameterisation=parameterisation, clip=False)(x_t, step)
    assert network.seen[0].dtype == torch.bfloat16
    assert half.x0.dtype == torch.float32
    assert torch.equal(half.x0, full.x0)
    assert half.variance_fraction is not None
    assert full.variance_fraction is not None
    assert torch.equal(half.variance_fraction, full.variance_fraction)


def test_a_network_of_the_wrong_width_is_refused() -> None:
    denoiser = Denoiser(Fixed(torch.zeros(1, 4, 4, 4)), SCHEDULE, 4)
    with pytest.raises(SDGError, match="4 channels for a 3-channel image"):
        denoiser(torch.zeros(1, 3, 4, 4), Timeline(SCHEDULE, 10).steps[0])


def test_an_unknown_parameterisation_is_refused() -> None:
    with pytest.raises(SDGError, match="use eps, x0, v, flow or edm"):
        Denoiser(nn.Identity(), SCHEDULE, 4, parameterisation="score")  # type: ignore[arg-type]


@pytest.mark.parametrize("size, remedy", [(62, "choose 64"), (3, "choose 8"), (0, "choose 8")])
def test_a_size_that_the_network_cannot_take_is_refused_at_once(size: int, remedy: str) -> None:
    network = nn.Identity()
    network.size_multiple = 8  # type: ignore[assignment]
    with pytest.raises(SDGError, match=f"multiples of 8, not {size}: {remedy}"):
        Denoiser(network, SCHEDULE, size)
