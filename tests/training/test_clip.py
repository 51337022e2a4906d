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
