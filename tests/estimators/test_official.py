"""Every estimator against the program of its authors, or of those who compared it."""

from collections.abc import Callable
from typing import Any

import pytest

from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.level import Level
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.timeline import Step
from sdg.estimators.control import Control
from sdg.estimators.dose import Absolute, Relative
from sdg.estimators.dps import DPS
from sdg.estimators.dsg import DSG
from sdg.estimators.estimator import Estimator
from sdg.estimators.freedom import FreeDoM
from sdg.estimators.lgd import LGD
from sdg.estimators.mpgd import MPGD
from sdg.estimators.sdg import SDG
from sdg.estimators.spectral import Spectral
from sdg.estimators.tfg import TFG
from sdg.estimators.universal import Universal
from sdg.guidance.weight import Weight
from tests.estimators.official import (
    Codes,
    FaceDDIM,
    Visiting,
    arrays,
    distance,
    error,
    logp,
    spectrum,
    square,
    walked,
)


class RootAlpha(Weight):
    """A number times √ᾱ_t."""

    def __init__(self, value: float):
        self.value = value

    def __call__(self, progress: float) -> float:
        raise NotImplementedError

    def at(self, level: Level) -> float:
        return self.value * level.alpha_bar**0.5


class Rising(Weight):
    """A number times α of the step, divided by the mean of α over the chain."""

    def __init__(self, value: float, timesteps: list[int]):
        steps = list(Visiting(timesteps))
        mean = sum(1 - step.beta for step in steps) / len(steps)
        self.values = {step.t: value * (1 - step.beta) / mean for step in steps}

    def __call__(self, progress: float) -> float:
        raise NotImplementedError

    def at(self, level: Level) -> float:
        return self.values[level.t]


def twice(step: Step) -> int:
    return 2


def within(first: int, last: int, turns: int) -> Callable[[Step], int]:
    return lambda step: turns if first >= step.t >= last else 1


def where(
    estimator: Estimator, here: Callable[[Step], bool], elsewhere: Estimator | None = None
) -> Callable[[Step], Estimator | None]:
    return lambda step: estimator if here(step) else elsewhere


def faces(**more: Any) -> Callable[[Step], Estimator | None]:
    """MPGD for faces: an autoencoder only within a window, where its dose may be doubled."""
    plain = MPGD(dose=Absolute(0.015), of="x_s", clamped=False)
    double = 2 if more.get("space") == "decoded" else 1
    coded = MPGD(dose=Absolute(0.015 * double), of="x_s", clamped=False, autoencoder=Codes(), **more)
    return lambda step: None if step.t <= 50 else coded if more and 250 > step.t > 100 else plain


def words(rho: float, **more: Any) -> Callable[[Step], Estimator | None]:
    """MPGD with CLIP: another dose outside of the repeated steps."""

    def make(size: float, **kinds: Any) -> MPGD:
        return MPGD(dose=Relative(size), of="x_s", port="prediction", clamped=False, **kinds)

    plain, outside = make(rho), make(1.0)
    coded, coded_outside = (make(size, autoencoder=Codes(), **more) for size in (rho, 1.0))

    def choose(step: Step) -> Estimator | None:
        if step.t <= 50:
            return None
        repeated, window = 300 >= step.t >= 150, bool(more) and 250 > step.t > 100
        return (coded if repeated else coded_outside) if window else plain if repeated else outside

    return choose


