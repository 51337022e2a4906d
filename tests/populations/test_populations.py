"""Populations: against the official programs' numbers, on a Gaussian that is known, and step by step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.pilot import ByGradient
from sdg.diffusion.process import Moment, walk
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.guidance.score import CLEAN, OfFunction
from sdg.populations.best_of import BestOf
from sdg.populations.fk import FK, Weights
from sdg.populations.population import Crowd, Population, effective, systematic
from sdg.populations.prune import Prune
from sdg.populations.tds import TDS

OFFICIAL = load_file(Path(__file__).parent.parent / "golden" / "particles.safetensors")
"""Numbers of Fk-Diffusion-Steering 9413005 and twisted_diffusion_sampler 5b6af53, on rewards of slots."""
SCHEDULE = NoiseSchedule.linear()


# --- numbers


def test_systematic_resampling_and_the_effective_number_are_the_official_ones() -> None:
    weights = OFFICIAL["systematic.weights"]
    assert torch.equal(systematic(weights, OFFICIAL["systematic.uniform"]), OFFICIAL["systematic.indices"])
    torch.testing.assert_close(effective(weights), OFFICIAL["systematic.ess"])


def test_each_particle_is_copied_as_often_as_its_weight_says_and_one_of_equals_once() -> None:
    uniform = torch.tensor([0.0, 0.4, 0.999], dtype=torch.float64)
    even = torch.ones(3, 5, dtype=torch.float64)
    assert systematic(even, uniform)[1:].tolist() == [[0, 1, 2, 3, 4]] * 2
    weights = torch.tensor([[0.1, 0.0, 0.6, 0.3]], dtype=torch.float64).expand(3, 4)
    for row in systematic(weights, uniform).tolist():
        counts = [row.count(k) for k in range(4)]
        assert all(abs(n - 4 * w) < 1 for n, w in zip(counts, weights[0].tolist(), strict=True))
        assert counts[1] == 0


@pytest.mark.parametrize("kind", ["diff", "max", "add", "rt"])
@pytest.mark.parametrize("adaptive", [False, True])
def test_potentials_are_the_official_ones(kind: Any, adaptive: bool) -> None:
    """As there: without ``adaptive``, nothing is resampled at the last step; with it, only below half."""
    name = f"{kind}_adaptive" if adaptive else kind
    rewards, uniform = OFFICIAL["rewards"], OFFICIAL["uniform"]
    own = Weights(kind, 2.5, (1, 6), drop=True)
    ancestors = torch.arange(6)[None]
    for i, reward in enumerate(rewards):
        last = i == len(rewards) - 1
        weights = own.add(reward[None], last=last)
        resamples = effective(weights) < 3 if adaptive else torch.tensor([not last])
        chosen = torch.arange(6)[None]
        if resamples:
            torch.testing.assert_close(weights[0], OFFICIAL[f"{name}.weights"][i])
            chosen = systematic(weights, uniform[i : i + 1])
            own.take(chosen)
            ancestors = ancestors.gather(1, chosen)
        else:
            assert (OFFICIAL[f"{name}.weights"][i] == -1).all()
        assert torch.equal(chosen[0], OFFICIAL[f"{name}.indices"][i])
        torch.testing.assert_close(own.carried[0], OFFICIAL[f"{name}.population"][i])
    assert torch.equal(ancestors[0], OFFICIAL[f"{name}.ancestors"])
    torch.testing.assert_close(own.product[0].exp(), OFFICIAL[f"{name}.potentials"])


def test_weights_that_no_resampling_has_used_are_kept() -> None:
    """Differences add up to what one comparison at the end would give."""
    rewards = torch.tensor([[[0.1, 0.7]], [[0.5, -0.2]], [[0.9, 0.4]]], dtype=torch.float64)
    own = Weights("diff", 2.0, (1, 2))
    for reward in rewards:
        weights = own.add(reward)
    torch.testing.assert_close(weights, (2.0 * rewards[-1]).exp())


# --- a Gaussian whose tilted form is known

MEAN, STD, TILT = -0.2, 0.3, 3.0


class OneStream(NoiseSource):
    """Noise of many particles from one generator: faster, and nothing here depends on whose it is."""

    def __init__(self, count: int, seed: int = 0):
        self.keys, self.generator = [(0, k) for k in range(count)], torch.Generator().manual_seed(seed)

    def other(self, stream: str) -> "OneStream":
        return OneStream(len(self.keys), 1)

    def normal(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        return torch.randn(len(self.keys), *shape, generator=self.generator, dtype=torch.float64)


class Exact(nn.Module):
    """E[x_0 | x_t] of N(MEAN, STD²), with the exact variance of each step."""

    def __init__(self, timeline: Timeline):
        super().__init__()
        self.steps = {step.t: step for step in timeline}

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        step = self.steps[int(t)]
        a, variance = step.alpha_bar**0.5, step.alpha_bar * STD**2 + 1 - step.alpha_bar
        x0 = MEAN + a * STD**2 / variance * (x - a * MEAN)
        s, v_s = step.alpha_bar_s, step.alpha_bar_s * STD**2 + 1 - step.alpha_bar_s
        slope = (step.alpha_bar / s) ** 0.5 * v_s / variance
        exact = v_s - slope**2 * variance if not step.last else 1e-8
        log = torch.tensor(exact).log().item()
        fraction = (log - step.log_beta_tilde) / (step.log_beta - step.log_beta_tilde)
        return torch.cat([x0, torch.full_like(x0, 2 * fraction - 1)], dim=1)


def posterior_mean(x: Tensor, level: Level) -> Tensor:
    """TILT times E[x_0 | x_t]: a twist that is not exact, since it lacks half the variance times TILT²."""
    a, variance = level.alpha_bar**0.5, level.alpha_bar * STD**2 + 1 - level.alpha_bar
    return TILT * (MEAN + a * STD**2 / variance * (x - a * MEAN)).sum(dim=(1, 2, 3))


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("below", [0.5, 0.999])
@pytest.mark.parametrize("push", [0.0, 0.5, 1.0])
def test_weighted_particles_have_the_mean_of_the_tilted_prior(clean: bool, below: float, push: float) -> None:
    """exp(TILT x) tilts N(m, s²) to N(m + TILT s², s²), however well or badly the steps were guided."""
    count, steps = 4000, 12
    timeline, sampler = Timeline(SCHEDULE, steps), DDPM()
    denoiser = Denoiser(Exact(timeline), SCHEDULE, 1, channels=1, parameterisation="x0", clip=False)
    last = timeline.steps[0].t

    def guide(x: Tensor, level: Level) -> Tensor | None:
        a, variance = level.alpha_bar**0.5, level.alpha_bar * STD**2 + 1 - level.alpha_bar
        return None if level.t == last else torch.full_like(x, push * TILT * a * STD**2 / variance)

    score = OfFunction((lambda x, level: TILT * x.sum(dim=(1, 2, 3))) if clean else posterior_mean)
    selection = TDS(count, below).over(score, sampler, Crowd([(0, 0)], [True], clean))
    moments, rows = walk(denoiser, sampler, timeline, OneStream(count), ByGradient(guide)), None
    for _ in range(steps):
        moment = moments.send(rows)
        rows = selection(moment)
    selection.choose(moment.x_s)
    weights = selection.log[0].softmax(0)  # type: ignore[attr-defined]
    x = moment.x_s.flatten()
    assert (weights * x).sum() == pytest.approx(MEAN + TILT * STD**2, abs=0.04)
    assert (weights * x.square()).sum() - (weights * x).sum() ** 2 == pytest.approx(STD**2, abs=0.03)


# --- selections, step by step


def moments(values: Sequence[Sequence[float]]) -> list[Moment]:
    """Steps after which the first pixel of every particle has these values."""
    timeline = Timeline(SCHEDULE, len(values))
    made = []
    for step, row in zip(timeline, values, strict=True):
        x = torch.tensor(row, dtype=torch.float64).view(-1, 1, 1, 1)
        made.append(Moment(step, x, Prediction(x), Prediction(x), x, x, None))
    return made


TWO = Crowd([(0, 0), (0, 1)], [True, True], False)
FIRST = OfFunction(lambda x, level: x[:, 0, 0, 0])


def test_of_many_the_best_is_kept_and_of_equals_the_first() -> None:
    (moment,) = moments([[0.1, 0.4, 0.2, 0.3, 0.3, 0.1]])
    selection = BestOf(3).over(FIRST, DDIM(), TWO)
    assert selection(moment) is None
    assert selection.choose(moment.x_s).tolist() == [1, 3]


def test_an_unguided_entry_keeps_its_first_particle() -> None:
    crowd = Crowd([(0, 0), (0, 1)], [False, True], False)
    images = torch.tensor([0.1, 0.4, 0.2, 0.3]).view(4, 1, 1, 1)
    for population in (BestOf(2), TDS(2), FK(2), Prune(2)):
        assert population.over(FIRST, DDPM(), crowd).choose(images)[0] == 0


def test_the_better_half_goes_on_at_each_cut() -> None:
    selection = Prune(4, [0.25, 0.5]).over(FIRST, DDIM(), TWO)
    first = [4.0, 1, 3, 2, 0, 0, 0, 0]
    rows = [selection(moment) for moment in moments([first, first[:4], first[:4], [0.0, 1]])]
    assert [row if row is None else row.tolist() for row in rows] == [[0, 2, 4, 5], [0, 2], None, None]
    assert selection.choose(torch.tensor([0.5, 0.7]).view(2, 1, 1, 1)).tolist() == [0, 1]


def test_particles_are_copied_in_proportion_and_entries_do_not_mix() -> None:
    selection = FK(4, 1.0, every=2).over(FIRST, DDPM(), TWO)
    even = [0.0] * 4
    values = [[9.0, 0, 0, 0, *even], [9.0, 0, 0, 0, *even], [0.0] * 8, [0.0] * 8]
    rows = [selection(moment) for moment in moments(values)]
    assert rows[0] is rows[2] is rows[3] is None
    assert rows[1] is not None
    assert rows[1].tolist() == [0, 0, 0, 0, 4, 5, 6, 7]


def test_the_highest_score_so_far_counts_below_0_too() -> None:
    selection = FK(2, 100.0, "max", every=1).over(FIRST, DDPM(), Crowd([(0, 0)], [True], False))
    (row, _) = (selection(moment) for moment in moments([[-1.0, -3], [-2.0, -2]]))
    assert row is not None
    assert row.tolist() == [0, 0]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: BestOf(0), "particles=0 is no number of particles"),
        (lambda: Prune(4, [0.5, 0.25]), r"cuts=\[0.5, 0.25\] cuts nothing"),
        (lambda: FK(potential="sum"), "potential=sum is unknown"),  # type: ignore[arg-type]
        (lambda: FK(every=0), "every=0 is no number of steps"),
        (lambda: FK(4).fit(DDIM(), Timeline(SCHEDULE, 2)), "FK copies particles, and this sampler adds no"),
        (lambda: TDS(4).fit(DDIM(), Timeline(SCHEDULE, 2)), "TDS copies particles, and this sampler adds no"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(SDGError, match=message):
        make()
    for fine in (BestOf(4), Prune(4), FK(1), TDS(1)):
        fine.fit(DDIM(), Timeline(SCHEDULE, 2))
    assert isinstance(TDS(1), Population)
    assert not TDS(1).untwisted_end
    assert CLEAN.alpha_bar == 1
