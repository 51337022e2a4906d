"""Siblings: faces that differ in one attribute alone, and captions of such families that mention it.

In a batch of unrelated faces a few salient colours tell all of them apart, so a contrastive loss never asks
for the rest. Between siblings, the detail is all there is. Of four, two attributes crossed, no picture may
stand in for another: a frown for a beard, both dark where the mouth is.
"""

from collections.abc import Mapping, Sequence
from random import Random

import torch
from torch import Tensor

from sdg.data.toyfaces.attributes import ATTRIBUTES
from sdg.data.toyfaces.captions import caption, prompt
from sdg.data.toyfaces.rng import uniform
from sdg.errors import SDGError

# Far from the streams of attributes and nuisances, so that a face is the same with siblings and without.
_ATTRIBUTE_SLOT, _VALUE_SLOT = 64, 65
_CROSSED_ATTRIBUTE_SLOT, _CROSSED_VALUE_SLOT = 66, 67


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
    weights = _weights(shares, "siblings").expand(len(attributes), -1)
    columns, values = _changes(attributes, index, weights, seed, (_ATTRIBUTE_SLOT, _VALUE_SLOT))
    return attributes.scatter(1, columns[:, None], values[:, None]), columns


def crossed_attributes(
    pairs: Tensor, columns: Tensor, index: Tensor, shares: Mapping[str, float], seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Each pair of siblings once more, with a second attribute changed, to one value in both.

    Args:
        pairs: (N, 2, 8) int64, a face and its sibling.
        columns: (N,), in which they differ.
        index, shares: as of :func:`sibling_attributes`; the column in which a pair differs counts 0.

    Returns:
        (N, 2, 8), and the columns (N,) of the second attributes.

    Raises:
        SDGError: as there, or no second attribute is left for a pair.
    """
    weights = _weights(shares, "crossed").repeat(len(pairs), 1).scatter(1, columns[:, None], 0.0)
    if not (weights.sum(dim=1) > 0).all():
        raise SDGError("data.crossed needs an attribute in which siblings do not differ yet: name a second")
    slots = (_CROSSED_ATTRIBUTE_SLOT, _CROSSED_VALUE_SLOT)
    second, values = _changes(pairs[:, 0], index, weights, seed, slots)
    place = second[:, None, None].expand(-1, 2, 1)
    return pairs.scatter(2, place, values[:, None, None].expand(-1, 2, 1)), second


def _weights(shares: Mapping[str, float], setting: str) -> Tensor:
    """(8,) float64, by column."""
    if stray := shares.keys() - ATTRIBUTES.keys():
        raise SDGError(f"{setting} names {sorted(stray)}: faces have {', '.join(ATTRIBUTES)}")
    weights = torch.tensor([shares.get(name, 0.0) for name in ATTRIBUTES], dtype=torch.float64)
    if not (weights >= 0).all() or not 0 < float(weights.sum()) < float("inf"):
        raise SDGError(f"{setting} must differ in something: give shares from 0 on, as {{expression: 1}}")
    return weights


def _changes(
    attributes: Tensor, index: Tensor, weights: Tensor, seed: int, slots: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """For each face, a column drawn by ``weights`` (N, 8), and another value there: (N,) each."""
    bounds = (weights / weights.sum(dim=1, keepdim=True)).cumsum(1)[:, :-1]
    columns = (uniform(seed, index, slots[0])[:, None] >= bounds).sum(dim=1)
    sizes = torch.tensor([len(values) for values in ATTRIBUTES.values()])[columns]
    # One to size - 1 places further on, so never the face's own value.
    moved = 1 + (uniform(seed, index, slots[1]) * (sizes - 1)).long()
    return columns, (attributes.gather(1, columns[:, None])[:, 0] + moved) % sizes


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


def four_captions(faces: Sequence[Sequence[int]], columns: Sequence[int], seed: int, index: int) -> list[str]:
    """A caption for each of four faces that differ in two attributes, mentioning one of these or both.

    Faces of which the same is said have the same caption: what it leaves open, it is equally true of. Up to
    two more attributes are mentioned, of those that :func:`caption` would mention of the first face. A pure
    function of the arguments.
    """
    names = list(ATTRIBUTES)
    random = Random(f"four {seed} {index}")
    crossed = [names[column] for column in columns]
    others = [name for name in caption(faces[0], seed, index).mentioned if name not in crossed]
    told = random.choice([crossed, crossed[:1], crossed[1:]]) + others[: random.randrange(3)]
    rows = ({name: ATTRIBUTES[name][row[names.index(name)]] for name in told} for row in faces)
    return [prompt(mentioned, seed, index, held_out=False) for mentioned in rows]
