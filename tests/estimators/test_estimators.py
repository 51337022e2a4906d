"""What holds for every estimator, and what each does in cases that are solved by hand."""

import math
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from sdg.composition import CONF
from sdg.config import build
from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.look import Look, rms
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.recurrence import Recurrence
from sdg.diffusion.sampler import spread
from sdg.diffusion.timeline import Step, Timeline
from sdg.errors import SDGError
from sdg.estimators.dose import Absolute, Clamp, Dose, Polyak, Raw, Relative, relative
from sdg.estimators.dps import DPS
from sdg.estimators.dsg import DSG
from sdg.estimators.estimator import Estimator
from sdg.estimators.freedom import FreeDoM
from sdg.estimators.lgd import LGD
from sdg.estimators.mpgd import MPGD
from sdg.estimators.sdg import SDG
from sdg.estimators.sdg_sphere import SDGSphere
from sdg.estimators.steer import Steer
from sdg.estimators.tfg import TFG
from sdg.guidance.score import OfFunction
from tests.estimators.official import SCHEDULE, Prior, embedded

NAMES = (
    *("sdg", "sdg_clamped", "sdg_sphere", "clip_x0", "dps", "lgd", "freedom", "universal"),
    *("mpgd", "dsg", "tfg", "spectral", "control"),
)
KEYS = [(0, 0), (0, 1), (0, 2)]


class Double(NoiseSource):
    """The noise of samples, in float64."""

    def normal(self, shape: Any, device: torch.device | str = "cpu") -> Tensor:
        return super().normal(shape, device).double()

    def other(self, stream: str) -> "Double":
        return Double(self.keys, stream)


class Counted(nn.Module):
    """A prior that counts its forwards and those whose graph is kept, and the score's passes."""

    def __init__(self) -> None:
        super().__init__()
        self.prior, self.kept = Prior(), 0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.kept += torch.is_grad_enabled() and x.requires_grad
        return self.prior(x, t)


def configured(name: str, *words: str) -> Estimator:
    settings = OmegaConf.load(CONF / "estimator" / f"{name}.yaml")
    return build(OmegaConf.merge(settings, OmegaConf.from_dotlist(list(words))))


def drawn(
    estimator: Estimator | None,
    scale: list[float] = [1.0, 1.0, 1.0],  # noqa: B006  (nobody changes it)
    keys: list[tuple[int, int]] = KEYS,
    rows: slice = slice(None),
    steps: int = 4,
    sampler: Any = None,
    network: nn.Module | None = None,
    clip: bool = True,
) -> Tensor:
    """Finished images of stand-ins: no score of one sample depends on its place in the batch."""
    timeline, sampler = Timeline(SCHEDULE, steps), sampler or DDPM()
    factor = torch.tensor(scale, dtype=torch.float64)[rows]
    noise = Double(keys[rows])
    steer = None
    if estimator is not None:
        estimator.fit(sampler, timeline)
        active = None if all(scale) else (factor != 0)[:, None, None, None]
        score = OfFunction(lambda x, level: factor * one_class(x))
        steer = Steer(estimator, score, noise.other("estimate"), active=active)
    denoiser = Denoiser(network or Prior(), SCHEDULE, 8, clip=clip)
    return generate(denoiser, sampler, timeline, noise, steer)


def one_class(x: Tensor) -> Tensor:
    """Log-probability of one class for all, below 0."""
    return (3 * embedded(x)).log_softmax(1)[:, 0]


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_depends_on_nobody_beside_it_and_without_a_scale_is_the_prior_alone(name: str) -> None:
    """In float64, where rows of a batch differ by rounding alone; and one of three has scale 0."""
    scale = [1.0, 0.0, 3.0]
    together = drawn(configured(name), scale)
    for i in range(3):
        alone = drawn(configured(name), scale, rows=slice(i, i + 1))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-9, atol=1e-9)
    plain = drawn(None)
    assert torch.equal(together[1], plain[1])
    assert (together[[0, 2]] - plain[[0, 2]]).abs().amax(dim=(1, 2, 3)).min() > 1e-6
    assert torch.equal(drawn(configured(name), scale, clip=False)[1], drawn(None, clip=False)[1])


