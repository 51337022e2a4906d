"""The settings that are compared: what each costs, and the numbers that its strength hangs on."""

from typing import Literal, NamedTuple

PRICES = {"pull": 1.49, "encoder": 0.66, "clip": 0.48, "look": 0.25}
"""In forwards of the toy prior for one picture, on one core, group 4: a pull back through it, a pass of the
time-dependent encoder or of plain CLIP with its gradient, a pass of either without."""
FORWARD = 0.015
"""Seconds of one on this kind of core, for what a drawing is expected to take."""
RUNGS = (0.01, 0.02, 0.04, 0.08, 0.16)
"""Relative doses of a step (:func:`sdg.estimators.dose.relative`), the same for all arms: two to five per
cent is what published methods have in common, and the ladder goes four times beyond on either side."""
MIDDLE = RUNGS[2]
"""Where nothing has been swept."""
SAMPLER = "sampler=dpmpp_2m_sde"
"""Of every arm. Where an arm's words don't name another, F is the paper's, ``guidance=text_paper``."""


class Arm(NamedTuple):
    """A way to guide."""

    guide: Literal["clip", "encoder"]
    """Plain CLIP or the time-dependent encoder: what guides divides the arms into two that are not mixed."""
    words: tuple[str, ...]
    """Settings of ``sample.py``."""
    knobs: tuple[str, ...]
    """The settings that are its strength: all are multiplied by one number, so that pushes get a length."""
    pulls: int = 0
    """Of each step, like the next three."""
    passes: int = 1
    forwards: int = 1
    looks: float = 0
    chains: float = 1
    """Chains for each picture, of those that are pruned a part; or turns of each step."""
    like: str | None = None
    """The arm whose strength it takes; None: it has a sweep of its own."""

    @property
    def price(self) -> float:
        """Of a step, in forwards of the prior."""
        one = self.forwards + self.pulls * PRICES["pull"] + self.passes * PRICES[self.guide]
        return self.chains * (one + self.looks * PRICES["look"])

    def steps(self, budget: float) -> int:
        """How many steps a picture may take for ``budget`` forwards; 0 if not even three."""
        count = int(budget / self.price + 1e-9)
        return count if count >= 3 else 0

    @property
    def settings(self) -> list[str]:
        """For ``sample.py``, without targets, steps and strength."""
        plain = [] if any(word.startswith("guidance=") for word in self.words) else ["guidance=text_paper"]
        return [*plain, *self.words]


def _ours(*words: str, like: str | None = None, chains: float = 1, looks: float = 0) -> Arm:
    """The paper's gradient, whose strength is the scale."""
    return Arm("encoder", words, ("guidance.scale",), chains=chains, looks=looks, like=like)


def _particles(kind: str, *words: str, chains: float = 4, looks: float = 0) -> Arm:
    """Four for each picture."""
    words = (f"population={kind}", "population.particles=4", *words)
    return _ours(*words, like="sdg", chains=chains, looks=looks)


_STRENGTH = ("estimator.strength",)
_OPPOSITE = ("guidance=text_paper", "guidance.contrast=opposite", "guidance.terms.text.weight=visible")
_WINDOW = "guidance.terms.text.weight={_target_: sdg.guidance.weight.Window, start: 0.1, stop: 0.8}"
_BY_ENCODER = "method.guide=encoder"
ARMS: dict[str, Arm] = {
    # the time-dependent encoder guides
    "sdg": _ours(),
    "sdg_clamped": _ours("estimator=sdg_clamped"),
    "sdg_seen": _ours("guidance=text_seen"),
    "sdg_opposite": _ours(*_OPPOSITE, like="sdg"),
    "sdg_interval": _ours(_WINDOW, like="sdg"),
    "sdg_sphere": Arm("encoder", ("estimator=sdg_sphere",), ("estimator.share",)),
    "sdg_recurrence": _ours(
        "estimator=sdg_clamped", "estimator.recurrence.turns=2", like="sdg_clamped", chains=2
    ),
    "spectral": Arm("encoder", ("estimator=spectral",), _STRENGTH),
    "mpgd_encoder": Arm("encoder", ("estimator=mpgd", _BY_ENCODER), _STRENGTH),
    "dps_encoder": Arm("encoder", ("estimator=dps", _BY_ENCODER), _STRENGTH, pulls=1),
    "best_of_4": _particles("best_of"),
    "fk_4": _particles("fk", looks=0.2),
    "prune_4": _particles("prune", "population.cuts=[0.25, 0.5]", chains=2, looks=0.1),
    # plain CLIP guides
    "clip_x0": Arm("clip", ("estimator=clip_x0",), ("guidance.scale",), pulls=1),
    "universal": Arm(
        "clip",
        ("estimator=universal", "estimator.recurrence.turns=1"),
        ("guidance.scale", "estimator.rate"),
        pulls=1,
        passes=4,
    ),
    "dps": Arm("clip", ("estimator=dps",), _STRENGTH, pulls=1),
    "lgd": Arm("clip", ("estimator=lgd",), _STRENGTH, pulls=1, passes=2),
    "freedom": Arm(
        "clip", ("estimator=freedom", "estimator.recurrence.turns=1"), ("estimator.size",), pulls=1
    ),
    "dsg": Arm("clip", ("estimator=dsg",), ("estimator.share",), pulls=1),
    "mpgd": Arm("clip", ("estimator=mpgd",), _STRENGTH),
    "tfg": Arm(
        "clip",
        ("estimator=tfg", "estimator.inner=2", "estimator.radius=0"),
        ("estimator.rho", "estimator.mu"),
        pulls=1,
        passes=3,
    ),
    "control": Arm(
        "clip", ("estimator=control", "estimator.inner=1"), ("estimator.rate",), pulls=1, forwards=2
    ),
}


class Way(NamedTuple):
    """An arm at one relative dose and number of steps."""

    arm: str
    steps: int
    dose: float
    """Relative, of a step."""
    strength: tuple[str, ...]
    """The settings that give it."""

    @property
    def name(self) -> str:
        return f"{self.arm}_{self.steps}_{self.dose:g}"

    @property
    def settings(self) -> list[str]:
        return [*ARMS[self.arm].settings, f"sampler.steps={self.steps}", *self.strength]

    @property
    def told(self) -> list[str]:
        words = " ".join(word.partition(".")[2] for word in self.strength)
        return [self.arm, f"{self.dose:g}", words, str(self.steps), f"{self.cost:.0f}"]

    @property
    def guide(self) -> str:
        return ARMS[self.arm].guide

    @property
    def cost(self) -> float:
        """Of a picture, in forwards of the prior."""
        return self.steps * ARMS[self.arm].price
