"""Respacing: which timesteps are kept, and the chain that they form, against the golden arrays."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.spacing import respace
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from tests.diffusion.examples import gaussian_denoiser, normal

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


def adm_sections(total: int, counts: list[int]) -> list[int]:
    """ADM's rule, in the plainest way: equal sections, the steps of each found by adding up its stride."""
    kept: list[int] = []
    start = 0
    for i, count in enumerate(counts):
        size = total // len(counts) + (1 if i < total % len(counts) else 0)
        stride = (size - 1) / (count - 1) if count > 1 else 1
        position = 0.0
        for _ in range(count):
            kept.append(start + round(position))
            position += stride
        start += size
    return kept


@pytest.mark.parametrize(
    "counts", [[10, 10, 20], [10, 10, 10, 10, 10], [2, 3, 5, 7], [1, 1, 1], [25, 1], [334, 2, 9]]
)
def test_sections_of_the_chain_have_their_own_numbers_of_steps(counts: list[int]) -> None:
    kept = respace(1000, ",".join(map(str, counts)))
    assert list(kept) == adm_sections(1000, counts)
    assert len(kept) == sum(counts)
    assert respace(1000, ", ".join(map(str, counts))) == kept


def test_ten_steps_of_the_first_two_thirds_and_twenty_of_the_last() -> None:
    """By hand: 1000 timesteps are sections of 334, 333 and 333."""
    kept = respace(1000, "10,10,20")
    assert (kept[0], kept[9], kept[10], kept[19], kept[20], kept[39]) == (0, 333, 334, 666, 667, 999)
    assert kept[:3] == (0, 37, 74)
    assert kept[20:23] == (667, 684, 702)  # 17.47 apart


def test_a_position_midway_is_rounded_as_adm_rounds_it() -> None:
    """49.95 added up ten times is a little less than 499.5, while ten times 49.95 is exactly that."""
    assert respace(1000, 21)[10] == 499
    assert round(10 * 999 / 20) == 500


def test_ddim_spacing_has_a_constant_stride_and_misses_the_last_timestep() -> None:
    assert respace(1000, "ddim25") == tuple(range(0, 1000, 40))
    assert 999 not in respace(1000, "ddim25")
    assert respace(1000, "ddim38") == tuple(range(0, 1000, 27))  # the last of these is 999
    assert respace(7, "ddim7") == tuple(range(7))


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
        ("10,,20", "use for example 50"),
        ("10,0,20", "use for example 50"),
        ("ddim10,10", "use for example 50"),
        ("600,600", "use 1000 or fewer"),
        ("501,10", "501 steps of a section of 500: ask for fewer there"),
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
    assert step.log_beta_tilde == step.log_beta  # there is no other index whose value could stand in


# --- where the walk begins


def test_strength_walks_the_end_of_the_whole_chain() -> None:
    """The last steps of it, unchanged: not a chain of their own."""
    schedule = NoiseSchedule.linear()
    whole = Timeline(schedule, 20)
    for strength, walked in [
        (1.0, 20),
        (0.5, 10),
        (0.3, 6),
        (0.29, 6),
        (0.28, 6),
        (0.27, 5),
        (0.06, 1),
        (0.001, 1),
    ]:
        part = Timeline(schedule, 20, strength)
        assert len(part) == walked
        assert list(part) == list(whole)[-walked:]
        assert part.start == part.steps[-1].level == whole.steps[walked - 1].level
    assert whole.start.t == 999


@pytest.mark.parametrize("strength", [0.0, -0.1, 1.01, float("nan")])
def test_a_strength_that_walks_nothing_or_too_much_is_refused(strength: float) -> None:
    with pytest.raises(SDGError, match=r"start\.strength=.* use above 0 \(keep all\) to 1"):
        Timeline(NoiseSchedule.linear(), 20, strength)


def test_levels_know_how_far_the_chain_has_come() -> None:
    steps = list(Timeline(NoiseSchedule.linear(), 20))
    assert [steps[0].level.progress, steps[-1].level.progress, steps[-1].level_s.progress] == [0.0, 1.0, 1.0]
    assert all(step.level.progress == pytest.approx(1 - step.t / 999) for step in steps)
    finished = steps[-1].level_s
    assert (finished.t, finished.alpha_bar, finished.sigma) == (0, 1.0, 0.0)