@pytest.mark.parametrize(
    "name, words, forwards, pulls, passes",
    [
        # forwards of the prior, those whose graph is kept, and passes of the guide, in a step
        ("sdg", (), 1, 0, 1),
        ("sdg_clamped", (), 1, 0, 1),
        ("sdg_sphere", (), 1, 0, 1),
        ("spectral", (), 1, 0, 1),
        ("mpgd", (), 1, 0, 1),
        ("clip_x0", (), 1, 1, 1),
        ("dps", (), 1, 1, 1),
        ("dsg", (), 1, 1, 1),
        ("freedom", ("recurrence.turns=1",), 1, 1, 1),
        ("freedom", ("recurrence.turns=4", "recurrence.start=0", "recurrence.stop=1"), 4, 4, 4),
        ("lgd", ("draws=10",), 1, 1, 10),
        ("universal", ("inner=4", "recurrence.turns=2"), 2, 2, 10),
        ("tfg", ("inner=4",), 1, 1, 5),
        ("tfg", ("inner=4", "rho=0"), 1, 0, 4),
        ("control", ("inner=2",), 3, 2, 2),
    ],
)
def test_what_a_step_costs(name: str, words: tuple[str, ...], forwards: int, pulls: int, passes: int) -> None:
    assert counted(configured(name, *words)) == (forwards, pulls, passes)


def counted(estimator: Estimator) -> tuple[float, float, float]:
    """Forwards of the prior, those whose graph is kept, and passes of the guide: in a step, of two."""
    network, sampler, timeline = Counted(), DDPM(), Timeline(SCHEDULE, 2)
    asked: list[int] = []
    estimator.fit(sampler, timeline)

    def noted(x: Tensor, level: Any) -> Tensor:
        asked.append(len(x))
        return one_class(x)

    noise = Double(KEYS)
    steer = Steer(estimator, OfFunction(noted), noise.other("estimate"))
    generate(Denoiser(network, SCHEDULE, 8), sampler, timeline, noise, steer)
    return network.prior.forwards / 2, network.kept / 2, len(asked) / 2


@pytest.mark.parametrize(
    "corner, estimator",
    [
        (TFG(0.7, 0.0, 1, 1, 0.0, "constant"), DPS),
        (TFG(0.7, 0.0, 1, 2, 1.0, "constant"), LGD),
        (TFG(0.0, 0.3, 1, 1, 0.0, mu_schedule="constant"), MPGD),
    ],
)
def test_corners_of_tfg_are_the_methods_that_it_unites(corner: TFG, estimator: type[Estimator]) -> None:
    """Up to 1/√α, by which its shift is the longer: one step, whose α is known."""
    timeline = Timeline(SCHEDULE, 1)
    (step,) = timeline
    ahead = 0.7 / math.sqrt(1 - step.beta)
    other: Estimator = {
        DPS: DPS(ahead),
        LGD: LGD(2, 1.0, ahead, clamped=True),
        MPGD: MPGD(0.3),
    }[estimator]
    torch.testing.assert_close(drawn(corner, steps=1), drawn(other, steps=1), rtol=1e-12, atol=1e-12)


# --- a prior and a score whose gradients are known


