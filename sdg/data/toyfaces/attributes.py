"""What a toy face is made of: attributes that captions mention, and nuisances that none mentions."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import torch
from torch import Tensor

from sdg.data.toyfaces.rng import uniform
from sdg.errors import SDGError

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "hair_color": ("black", "brown", "blond", "red", "grey", "blue", "green"),
    "hair_length": ("short", "long"),
    "skin": ("light", "medium", "dark"),
    "background": ("white", "yellow", "pink", "purple", "teal", "navy"),
    "glasses": ("no", "yes"),
    "hat": ("no", "yes"),
    "beard": ("no", "yes"),
    "expression": ("smiling", "neutral", "frowning"),
}

MARGINALS: dict[str, tuple[float, ...]] = {
    name: (1 / len(values),) * len(values) for name, values in ATTRIBUTES.items()
} | {"glasses": (0.6, 0.4), "hat": (0.65, 0.35), "beard": (0.7, 0.3)}
"""The probability of each value; attributes are independent of one another."""

NUISANCES: dict[str, tuple[float, float]] = {
    "x": (-0.09, 0.09),  # of the head, in half picture widths
    "y": (-0.04, 0.05),  # in half picture heights, downwards
    "scale": (0.95, 1.12),
    "tilt": (-9.0, 9.0),  # degrees, clockwise
    "face_width": (0.90, 1.10),
    "brightness": (0.93, 1.04),  # gain of the whole picture
    "warmth": (-0.05, 0.05),  # gain of red, and loss of blue, of the whole picture
    "clothes": (0.0, 1.0),  # position on a ramp of muted colours
    "eye_size": (0.92, 1.12),
    "gaze": (-1.0, 1.0),  # left to right
    "brow": (-0.02, 0.02),  # height, in half picture heights, downwards
}
"""The range in which each nuisance is uniform."""

SPLITS: dict[str, range] = {
    "train": range(1_000_000),
    "validation": range(1_000_000, 1_100_000),
    "test": range(1_100_000, 1_200_000),
}
"""The indices of each split. They are disjoint, so splits share no picture, whatever the seed."""

# Attributes and nuisances draw from streams far apart, so a new attribute leaves every nuisance as it was.
_FIRST_NUISANCE_SLOT = 32


def sample_attributes(seed: int, index: Tensor) -> Tensor:
    """Attributes of faces ``index`` (N,) int64 for a ``seed``: (N, 8) int64, columns as ``ATTRIBUTES``."""
    columns = []
    for slot, marginal in enumerate(MARGINALS[name] for name in ATTRIBUTES):
        bounds = torch.tensor(marginal, dtype=torch.float64).cumsum(0)[:-1]
        columns.append(torch.bucketize(uniform(seed, index, slot), bounds, right=True))
    return torch.stack(columns, dim=1)


def sample_nuisances(seed: int, index: Tensor) -> Tensor:
    """Nuisances of faces ``index`` (N,) int64 for a ``seed``: (N, 11) float32, columns as ``NUISANCES``."""
    columns = [
        low + (high - low) * uniform(seed, index, _FIRST_NUISANCE_SLOT + slot)
        for slot, (low, high) in enumerate(NUISANCES.values())
    ]
    return torch.stack(columns, dim=1).to(torch.float32)


def check_values(values: Mapping[str, str], attributes: Mapping[str, Sequence[str]] = ATTRIBUTES) -> None:
    """Raise ``SDGError`` unless every key is an attribute and every value one of its values."""
    for name, value in values.items():
        if name not in attributes:
            raise SDGError(f"unknown attribute {name!r}{_suggest(name, tuple(attributes))}")
        if value not in attributes[name]:
            raise SDGError(f"unknown {name} {value!r}{_suggest(value, tuple(attributes[name]))}")


def encode(values: Mapping[str, str]) -> Tensor:
    """An (8,) int64 row from a value for every attribute, e.g. ``{"hair_color": "red", ...}``.

    Raises:
        SDGError: an unknown or missing attribute, or an unknown value.
    """
    check_values(values)
    missing = [name for name in ATTRIBUTES if name not in values]
    if missing:
        raise SDGError(f"a face needs a value for every attribute; add {', '.join(missing)}")
    return torch.tensor([choices.index(values[name]) for name, choices in ATTRIBUTES.items()])


def _suggest(word: str, choices: tuple[str, ...]) -> str:
    close = get_close_matches(str(word), choices, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (choose one of {', '.join(choices)})"