def test_diffusing_is_the_forward_process() -> None:
    level = Level.vp(300, 0.36, 0.7)
    x0, noise = normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=1)
    torch.testing.assert_close(level.diffuse(x0, noise), 0.6 * x0 + 0.8 * noise)
    assert torch.equal(Level.vp(0, 1.0, 1.0).diffuse(x0, noise), x0)


MEAN, STD = 0.3, 0.5
KEYS = [(0, index) for index in range(64)]  # 64 x 256 pixels: standard errors of 0.004 and 0.003


def edit(sampler: Sampler, strength: float, start: Tensor | None) -> Tensor:
    """Images of a perfect prior of independent pixels N(MEAN, STD²), begun from ``start``."""
    denoiser, _, _ = gaussian_denoiser(100, MEAN, STD, learn_variance=True)
    timeline = Timeline(denoiser.schedule, 100, strength)
    return generate(denoiser, sampler, timeline, NoiseSource(KEYS), start=start)


@pytest.mark.parametrize("strength", [0.05, 0.4, 1.0])
def test_the_first_state_is_the_start_with_the_noise_of_the_first_level(strength: float) -> None:
    seen: list[tuple[Tensor, Level]] = []

    def guide(x: Tensor, level: Level) -> None:
        seen.append((x, level))

    denoiser, _, _ = gaussian_denoiser(20, MEAN, STD, learn_variance=True)
    timeline, start = Timeline(denoiser.schedule, 20, strength), normal(1, 1, 16, 16).float()
    generate(denoiser, DDPM(), timeline, NoiseSource(KEYS[:3]), guide, start=start)
    x, level = seen[0]
    assert level == timeline.start
    assert len(seen) == len(timeline)
    noise = NoiseSource(KEYS[:3]).normal((1, 16, 16))
    torch.testing.assert_close(x, level.alpha_bar**0.5 * start + (1 - level.alpha_bar) ** 0.5 * noise)


@pytest.mark.parametrize("strength", [0.1, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("sampler", [DDPM(), DDIM()], ids=["ddpm", "ddim"])
def test_an_edited_image_remembers_its_start_as_far_as_the_noise_lets_it(
    sampler: Sampler, strength: float
) -> None:
    """In closed form. A start from the prior gives images of the prior, more like it the shorter the walk.

    From x_t = a x_0 + σ z, whose variance is v, the ancestral chain draws x_0' given x_t, so that x_0' is
    m + s² a/v (x_t - m a) and noise; the probability flow scales x_t, so that x_0' is m + s/√v (x_t - m a).
    """
    start = MEAN + STD * normal(64, 1, 16, 16, seed=7).float()
    x = edit(sampler, strength, start)
    x0, edited = ((each - MEAN).double() for each in (start, x))
    alpha_bar = Timeline(NoiseSchedule.linear(), 100, strength).start.alpha_bar
    variance = alpha_bar * STD**2 + 1 - alpha_bar
    gain = STD**2 * alpha_bar**0.5 / variance if isinstance(sampler, DDPM) else STD / variance**0.5
    memory = alpha_bar**0.5 * gain
    assert float((x0 * edited).mean() / x0.square().mean()) == pytest.approx(memory, abs=0.025)
    assert float(edited.mean()) == pytest.approx(0, abs=0.016)
    assert float(edited.std()) == pytest.approx(STD, abs=0.02)


def test_at_strength_1_the_start_is_forgotten() -> None:
    """All but √ᾱ_T = 0.0064 of it. Grey is the mean of pure noise: starting from it is no start."""
    unstarted = edit(DDIM(), 1.0, None)
    grey = torch.zeros(1, 1, 16, 16)
    torch.testing.assert_close(edit(DDIM(), 1.0, grey), unstarted, rtol=0, atol=2e-4)
    white = edit(DDIM(), 1.0, grey + 1) - unstarted
    assert float(white.abs().max()) < 0.0064


def test_a_start_hardly_noised_is_hardly_changed() -> None:
    start = torch.linspace(-1, 1, 256).view(1, 1, 16, 16)
    assert float((edit(DDPM(), 0.001, start) - start).abs().max()) < 0.05