class Linear(nn.Module):
    """x̂_0 = x_t / 2, whatever the timestep."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x / 2


LINEAR = Denoiser(Linear(), SCHEDULE, 4, channels=1, parameterisation="x0", clip=False)
STEP: Step = Timeline(SCHEDULE, 5).steps[2]
GOAL = torch.linspace(-1, 1, 16, dtype=torch.float64).view(1, 1, 4, 4)
X = torch.randn(2, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Z = torch.randn(2, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def towards(x: Tensor, level: Any) -> Tensor:
    """-‖x - goal‖²/2, whose gradient is goal - x."""
    return -(x - GOAL).square().sum(dim=(1, 2, 3)) / 2


def taken(estimator: Estimator, sampler: Any) -> Tensor:
    """How far a step goes beyond the unguided one."""
    steer = Steer(estimator, OfFunction(towards), Double([(0, 0), (0, 1)]))
    look = Look(LINEAR, X, STEP, graph=steer.pulls(STEP))
    push = steer(look, sampler, Z)
    assert push is not None
    after = sampler.step(
        X if push.x_t is None else push.x_t,
        push.prediction or look.prediction,
        STEP,
        Z if push.noise is None else push.noise,
    )
    after = after if push.shift is None else after + push.shift
    return after - sampler.step(X, look.prediction, STEP, Z)


def test_each_port_moves_the_next_state_as_its_formula_says() -> None:
    a, a_s, b, s = STEP.alpha_bar**0.5, STEP.alpha_bar_s**0.5, STEP.alpha_bar, STEP.alpha_bar_s
    at_x0, at_state = GOAL - X / 2, GOAL - X
    # State: ζ Jᵀ∇F, J = 1/2.
    torch.testing.assert_close(taken(DPS(0.3), DDIM(0.5)), 0.3 / 2 * at_x0)
    # Transport: √ᾱ_s Δ, whatever η.
    for eta in (0.0, 1.0):
        torch.testing.assert_close(taken(MPGD(0.3, clamped=False), DDIM(eta)), 0.3 * a_s * at_x0)
    torch.testing.assert_close(taken(MPGD(0.3, of="x_s", clamped=False), DDPM()), 0.3 * at_x0)
    # Prediction: the share of it that a deterministic step lets through.
    share = a_s - a * ((1 - s) / (1 - b)) ** 0.5
    torch.testing.assert_close(
        taken(MPGD(0.3, port="prediction", clamped=False), DDIM()), 0.3 * share * at_x0
    )
    # SDG: of the score correction under DDIM, of the mean shift under DDPM.
    torch.testing.assert_close(taken(SDG(), DDIM()), share * (1 - b) / a * at_state)
    torch.testing.assert_close(taken(SDG(), DDPM()), math.exp(STEP.log_beta_tilde) * at_state)


def pushed(estimator: Estimator) -> Tensor:
    """The relative dose of each sample's push under DDPM."""
    steer = Steer(estimator, OfFunction(towards), Double([(0, 0), (0, 1)]))
    look = Look(LINEAR, X, STEP, graph=steer.pulls(STEP))
    push = steer(look, DDPM(), Z)
    assert push is not None
    return relative(push, look, Z)


def test_a_relative_dose_is_how_far_a_push_moves_an_ancestral_step() -> None:
    look = Look(LINEAR, X, STEP)
    for estimator in (SDG(), DPS(0.3), MPGD(0.3, clamped=False), SDGSphere(0.3)):
        moved = rms(taken(estimator, DDPM())) / (STEP.c1 * look.loudness)
        torch.testing.assert_close(pushed(estimator), moved)
    same = torch.full((2,), 0.05, dtype=torch.float64)
    for estimator in (SDG(Relative(0.05)), FreeDoM(0.05)):
        torch.testing.assert_close(pushed(estimator), same)
    # In the transport x_t moves along.
    torch.testing.assert_close(
        pushed(MPGD(dose=Relative(0.05), clamped=False)), same * STEP.alpha_s / STEP.c1
    )


def test_a_smoothed_score_has_the_gradient_of_its_mean() -> None:
    """log 1/n Σ exp F(x̂_0 + σ m_k) of n draws, by autograd; its gradient through the prior is halved."""
    noise, drawn_here = Double([(0, 0), (0, 1)]), Double([(0, 0), (0, 1)])
    steer = Steer(LGD(3, 1.0, 0.3), OfFunction(towards), noise)
    push = steer(Look(LINEAR, X, STEP, graph=True), DDPM(), Z)
    assert push is not None
    x0 = (X / 2).requires_grad_()
    views = torch.stack(
        [towards(x0 + STEP.sigma * drawn_here.normal((1, 4, 4)), STEP.level) for _ in range(3)]
    )
    (gradient,) = torch.autograd.grad((views.logsumexp(0) - math.log(3)).sum(), x0)
    torch.testing.assert_close(push.shift, 0.3 / 2 * gradient)


@pytest.mark.parametrize("estimator", [DSG(0.3), SDGSphere(0.3)])
@pytest.mark.parametrize("sampler", [DDPM(), DDIM(0.4)])
def test_on_the_sphere_the_length_of_the_noise_is_kept(estimator: Estimator, sampler: Any) -> None:
    steer = Steer(estimator, OfFunction(towards), Double([(0, 0), (0, 1)]))
    look = Look(LINEAR, X, STEP, graph=steer.pulls(STEP))
    push = steer(look, sampler, Z)
    assert push is not None
    assert push.noise is not None
    torch.testing.assert_close(push.noise.flatten(1).norm(dim=1), torch.full((2,), 4.0, dtype=torch.float64))
    gradient = GOAL - (X / 2 if estimator.pulls else X)
    d, unit = Z, gradient / gradient.flatten(1).norm(dim=1)[:, None, None, None]
    mixed = 0.7 * d + 0.3 * 4 * unit
    torch.testing.assert_close(push.noise, 4 * mixed / mixed.flatten(1).norm(dim=1)[:, None, None, None])
    deviation = spread(sampler, look.prediction, STEP)
    by_hand = sampler.step(X, look.prediction, STEP, torch.ones_like(X)) - sampler.step(
        X, look.prediction, STEP, torch.zeros_like(X)
    )
    torch.testing.assert_close(deviation, by_hand)


