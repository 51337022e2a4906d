"""Contrast and visibility, from settings to the gradient, and what is refused on the way."""

from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException

from sdg.checkpoints.card import Card, read_card, write_card
from sdg.diffusion.level import Level
from sdg.errors import SDGError
from sdg.files import file_hash
from sdg.guidance.held import Held
from sdg.guidance.text import Text
from sdg.networks.time_encoder import Features
from sdg.sampling.build import build_method
from sdg.sampling.chains import GuidedSampling
from sdg.sampling.networks import Networks
from sdg.sampling.plan import PlanEntry
from tests.tiny import configure, make_weights

PROMPT, OTHER = "a smiling face with a hat", "a frowning face"
NETWORKS = Networks()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Tiny networks, and a card of theirs on which smiles are seen at t < 500, and hats everywhere."""
    folder = tmp_path_factory.mktemp("weights")
    words = make_weights(folder)
    hashes = {
        kind: file_hash(folder / f"{key}.safetensors")
        for kind, key in (("encoder", "encoder.checkpoint"), ("clip", "encoder.clip_checkpoint"))
    }
    sentences = ["a smiling face", OTHER, "a face with a hat", "a face"]
    mean = torch.stack([target(method(words), sentence) for sentence in sentences]).mean(dim=0)
    pairs = (("a smiling face", OTHER, (1.0, 0.5, 0.5)), ("a face with a hat", "a face", (1.0, 1.0, 1.0)))
    card = Card((0, 500, 999), pairs, mean, hashes)
    write_card(folder / "card.json", card, {})
    return [*words, f"encoder.card={folder / 'card.json'}", "sampler.steps=4"]


def method(weights: list[str], *words: str) -> GuidedSampling:
    made = build_method(configure("sample", [*weights, *words]), NETWORKS)
    assert isinstance(made, GuidedSampling)
    return made


def window(kind: str, **ends: float) -> list[str]:
    values = "".join(f", {name}: {value}" for name, value in ends.items())
    return [f"guidance.terms.text.weight={{_target_: sdg.guidance.weight.{kind}{values}}}"]


def target(made: GuidedSampling, prompt: str = PROMPT) -> torch.Tensor:
    assert made.aims is not None
    return made.aims.texts([prompt])[0]


def test_a_contrast_is_subtracted_from_the_target(weights: list[str]) -> None:
    plain = target(method(weights))
    mean = target(method(weights, "guidance.contrast=mean", "guidance.contrast_weight=0.5"))
    card = read_card(next(word.partition("=")[2] for word in weights if word.startswith("encoder.card=")))
    torch.testing.assert_close(mean, plain - 0.5 * card.mean, rtol=0, atol=1e-5)
    opposite = target(method(weights, f"guidance.contrast='{OTHER}'"))
    torch.testing.assert_close(opposite, plain - target(method(weights), OTHER))
    made = method(weights, "guidance.contrast=opposite", "guidance.terms.text.weight=visible")
    assert made.aims is not None
    assert made.aims.sight is not None
    parts = [part.vector for part in made.aims.sight.parts(plain)]
    # Nothing needs to be visible to be contrasted.
    for held in (made, method(weights, "guidance.contrast=opposite")):
        assert held.aims is not None
        words = held.aims.texts([PROMPT])
        assert isinstance(words, Held)
        torch.testing.assert_close(words.vectors()[0], torch.stack(parts).sum(dim=0))
        assert words.sharpness == held.aims.guidance.contrast_sharpness
    # What is kept from one run to the next has no contrast.
    assert torch.equal(target(method(weights)), plain)


class Squared(Text):
    """A term of one's own."""

    def __call__(self, features: Features, target: torch.Tensor) -> torch.Tensor:
        return super().__call__(features, target).square()


def test_a_term_of_ones_own_follows_what_is_seen(weights: list[str]) -> None:
    """The prompt is half a smile, seen below t=500 alone, and half a hat, seen everywhere."""
    own = f"guidance.terms.text._target_={Squared.__module__}.Squared"
    made = method(weights, own, "guidance.terms.text.weight=visible")
    assert made.aims is not None
    steer = made.aims([PlanEntry(0, PROMPT, None, 0, 0, 50.0)])
    early, late = (steer.aim.steering(Level.vp(t, 0.5, 1 - t / 999)) for t in (900, 50))
    assert isinstance(made.aims.guidance.terms["text"], Squared)
    assert float(early[1]["text"]) < float(late[1]["text"])


