"""Words held against their opposites: the score, its slope, and how prompts become such words."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.diffusion.level import Level
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.held import Held, hold
from sdg.guidance.sight import Sight
from sdg.guidance.targets import Opposites, TextTargets
from sdg.guidance.term import Term
from sdg.guidance.text import Text
from sdg.networks.clip import CLIP
from sdg.networks.time_encoder import Features
from tests.guidance.examples import small_text_clip

LEVELS = (0, 500, 999)
SMILE, NEUTRAL, FROWN, HAT, BARE = torch.eye(5, dtype=torch.float64)


def faces() -> Sight:
    """Expressions, each told from both others, best without noise; a hat from none everywhere."""
    pairs = {
        ("smile", "neutral"): (1.0, 0.5, 0.5),
        ("smile", "frown"): (1.0, 0.5, 0.5),
        ("neutral", "frown"): (1.0, 0.5, 0.5),
        ("hat", "bare"): (1.0, 1.0, 1.0),
    }
    named = {"smile": SMILE, "neutral": NEUTRAL, "frown": FROWN, "hat": HAT, "bare": BARE}
    return Sight(LEVELS, pairs, named, torch.zeros(5, dtype=torch.float64))


def one(sharpness: float, size: float = 1.0) -> Held:
    """A neutral face, held against a smile and a frown."""
    return Held(
        torch.zeros(1, 5, dtype=torch.float64),
        torch.tensor([[size]], dtype=torch.float64),
        NEUTRAL[None, None],
        torch.stack([SMILE, FROWN])[None, None],
        torch.full((1, 1, 2), math.log(0.5), dtype=torch.float64),
        sharpness,
    )


def slope(held: Held, unit: Tensor) -> Tensor:
    unit = unit.clone().requires_grad_()
    return torch.autograd.grad(held.score(unit[None]).sum(), unit)[0]


def test_the_score_is_a_cosine_less_the_soft_maximum_of_the_opposites() -> None:
    picture = torch.tensor([[0.6, 0.5, 0.2, 0.0, 0.0]], dtype=torch.float64)
    expected = 0.5 - math.log((math.exp(30 * 0.6) + math.exp(30 * 0.2)) / 2) / 30
    assert float(one(30.0).score(picture)) == pytest.approx(expected)
    assert float(one(30.0, size=-2.0).score(picture)) == pytest.approx(-2 * expected)
    assert float(one(0.0).score(picture)) == pytest.approx(0.5 - 0.4)
    torch.testing.assert_close(one(1e-4).score(picture), one(0.0).score(picture), atol=1e-5, rtol=0)


def test_a_face_between_its_opposites_is_led_away_from_the_one_that_it_looks_like() -> None:
    """The slope is along neutral less both others, in the shares of a softmax at the sharpness."""
    smiling, between = torch.tensor([[0.5, 0.1, 0.3, 0, 0], [0.3, 0.1, 0.3, 0, 0]], dtype=torch.float64)
    more = 1 / (1 + math.exp(-10 * 0.2))
    torch.testing.assert_close(slope(one(10.0), smiling), NEUTRAL - more * SMILE - (1 - more) * FROWN)
    torch.testing.assert_close(slope(one(10.0), between), NEUTRAL - (SMILE + FROWN) / 2)
    torch.testing.assert_close(slope(one(0.0), smiling), NEUTRAL - (SMILE + FROWN) / 2)
    torch.testing.assert_close(one(10.0).vectors()[0], NEUTRAL - (SMILE + FROWN) / 2)


@pytest.fixture
def clip() -> CLIP:
    return small_text_clip(["a", "red", "blue", "hat", "face"])


def told(clip: CLIP) -> tuple[Sight, Tensor, Tensor]:
    """Red was told from blue; the mean is between."""
    red, blue = clip.encode_text(["red", "blue"]).detach()
    accuracies = {("red", "blue"): (1.0, 0.8, 0.6)}
    return Sight(LEVELS, accuracies, {"red": red, "blue": blue}, (red + blue) / 2), red, blue


def held(texts: TextTargets, *prompts: str | None) -> Held:
    words = texts(prompts)
    assert isinstance(words, Held)
    return words


def test_a_sentence_is_contrasted_with_its_opposites_and_a_strange_one_with_the_mean(clip: CLIP) -> None:
    """Of what was told from one sentence, only the difference of the two remains."""
    sight, red, blue = told(clip)
    face = clip.encode_text(["a face"])[0].detach()
    between, apart = sight.mean, F.normalize(red - blue, dim=-1)
    assert abs(float(apart @ (face - between))) < 0.3 * float((face - between).norm())
    prompts = ["red", "red | blue:-2", "a face", None]
    words = held(TextTargets(clip, Opposites(sight, 30.0)), *prompts)
    expected = torch.stack([(red - blue) / 2, 3 * (red - blue) / 2, face - between, 0 * face])
    torch.testing.assert_close(words.vectors(), expected)
    half = held(TextTargets(clip, Opposites(sight, 30.0), 0.5), "red")
    torch.testing.assert_close(half.vectors()[0], red - 0.5 * between)
    # With one opposite each, nothing depends on sharpness.
    unit = F.normalize(torch.linspace(-1, 2, clip.embed_dim), dim=0).expand(4, -1)
    torch.testing.assert_close(words.score(unit), (unit * expected).sum(dim=-1))
    torch.testing.assert_close(words[torch.tensor([2, 0])].vectors(), expected[[2, 0]])


def test_every_part_is_weighted_where_it_is_seen(clip: CLIP) -> None:
    """The rest is weighted as well, if less than all of it is subtracted."""
    sight, red, blue = told(clip)
    curve = sight.curves[0]
    for weight in (1.0, 0.4):
        seen = TextTargets(clip, Opposites(sight, 30.0), weight).seen(["red", None], sight)
        plain = seen.plain
        assert isinstance(plain, Held)
        for t in (0, 250, 999):
            words, factor = seen.at(Level.vp(t, 0.5, 0.5))
            assert isinstance(words, Held)
            change = (curve(t) - 1) * (red - blue) / 2
            torch.testing.assert_close(words.vectors()[0], plain.vectors()[0] + change)
            assert factor.tolist() == [1, 1]
        seen.keep(torch.tensor([1]))
        assert not seen.at(Level.vp(0, 1.0, 1.0))[0].vectors().any()


def test_a_prompt_does_not_depend_on_its_neighbours_parts() -> None:
    """Not even in the last digit: longer prompts beside it add nothing but zeros."""
    sight = faces()
    texts = {"neutral": NEUTRAL, "both": F.normalize(NEUTRAL + HAT, dim=0), "none": 0 * HAT}

    def words(*names: str) -> Held:
        parts = [[(1.0, part) for part in sight.parts(texts[name])] for name in names]
        return hold(torch.zeros(len(names), 5, dtype=torch.float64), parts, sight, 30.0)

    picture = F.normalize(torch.tensor([[0.31, 0.17, 0.23, 0.11, 0.05]], dtype=torch.float64), dim=-1)
    together = words("neutral", "both", "none").score(picture.expand(3, -1))
    for number, name in enumerate(texts):
        assert torch.equal(words(name).score(picture)[0], together[number])
    assert together[2] == 0


class Own(Term):
    """A term of one's own, which knows vectors alone."""

    reads = "prompt"

    def __call__(self, features: Features, target: Tensor) -> Tensor:
        return (features.pooled * target).sum(dim=-1)


def test_a_term_that_holds_nothing_is_given_vectors() -> None:
    guidance = Guidance(torch.nn.Identity(), {"text": Text(), "own": Own()}, 1.0)
    features = Features((), torch.tensor([[0.8, 0.6, 0, 0, 0]], dtype=torch.float64))
    scores = guidance.scores(features, {"text": one(30.0), "own": one(30.0)})
    torch.testing.assert_close(scores["text"], one(30.0).score(features.pooled))
    assert float(scores["own"]) == pytest.approx(0.6 - 0.4)


@pytest.mark.parametrize("value, message", [(-1.0, "use 0 or more"), (float("nan"), "is not a number")])
def test_a_sharpness_is_a_number_from_zero_on(value: float, message: str) -> None:
    with pytest.raises(SDGError, match=message):
        Guidance(torch.nn.Identity(), {"text": Text()}, 1.0, contrast_sharpness=value)
