"""The targets of words, encoded once wherever they are needed, and of pictures, noised at every step."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.errors import SDGError
from sdg.guidance.targets import Aim, Reference, TextTargets
from sdg.networks.clip import CLIP
from sdg.networks.time_encoder import Features
from tests.guidance.examples import small_text_clip

PROMPTS = ["a red face", "a face", "red"]


@pytest.fixture
def clip() -> CLIP:
    return small_text_clip(["a", "face", "red"])


def test_rows_are_the_text_encoders_and_zeros_where_there_is_no_prompt(clip: CLIP) -> None:
    targets = TextTargets(clip)(["red", None, "a face", "red"])
    assert targets.shape == (4, 16)
    torch.testing.assert_close(targets[[0, 2]], clip.encode_text(["red", "a face"]))
    assert torch.equal(targets[3], targets[0])
    assert torch.equal(targets[1], torch.zeros(16))
    assert not targets.requires_grad


def test_the_text_encoder_is_frozen(clip: CLIP) -> None:
    TextTargets(clip.train())
    assert not any(parameter.requires_grad for parameter in clip.parameters())
    assert not any(module.training for module in clip.modules())


def test_a_prompt_is_encoded_once(clip: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    encode = clip.encode_text

    def counting(texts: Sequence[str]) -> Tensor:
        encoded.extend(texts)
        return encode(texts)

    monkeypatch.setattr(clip, "encode_text", counting)
    targets = TextTargets(clip)
    first = targets([*PROMPTS, None, PROMPTS[0]])
    assert torch.equal(targets([PROMPTS[2], None, PROMPTS[0]]), first[[2, 3, 0]])
    assert encoded == PROMPTS


def test_an_embedding_does_not_depend_on_the_prompts_beside_it(clip: CLIP) -> None:
    together = TextTargets(clip)(PROMPTS)
    alone = torch.cat([TextTargets(clip)([prompt]) for prompt in PROMPTS])
    assert torch.equal(together, alone)


def test_targets_follow_the_module_to_its_device(clip: CLIP) -> None:
    """A run encodes its prompts to check them, then Lightning moves the module; meta stands for a GPU."""
    targets = TextTargets(clip)
    targets(PROMPTS)
    targets.to("meta")
    assert targets(PROMPTS).device.type == "meta"
    assert targets([None, *PROMPTS, "a red red face"]).device.type == "meta"


def test_a_prompt_that_the_tokenizer_refuses_is_refused(clip: CLIP) -> None:
    with pytest.raises(SDGError, match="shorten it"):
        TextTargets(clip)(["a face", "a red red red red red face"])


# --- pictures

LEVELS = [Level.vp(900, 0.04, 0.1), Level.vp(300, 0.64, 0.7)]
CLEAN = torch.linspace(-1, 1, 2 * 3 * 4 * 4).view(2, 3, 4, 4)
KEYS = [(0, 0), (0, 1)]


def seen(x: Tensor, level: Level) -> Features:
    """In place of an encoder: the picture itself."""
    return Features((x, 2 * x), x.flatten(1))


@pytest.mark.parametrize("fixed", [False, True])
def test_a_reference_is_noised_to_the_level_with_fresh_noise_or_with_the_first(fixed: bool) -> None:
    reference, noise = Reference(CLEAN, NoiseSource(KEYS), fixed), NoiseSource(KEYS)
    draws = [noise.normal((3, 4, 4)) for _ in LEVELS]
    for (a, sigma), level, fresh in zip([(0.2, 0.96**0.5), (0.8, 0.6)], LEVELS, draws, strict=True):
        features = reference.features(seen, level)
        torch.testing.assert_close(features.stages[0], a * CLEAN + sigma * (draws[0] if fixed else fresh))
        assert torch.equal(features.stages[1], 2 * features.stages[0])
        assert torch.equal(features.pooled, features.stages[0].flatten(1))


def test_samples_with_one_picture_can_share_its_noised_copy() -> None:
    """Each distinct picture is encoded once, by itself, with noise of its own."""
    asked: list[int] = []

    def counting(x: Tensor, level: Level) -> Features:
        asked.append(len(x))
        return seen(x, level)

    shared = Reference(CLEAN, NoiseSource(KEYS[:1]), rows=torch.tensor([1, 0, 1]))
    features = shared.features(counting, LEVELS[1])
    expected = 0.8 * CLEAN + 0.6 * NoiseSource(KEYS[:1]).normal((3, 4, 4))
    torch.testing.assert_close(features.stages[0], expected[[1, 0, 1]])
    assert torch.equal(features.pooled, features.stages[0].flatten(1))
    assert asked == [1, 1]


def test_terms_with_the_same_reference_share_its_noise_and_the_others_do_not() -> None:
    one, other = Reference(CLEAN, NoiseSource(KEYS)), Reference(CLEAN, NoiseSource(KEYS, "other"))
    words = torch.ones(2, 16)
    aim = Aim(seen, {"text": words}, {"content": one, "style": one, "structure": other})
    targets = aim.at(LEVELS[0])
    assert targets["text"] is words
    assert targets["content"] is targets["style"]
    content, structure = targets["content"], targets["structure"]
    assert isinstance(content, Features)
    assert isinstance(structure, Features)
    assert not torch.equal(content.pooled, structure.pooled)
    first = 0.2 * CLEAN + 0.96**0.5 * NoiseSource(KEYS).normal((3, 4, 4))
    torch.testing.assert_close(content.pooled, first.flatten(1))
