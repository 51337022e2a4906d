"""Training CLIP on image-caption pairs."""

import pytest
import torch

from sdg.errors import SDGError
from sdg.networks.clip import CLIP, small_clip
from sdg.networks.tokenizer import StrictTokenizer
from sdg.training.clip import CLIPTraining
from sdg.training.optimisation import Optimisation


def test_a_tokenizer_of_byte_pairs_is_refused():
    tiny = small_clip(
        ["face"],
        image_size=32,
        embed_dim=8,
        vision={"layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        text={"width": 8, "heads": 2, "layers": 1},
    )
    spelling = StrictTokenizer(lambda texts, context_length: torch.zeros(len(texts), context_length), 32)
    with pytest.raises(SDGError, match=r"words as tokens: make it with sdg\.networks\.clip\.small_clip"):
        CLIPTraining(CLIP(tiny.model, spelling, 32), Optimisation(lr=1e-3))


def test_pairs_are_asked_of_data_that_has_them():
    tiny = small_clip(
        ["face"],
        image_size=32,
        embed_dim=8,
        vision={"layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        text={"width": 8, "heads": 2, "layers": 1},
    )
    training = CLIPTraining(tiny, Optimisation(lr=1e-3), pair_loss=1.0)
    batch = {
        "image": torch.zeros(2, 3, 32, 32),
        "captions": ["face"] * 2,
        "descriptions": ["face"] * 2,
        "step": 0,
    }
    with pytest.raises(SDGError, match=r"model\.pair_loss compares siblings: give data\.siblings"):
        training.training_step(batch, 0)