def test_a_sentence_is_contrasted_without_a_card(weights: list[str]) -> None:
    """As for the released encoders, which have none."""
    without = method(weights, "encoder.card=null", f"guidance.contrast='{OTHER}'")
    torch.testing.assert_close(target(without), target(method(weights, f"guidance.contrast='{OTHER}'")))


@pytest.mark.parametrize("contrast", ["mean", "opposite"])
def test_a_sample_drawn_where_it_is_seen_does_not_depend_on_its_neighbours(
    weights: list[str], contrast: str
) -> None:
    made = method(weights, "guidance.terms.text.weight=visible", f"guidance.contrast={contrast}", "group=3")
    entries = [PlanEntry(i, p, None, 0, i, 50.0) for i, p in enumerate((PROMPT, OTHER, PROMPT))]
    together = [sample.image for sample in made.draw(entries)]
    for i, entry in enumerate(entries):
        assert torch.equal(made.draw([entry] * 3)[0].image, together[i])


def test_visibility_changes_pictures_and_a_weight_of_zero_is_no_guidance(weights: list[str]) -> None:
    entry = PlanEntry(0, PROMPT, None, 0, 0, 400.0)
    images = [
        method(weights, *words).draw([entry])[0].image
        for words in ([], ["guidance.terms.text.weight=visible"], ["guidance.contrast=mean"])
    ]
    assert len({image.numpy().tobytes() for image in images}) == 3


def test_in_predicted_pictures_everything_is_seen(weights: list[str]) -> None:
    entry = PlanEntry(0, PROMPT, None, 0, 0, 400.0)
    visible = ["encoder.card=null", "guidance.terms.text.weight=visible"]
    images = [method(weights, "estimator=mpgd", *words).draw([entry])[0].image for words in ([], visible)]
    assert torch.equal(*images)


@pytest.mark.parametrize(
    "words, message",
    [
        (["encoder.card=null", "guidance.contrast=mean"], r"encoder\.card=null.*experiments\.visibility"),
        (["encoder.card=null", "guidance.terms.text.weight=visible"], r"encoder\.card=null"),
        (["encoder.card=none.json", "guidance.contrast=mean"], r"there is no card at none\.json"),
        (["guidance=content", "+guidance.contrast=mean"], "is contrasted with nothing"),
        (["guidance.terms.text.weight=visibly"], "weight=visibly"),
        (window("NoiseWindow", start=300, stop=200), "chain, from t=999 down to 0, lies in the window"),
        (window("NoiseWindow", start=100, stop=200), "from t=100 down to 200 is empty"),
        (window("Window", start=0.5, stop=1.5), "from 0.5 to 1.5 is empty"),
    ],
)
def test_what_cannot_be_followed_is_told_in_a_line(
    weights: list[str], words: list[str], message: str
) -> None:
    with pytest.raises(InstantiationException, match=message):
        method(weights, *words)


def test_a_prompt_that_is_its_own_contrast_is_told_before_anything_is_drawn(weights: list[str]) -> None:
    made = method(weights, f"guidance.contrast='{OTHER}'")
    with pytest.raises(SDGError, match=r"guidance\.contrast='a frowning face' says what"):
        made.check([PROMPT, OTHER], [])
    assert made.unknown_words("a smiling zebra") == ["zebra"]


def test_a_card_without_visibility_gives_a_mean_and_no_weight(weights: list[str], tmp_path: Path) -> None:
    full = read_card(next(word.partition("=")[2] for word in weights if word.startswith("encoder.card=")))
    write_card(tmp_path / "card.json", full._replace(pairs=()), {})
    card = f"encoder.card={tmp_path / 'card.json'}"
    method(weights, card, "guidance.contrast=mean")
    with pytest.raises(InstantiationException, match=r"card\.json has no visibility: measure it with"):
        method(weights, card, "guidance.terms.text.weight=visible")
    with pytest.raises(InstantiationException, match=r"card\.json has no visibility: measure it with"):
        method(weights, card, "guidance.contrast=opposite")


def test_a_card_of_other_weights_is_refused(weights: list[str], tmp_path: Path) -> None:
    card = Card((0,), (), torch.zeros(16), {"encoder": "0" * 64, "clip": "0" * 64})
    write_card(tmp_path / "card.json", card, {})
    with pytest.raises(InstantiationException, match=r"card\.json is of another clip"):
        method(weights, f"encoder.card={tmp_path / 'card.json'}", "guidance.contrast=mean")