@pytest.mark.parametrize("low, high", [(0.1, 0.3), (1e-5, 1e-4), (10.0, 20.0)])
def test_doses_have_the_lengths_they_say(low: float, high: float) -> None:
    shift, unit = torch.stack([GOAL[0], 3 * GOAL[0], 0 * GOAL[0]]), torch.tensor([2.0, 1.0, 1.0]).double()
    raw = rms(GOAL) * torch.tensor([0.5, 3.0, 0.0])

    def length(dose: Dose) -> Tensor:
        after = dose(shift, unit, shift)
        torch.testing.assert_close(after[:2] * rms(shift[:2])[:, None, None, None],
                                   shift[:2] * rms(after[:2])[:, None, None, None])  # fmt: skip
        return rms(after) / unit

    torch.testing.assert_close(length(Raw()), raw)
    torch.testing.assert_close(length(Relative(0.02)), torch.tensor([0.02, 0.02, 0.0]).double())
    torch.testing.assert_close(length(Absolute(0.02)) * unit, torch.tensor([0.02, 0.02, 0.0]).double())
    wanted = raw.clamp(low, high)
    wanted[2] = 0
    torch.testing.assert_close(length(Clamp(high, low)), wanted)
    steep = GOAL.norm()
    wanted = torch.tensor([0.5 / steep, 0.5 / (3 * steep), 0.0]).double()
    torch.testing.assert_close(length(Polyak(0.5)), wanted)


def test_a_clamped_dose_only_bites_where_a_push_is_long() -> None:
    raw = taken(SDG(), DDPM())
    torch.testing.assert_close(taken(SDG(Clamp(1e6)), DDPM()), raw)
    short = taken(SDG(Clamp(0.01)), DDPM())
    eps = rms((X - STEP.alpha_bar**0.5 * X / 2) / STEP.sigma)
    torch.testing.assert_close(rms(short), 0.01 * eps * STEP.sigma / STEP.alpha_bar**0.5 * STEP.c1)


# --- recurrence


def test_a_step_taken_again_begins_from_a_state_of_the_same_level() -> None:
    """Unguided, recurrence changes no distribution: of an exact Gaussian prior, mean and variance stay."""
    from tests.diffusion.examples import gaussian_denoiser

    denoiser, timeline, _ = gaussian_denoiser(10, 0.3, 0.5, True)
    steer = Steer(
        SDG(recurrence=Recurrence(3, 0.2, 0.8)), OfFunction(lambda x, level: 0 * x.sum((1, 2, 3))),
        NoiseSource([(0, 0)])
    )  # fmt: skip
    x = generate(denoiser, DDPM(), timeline, NoiseSource([(0, i) for i in range(32)]), steer)
    assert x.mean() == pytest.approx(0.3, abs=0.02)
    assert x.std() == pytest.approx(0.5, abs=0.02)
    assert [steer.turns(step) for step in timeline] == [1, 1, 3, 3, 3, 3, 3, 3, 1, 1]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Recurrence(0), "recurrence.turns=0 is no number of turns"),
        (lambda: Recurrence(2, 0.5, 0.5), "a recurrence from 0.5 to 0.5 is empty"),
        (lambda: Relative(0.0), "a dose of size=0.0 leaves no push"),
        (lambda: Clamp(0.1, 0.2), "a dose from low=0.2 to high=0.1 is empty"),
        (lambda: SDG(port="state"), "port=state is unknown"),  # type: ignore[arg-type]
        (lambda: MPGD(space="code"), "needs an autoencoder"),
        (lambda: TFG(rho_schedule="up"), "the schedule up is unknown"),  # type: ignore[arg-type]
        (lambda: LGD(0), "draws=0 estimates nothing"),
        (lambda: DSG().fit(DDIM(0.0), Timeline(SCHEDULE, 4)), "DSG turns the noise that a step adds"),
        (
            lambda: SDG(recurrence=Recurrence(2, 0.01, 0.02)).fit(DDPM(), Timeline(SCHEDULE, 4)),
            "meets none of the chain's 4 steps",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(SDGError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
