"""Networks for the tests of this folder."""

from collections.abc import Sequence

from sdg.networks.clip import CLIP, small_clip
from tests.golden.fill import fill_state_dict


def small_text_clip(vocabulary: Sequence[str]) -> CLIP:
    """A small CLIP over a vocabulary, whose every weight matters; sentences have up to six words."""
    clip = small_clip(
        vocabulary,
        image_size=32,
        embed_dim=16,
        vision={"layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        text={"context_length": 8, "width": 16, "heads": 2, "layers": 1},
    )
    clip.load_state_dict(fill_state_dict(clip.state_dict()))
    return clip
