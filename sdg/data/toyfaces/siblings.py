"""Siblings: faces that differ in one attribute alone, and captions of such pairs that mention it.

In a batch of unrelated faces a few salient colours tell all of them apart, so a contrastive loss never asks
for the rest. Between siblings, the detail is all there is.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sdg.data.toyfaces.attributes import ATTRIBUTES
from sdg.data.toyfaces.captions import caption, prompt
from sdg.data.toyfaces.rng import uniform
from sdg.errors import SDGError

# Far from the streams of attributes and nuisances, so that a face is the same with siblings and without.
_ATTRIBUTE_SLOT, _VALUE_SLOT = 64, 65


def sibling_attributes(
    attributes: Tensor, index: Tensor, shares: Mapping[str, float], seed: int = 0
) -> tuple[Tensor, Tensor]:
    """The attributes of a sibling of each face, which are its own but for one; a pure function.

    Args:
        attributes: (N, 8) int64, of the faces.
        index: (N,) int64, of the faces.
        shares: by attribute, how often it is the one that differs, relative to the others.

    Returns:
        The siblings' attributes (N, 8), and the column (N,) in which each differs from its face.

    Raises:
        SDGError: an unknown attribute, or shares that are not numbers from 0 on with a positive sum.
    """
    if stray := shares.keys() - ATTRIBUTES.keys():
        raise SDGError(f"siblings names {sorted(stray)}: faces have {', '.join(ATTRIBUTES)}")
    weights = torch.tensor([shares.get(name, 0.0) for name in ATTRIBUTES], dtype=torch.float64)
    if not (weights >= 0).all() or not 0 < float(weights.sum()) < float("inf"):
        raise SDGError("siblings must differ in something: give shares from 0 on, as {expression: 1}")
    bounds = (weights / weights.sum()).cumsum(0)[:-1]
    columns = torch.bucketize(uniform(seed, index, _ATTRIBUTE_SLOT), bounds, right=True)
    sizes = torch.tensor([len(values) for values in ATTRIBUTES.values()])[columns]
    # One to size - 1 places further on, so never the face's own value.
    moved = 1 + (uniform(seed, index, _VALUE_SLOT) * (sizes - 1)).long()
    siblings = attributes.clone()
    rows = torch.arange(len(attributes))
    siblings[rows, columns] = (attributes[rows, columns] + moved) % sizes
    return siblings, columns


def pair_captions(
    face: Sequence[int], sibling: Sequence[int], column: int, seed: int, index: int
) -> tuple[str, str]:
    """A caption for each of two siblings, mentioning the same attributes, among them the one that differs.

    What is mentioned is what :func:`caption` would mention of the first, with its last mention replaced if
    it would have left out what differs. A pure function of the arguments.
    """
    names = list(caption(face, seed, index).mentioned)
    different = list(ATTRIBUTES)[column]
    if different not in names:
        names[-1] = different
    first, second = (
        {name: ATTRIBUTES[name][row[list(ATTRIBUTES).index(name)]] for name in names}
        for row in (face, sibling)
    )
    return (
        prompt(first, seed, 2 * index, held_out=False),
        prompt(second, seed, 2 * index + 1, held_out=False),
    )
