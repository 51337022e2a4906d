"""What holds for every estimator as ``sample.py`` draws: a term of one's own, no scale, every population."""

import math
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sdg.guidance.term import Term
from sdg.networks.time_encoder import Features
from sdg.sampling.build import build_method
from sdg.sampling.method import Method
from sdg.sampling.networks import Networks
from sdg.sampling.plan import PlanEntry
from tests.estimators.test_estimators import NAMES
from tests.tiny import configure, make_weights

POPULATIONS = {
    "best_of": [],
    "fk": ["population.every=1", "population.strength=50"],
    "tds": [],
    "prune": ["population.cuts=[0.5]"],
}
UNWEIGHED = ("sdg_sphere", "dsg", "freedom", "universal")
"""They turn the noise of steps or take some again, which ``tds`` refuses."""


def few(*names: str) -> pytest.MarkDecorator:
    """Every estimator; those that are not named, only where slow tests run."""
    each = [pytest.param(name, marks=() if name in names else pytest.mark.slow) for name in NAMES]
    return pytest.mark.parametrize("name", each)


class Gist(Term):
    """A user's own: the cosine of what one stage sees on average."""

    reads = "reference"

    def __call__(self, features: Features, target: Features) -> Tensor:
        mine, theirs = (seen.stages[2].mean(dim=(2, 3)) for seen in (features, target))
        return F.cosine_similarity(mine, theirs)


@cache
def networks() -> Networks:
    """Loaded once."""
    return Networks()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


def drawing(weights: list[str], *words: str) -> Method:
    shared = ["sampler=ddpm", "sampler.steps=3", "guidance.scale=20", "group=4", "trace=false"]
    return build_method(configure("sample", [*weights, *shared, *words]), networks())


def entry(index: int, prompt: str | None, reference: str | None, scale: float) -> PlanEntry:
    return PlanEntry(index, prompt, reference, 0, index, scale)


@few("sdg", "mpgd", "dps", "dsg")
def test_a_term_of_ones_own_guides_and_without_a_scale_nothing_does(
    weights: list[str], tmp_path: Path, name: str
) -> None:
    face = str(tmp_path / "face.png")
    Image.linear_gradient("L").resize((32, 32)).convert("RGB").save(face)
    own = f"guidance.terms.content._target_={__name__}.Gist"
    method = drawing(weights, f"estimator={name}", "guidance=content", own)
    method.check([], [face])
    free, still, *led = method.draw(
        [entry(0, None, None, 0.0), entry(0, None, face, 0.0)]
        + [entry(index, None, face, method.scale) for index in (0, 1)]
    )
    assert torch.equal(still.image, free.image)
    assert not torch.equal(led[0].image, free.image)
    assert [list(each.record["scores"]) for each in led] == [["content"]] * 2
    assert all(math.isfinite(each.record["scores"]["content"]) and each.lost is None for each in led)
    alone = method.draw([entry(1, None, face, method.scale)])
    assert torch.equal(alone[0].image, led[1].image)


@few("lgd")
def test_with_every_population_a_picture_depends_on_nobody_beside_it(weights: list[str], name: str) -> None:
    for kind, more in POPULATIONS.items():
        if kind == "tds" and name in UNWEIGHED:
            continue
        words = [f"estimator={name}", f"population={kind}", "population.particles=2", *more]
        method = drawing(weights, *words)
        method.check(["a face", "a hat"], [])
        both = method.draw([entry(0, "a hat", None, method.scale), entry(1, "a face", None, method.scale)])
        (alone,) = method.draw([entry(1, "a face", None, method.scale)])
        assert torch.equal(alone.image, both[1].image), kind
        assert not torch.equal(both[0].image, both[1].image)