SPECTRAL = Spectral(10.0, clamp=True, signed=True)
CHAINS: dict[str, tuple[Any, Any, Sampler, float, dict[str, Any]]] = {
    # chain: estimator, score, sampler, tolerance, the rest
    "tfg_repo.plain": (lambda step: None, logp, DDIM(1.0), 1e-10, {"layout": "Zu"}),
    "tfg_repo.cg": (
        SDG(),
        lambda x: 0.4 * logp(x),
        DDIM(0.5),
        1e-10,
        {"layout": "Z", "clip": False},
    ),
    "tfg_repo.dps": (DPS(0.3, relative=True), logp, DDIM(1.0), 1e-10, {"layout": "Z", "clip": False}),
    "tfg_repo.lgd": (LGD(3, 1.0, 0.3), logp, DDIM(1.0), 1e-10, {"layout": "Zmmm", "clip": False}),
    "tfg_repo.freedom": (
        DPS(Rising(0.4, [999, 760, 510, 250, 90, 0]), clamped=False),
        logp,
        DDIM(1.0),
        1e-10,
        {"layout": "Zb", "clip": False, "turns": twice},
    ),
    "tfg_repo.mpgd": (MPGD(0.8), logp, DDIM(0.5), 1e-10, {"layout": "Z", "clip": False}),
    "tfg_repo.mpgd_unclipped": (
        MPGD(0.3, clamped=False),
        logp,
        DDIM(1.0),
        1e-10,
        {"layout": "Z", "clip": False},
    ),
    "tfg_repo.tfg": (
        TFG(0.5, 0.25, 4, 3, 0.1),
        logp,
        DDIM(1.0),
        1e-7,
        {"layout": "mmmZb", "turns": twice},
    ),
    "tfg_repo.tfg_default": (TFG(0.25, 0.25, 4, 1, 0.001), logp, DDIM(1.0), 1e-7, {"layout": "mZb"}),
    "tfg_repo.tfg_mu": (
        TFG(0.0, 0.6, 3, 1, 0.0, mu_schedule="decrease"),
        logp,
        DDIM(1.0),
        1e-10,
        {"layout": "Zb", "clip": False},
    ),
    "tfg_repo.tfg_rho": (
        TFG(0.8, 0.0, 1, 1, 0.0, rho_schedule="constant"),
        logp,
        DDIM(0.0),
        1e-10,
        {"layout": "b"},
    ),
    "tfg_repo.ugd": (
        Universal(1.0, 3, 1.0, adam=False, clamp=False),
        lambda x: 0.6 * logp(x),
        DDIM(1.0),
        1e-10,
        {"layout": "Zb", "clip": False, "turns": twice},
    ),
    "dps_repo.ddim": (DPS(0.3), distance, DDIM(0.0), 3e-5, {}),
    "dps_repo.ddpm": (DPS(0.5), distance, DDPM(), 3e-5, {"learned": True}),
    "dps_repo.ddpm_fixed": (DPS(1.0), distance, DDPM("large"), 3e-5, {}),
    "dsg_repo_linear.ddim_eta1": (DSG(0.2), distance, DDIM(1.0), 3e-5, {}),
    "dsg_repo_linear.ddim_interval2": (
        where(DSG(0.5), lambda step: step.index % 2 == 0),
        distance,
        DDIM(1.0),
        3e-5,
        {},
    ),
    "dsg_repo_face.face_id": (
        where(DSG(0.05, clamped=False), lambda step: step.t > 100 and step.t % 10 == 0),
        distance,
        DDIM(1.0),
        1e-10,
        {"clip": False},
    ),
    "freedom_repo.clip_face": (FreeDoM(0.02), distance, DDPM(), 1e-10, {"clip": False}),
    "freedom_repo.clip_imagenet": (
        FreeDoM(0.02),
        distance,
        DDPM(),
        1e-10,
        {"clip": False, "turns": within(800, 500, 10), "layout": "zB"},
    ),
    "freedom_repo.face_id": (
        where(DPS(RootAlpha(0.5), clamped=False), lambda step: step.t > 100),
        distance,
        FaceDDIM(),
        1e-10,
        {"clip": False},
    ),
    "mpgd_repo_linear.wo_proj": (MPGD(0.7, of="x_s"), distance, DDIM(0.5), 3e-5, {}),
    **{
        f"mpgd_repo.id_{name}": (
            faces(**kind),
            distance,
            FaceDDIM(),
            1e-10,
            {"clip": False, "turns": within(300, 150, 3), "layout": "zB"},
        )
        for name, kind in {"wo": {}, "ae": {"space": "decoded"}, "z": {"space": "code"}}.items()
    },
    **{
        f"mpgd_repo.clip_{name}": (
            words(rho, **kind),
            distance,
            DDPM(),
            1e-10,
            {"clip": False, "turns": within(300, 150, 3), "layout": "zB"},
        )
        for name, rho, kind in [
            ("wo", 1.5, {}),
            ("ae", 1.0, {"space": "decoded"}),
            ("z", 2.0, {"space": "code"}),
        ]
    },
    "ugd_repo.backward": (
        Universal(0.0, inner=5, rate=0.05),
        square,
        DDIM(0.0),
        1e-4,
        {"clip": False, "layout": "zb"},
    ),
    "ugd_repo.forward": (Universal(0.6), square, DDIM(0.0), 1e-4, {"clip": False, "layout": "zb"}),
    "ugd_repo.forward_recur": (
        Universal(0.4),
        square,
        DDIM(1.0),
        1e-4,
        {"clip": False, "layout": "zb", "turns": lambda step: 3 if step.index >= 3 else 1},
    ),
    "ugd_repo.both_recur": (
        Universal(0.5, inner=3, rate=0.02),
        square,
        DDIM(0.0),
        1e-4,
        {"clip": False, "layout": "zb", "turns": twice},
    ),
    "spectral_repo.clip": (
        Spectral(2.0, clamp=True, signed=True),
        spectrum,
        DDIM(1.0),
        1e-10,
        {"clip": False, "noisy": True},
    ),
    "spectral_repo.noclip": (
        Spectral(1.0, signed=True),
        spectrum,
        DDIM(0.0),
        1e-10,
        {"clip": False, "noisy": True},
    ),
    "spectral_repo.window": (
        where(SPECTRAL, lambda step: 300 <= step.t <= 700, Spectral(0.0, clamp=True)),
        spectrum,
        DDIM(0.5),
        1e-10,
        {"clip": False, "noisy": True},
    ),
    "ndtm_repo.causal": (
        Control(2, 0.1, False, 1.0, 1.0, 0.0, 1.0, warm=True, clamp=True),
        square,
        DDIM(0.0),
        1e-10,
        {"clip": False},
    ),
    "ndtm_repo.zero": (
        Control(3, 0.05, True, 5.0, 2.0, clamp=True),
        square,
        DDIM(0.5),
        1e-10,
        {"clip": False},
    ),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_is_that_of_the_official_program(chain: str) -> None:
    estimator, score, sampler, tolerance, rest = CHAINS[chain]
    states, _ = walked(chain, estimator, score, sampler, **rest)
    assert error(states[-1], arrays()[f"{chain}.last"]) < tolerance
