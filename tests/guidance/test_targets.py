"""The targets of words: encoded once, wherever they are needed."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.guidance.targets import TextTargets
from sdg.networks.clip import CLIP, small_clip
from tests.golden.fill import fill_state_dict

PROMPTS = ["a red face", "a face", "red"]


@pytest.fixture
def clip() -> CLIP:
    clip = small_clip(
        ["a", "face", "red"],
        image_size=32,
        embed_dim=16,
        vision={"layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        text={"context_length": 8, "width": 16, "heads": 2, "layers": 1},
    )
    clip.load_state_dict(fill_state_dict(clip.state_dict()))
    return clip


def test_rows_are_the_text_encoders_and_zeros_where_there_is_no_prompt(clip: CLIP) -> None:
    targets = TextTargets(clip)(["red", None, "a face", "red"])
    assert targets.shape == (4, 16)
    torch.testing.assert_close(targets[[0, 2]], clip.encode_text(["red", "a face"]))
    assert torch.equal(targets[3], targets[0])
    assert torch.equal(targets[1], torch.zeros(16))
    assert not targets.requires_grad


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
