"""The settings that are compared: what each costs, and the one number that its dose hangs on."""

from typing import Literal, NamedTuple

PRICES = {"forward": 1.0, "pull": 1.49, "encoder": 0.66, "clip": 0.48, "look": 0.25}
"""In forwards of the toy prior for one picture, on one core, group 4: a pull back through it, a pass of the
time-dependent encoder or of plain CLIP with its gradient, a pass of either without."""
STEPS = 20
"""Steps at which the doses of ``doses.json`` were chosen."""


class Arm(NamedTuple):
    """A way to guide."""

    guide: Literal["clip", "encoder"]
    """Plain CLIP or the time-dependent encoder: what guides divides the arms into two that are not mixed."""
    words: tuple[str, ...]
    """Settings of ``sample.py``."""
    knob: str
    """The setting that is its dose."""
    doses: tuple[float, ...]
    """The three that a sweep tries, each twice the one before."""
    pulls: int = 0
    """Of each step, like the next two."""
    passes: int = 1
    looks: float = 0
    chains: float = 1
    """Chains for each picture, of those that are pruned a part; or turns of each step."""
    like: str | None = None
    """The arm whose dose it takes; None: it has a sweep of its own."""
    adds: bool = False
    """Whether pushes add up over the steps, so that the dose must shrink as they grow in number."""

    @property
    def price(self) -> float:
        """Of a step, in forwards of the prior."""
        one = PRICES["forward"] + self.pulls * PRICES["pull"] + self.passes * PRICES[self.guide]
        return self.chains * (one + self.looks * PRICES["look"])

    def steps(self, budget: float) -> int:
        """How many steps a picture may take for ``budget`` forwards; 0 if not even three."""
        count = int(budget / self.price + 1e-9)
        return count if count >= 3 else 0

    def settings(self, steps: int, dose: float) -> list[str]:
        """For ``sample.py``, without the targets.

        Args:
            dose: at :data:`STEPS` steps.
        """
        here = dose * STEPS / steps if self.adds else dose
        plain = [] if any(word.startswith("guidance=") for word in self.words) else ["guidance=text_paper"]
        return [*plain, *self.words, f"sampler.steps={steps}", f"{self.knob}={here:.6g}"]


def _around(middle: float) -> tuple[float, ...]:
    return middle / 2, middle, 2 * middle


def _ours(*words: str, like: str | None = None, chains: float = 1, looks: float = 0) -> Arm:
    """The paper's gradient, whose dose is the scale."""
    doses = _around(400)
    return Arm("encoder", words, "guidance.scale", doses, chains=chains, looks=looks, like=like)


ARMS: dict[str, Arm] = {
    # the time-dependent encoder guides
    "sdg": _ours(),
    "sdg_clamped": _ours("estimator=sdg_clamped"),
    "sdg_capped": _ours("estimator=sdg_clamped", "estimator.dose.high=0.05"),
    "sdg_seen": _ours("guidance=text_seen"),
    "sdg_opposite": _ours(
        "guidance=text_paper",
        "guidance.contrast=opposite",
        "guidance.terms.text.weight=visible",
        like="sdg",
    ),
    "sdg_interval": _ours(
        "guidance.terms.text.weight={_target_: sdg.guidance.weight.Window, start: 0.1, stop: 0.8}",
        like="sdg",
    ),
    "sdg_sphere": Arm("encoder", ("estimator=sdg_sphere",), "estimator.share", _around(0.1)),
    "sdg_recurrence": _ours(
        "estimator=sdg_clamped", "estimator.recurrence.turns=2", like="sdg_clamped", chains=2
    ),
    "spectral": Arm("encoder", ("estimator=spectral",), "estimator.strength", _around(32), adds=True),
    "mpgd_encoder": Arm(
        "encoder", ("estimator=mpgd", "method.guide=encoder"), "estimator.strength", _around(0.4), adds=True
    ),
    "dps_encoder": Arm(
        "encoder",
        ("estimator=dps", "method.guide=encoder"),
        "estimator.strength",
        _around(0.6),
        pulls=1,
        adds=True,
    ),
    "best_of_4": _ours("population=best_of", "population.particles=4", like="sdg", chains=4),
    "fk_4": _ours("population=fk", "population.particles=4", like="sdg", chains=4, looks=0.2),
    "prune_4": _ours(
        "population=prune",
        "population.particles=4",
        "population.cuts=[0.25, 0.5]",
        like="sdg",
        chains=2,
        looks=0.1,
    ),
    # plain CLIP guides
    "clip_x0": Arm("clip", ("estimator=clip_x0",), "guidance.scale", _around(800), pulls=1),
    "universal": Arm(
        "clip",
        ("estimator=universal", "estimator.inner=3", "estimator.recurrence.turns=1"),
        "guidance.scale",
        _around(400),
        pulls=1,
        passes=4,
    ),
    "dps": Arm("clip", ("estimator=dps",), "estimator.strength", _around(0.2), pulls=1, adds=True),
    "lgd": Arm(
        "clip",
        ("estimator=lgd", "estimator.draws=2", "estimator.radius=0.2"),
        "estimator.strength",
        _around(0.2),
        pulls=1,
        passes=2,
        adds=True,
    ),
    "freedom": Arm(
        "clip",
        ("estimator=freedom", "estimator.recurrence.turns=1"),
        "estimator.size",
        _around(0.05),
        pulls=1,
        adds=True,
    ),
    "dsg": Arm("clip", ("estimator=dsg",), "estimator.share", _around(0.1), pulls=1),
    "mpgd": Arm("clip", ("estimator=mpgd",), "estimator.strength", _around(0.3), adds=True),
    "tfg": Arm(
        "clip",
        ("estimator=tfg", "estimator.rho=0.2", "estimator.inner=2", "estimator.radius=0"),
        "estimator.mu",
        _around(0.05),
        pulls=1,
        passes=3,
        adds=True,
    ),
    "control": Arm(
        "clip",
        ("estimator=control", "estimator.inner=1"),
        "estimator.rate",
        _around(0.06),
        pulls=1,
        passes=1,
    ),
}
SAMPLER = "sampler=dpmpp_2m_sde"
"""Of every arm. Where an arm's words don't name another, F is the paper's, ``guidance=text_paper``."""


class Way(NamedTuple):
    """An arm at one dose and number of steps."""

    arm: str
    steps: int
    dose: float

    @property
    def name(self) -> str:
        return f"{self.arm}_{self.steps}_{self.dose:g}"

    @property
    def settings(self) -> list[str]:
        return [SAMPLER, *ARMS[self.arm].settings(self.steps, self.dose)]

    @property
    def guide(self) -> str:
        return ARMS[self.arm].guide

    @property
    def cost(self) -> float:
        """Of a picture, in forwards of the prior."""
        return self.steps * ARMS[self.arm].price
