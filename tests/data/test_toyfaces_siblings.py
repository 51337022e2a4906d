"""Siblings: pairs of faces that differ in one attribute, and captions that say in which."""

from typing import Any

import pytest
import torch

from sdg.data.toyfaces import ATTRIBUTES, faces, sample_attributes, sample_nuisances
from sdg.data.toyfaces.captions import caption, prompt
from sdg.data.toyfaces.data import ToyFaces, ToyFacesData
from sdg.data.toyfaces.siblings import (
    crossed_attributes,
    four_captions,
    pair_captions,
    sibling_attributes,
)
from sdg.errors import SDGError
from sdg.pixels import to_bytes

NAMES = list(ATTRIBUTES)
BEARD, EXPRESSION, HAT = (NAMES.index(name) for name in ("beard", "expression", "hat"))
INDEX = torch.arange(9000)
FACES = sample_attributes(0, INDEX)
SHARES = {"expression": 3.0, "hat": 1.0}


def test_siblings_differ_in_one_attribute_as_often_in_each_as_asked() -> None:
    siblings, columns = sibling_attributes(FACES, INDEX, SHARES)
    different = siblings != FACES
    assert torch.equal(different.sum(dim=1), torch.ones(9000, dtype=torch.int64))
    assert torch.equal(different.int().argmax(dim=1), columns)
    assert (columns == EXPRESSION).double().mean().item() == pytest.approx(0.75, abs=0.015)
    assert set(columns.tolist()) == {EXPRESSION, HAT}


def test_every_other_value_is_as_likely() -> None:
    siblings, _ = sibling_attributes(FACES, INDEX, {"hair_color": 1.0})
    values = len(ATTRIBUTES["hair_color"])
    moved = (siblings[:, 0] - FACES[:, 0]) % values
    counts = torch.bincount(moved, minlength=values)
    assert counts[0] == 0
    assert counts[1:].tolist() == pytest.approx([9000 / (values - 1)] * (values - 1), rel=0.1)


def test_a_sibling_does_not_depend_on_the_faces_beside_it() -> None:
    alone, _ = sibling_attributes(FACES[70:71], INDEX[70:71], SHARES)
    assert torch.equal(alone[0], sibling_attributes(FACES, INDEX, SHARES)[0][70])
    assert not torch.equal(*(sibling_attributes(FACES, INDEX, SHARES, seed)[0] for seed in (0, 1)))


@pytest.mark.parametrize("shares", [{"nose": 1.0}, {}, {"hat": 0.0}, {"hat": -1.0}, {"hat": float("nan")}])
def test_shares_without_sense_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(SDGError, match="siblings"):
        sibling_attributes(FACES, INDEX, shares)


def test_captions_of_a_pair_mention_the_same_and_what_differs() -> None:
    """Worded anew from what each must mention: the first's own caption, its last mention replaced."""
    siblings, columns = sibling_attributes(FACES, INDEX, SHARES)
    for i in range(40):
        face, sibling, column = FACES[i].tolist(), siblings[i].tolist(), int(columns[i])
        names = list(caption(face, 0, i).mentioned)
        names = names if NAMES[column] in names else [*names[:-1], NAMES[column]]
        wanted = tuple(
            prompt({n: ATTRIBUTES[n][row[NAMES.index(n)]] for n in names}, 0, 2 * i + k, held_out=False)
            for k, row in enumerate((face, sibling))
        )
        assert pair_captions(face, sibling, column, 0, i) == wanted


def test_a_batch_has_each_face_beside_its_sibling() -> None:
    data = ToyFaces("train", 6, 16, captions=True, siblings=SHARES)
    batch = data[3, [4, 1]]
    index = torch.tensor([4, 1])
    images, attributes = faces(0, index, 16)
    assert torch.equal(batch["image"][::2], to_bytes(images))
    assert torch.equal(batch["attributes"][::2], attributes)
    siblings, columns = sibling_attributes(attributes, index, SHARES)
    assert torch.equal(batch["attributes"][1::2], siblings)
    assert torch.equal(batch["nuisances"], sample_nuisances(0, index).repeat_interleave(2, dim=0))
    pairs = zip(attributes.tolist(), siblings.tolist(), columns.tolist(), (6, 7), strict=True)
    assert batch["captions"] == [text for pair in pairs for text in pair_captions(*pair[:3], 0, pair[3])]
    assert len(set(batch["descriptions"])) == 4
    assert len(data) == 6
    assert batch["family"] == 2
    assert ToyFaces("train", 2, 16)[0, [0]]["family"] == 1


def test_devices_share_the_pairs_of_a_batch() -> None:
    data = ToyFaces("train", 8, 16, captions=True, siblings=SHARES)
    whole = data[3, [5, 1, 2, 7]]
    data.ranks = 2
    for data.rank in range(2):
        part = data[3, [5, 1, 2, 7][data.rank :: 2]]
        for key in ("captions", "descriptions"):
            pairs = list(zip(whole[key][::2], whole[key][1::2], strict=True))[data.rank :: 2]
            assert part[key] == [text for pair in pairs for text in pair]


def test_a_pair_comes_once_more_with_a_second_attribute_changed() -> None:
    siblings, columns = sibling_attributes(FACES, INDEX, SHARES)
    pairs = torch.stack([FACES, siblings], dim=1)
    crossed, second = crossed_attributes(pairs, columns, INDEX, {"beard": 2.0, "hat": 2.0})
    places = torch.arange(9000)
    assert torch.equal((crossed != pairs).sum(dim=2), torch.ones(9000, 2, dtype=torch.int64))
    assert torch.equal((crossed != pairs)[:, 0].int().argmax(dim=1), second)
    assert torch.equal(crossed[places, 0, second], crossed[places, 1, second])
    # Where a hat is the first, a beard must be the second; elsewhere each is as likely.
    assert set(second[columns == HAT].tolist()) == {BEARD}
    assert (second[columns == EXPRESSION] == BEARD).double().mean().item() == pytest.approx(0.5, abs=0.02)


def test_fours_need_a_second_attribute() -> None:
    siblings, columns = sibling_attributes(FACES, INDEX, SHARES)
    pairs = torch.stack([FACES, siblings], dim=1)
    with pytest.raises(SDGError, match=r"data\.crossed needs an attribute in which siblings do not differ"):
        crossed_attributes(pairs, columns, INDEX, {"hat": 1.0})
    with pytest.raises(SDGError, match="crossed names"):
        crossed_attributes(pairs, columns, INDEX, {"nose": 1.0})


def test_captions_of_a_four_are_alike_where_they_say_the_same() -> None:
    """Counted by what is said: both attributes (four captions), or one (two captions, each of two faces)."""
    faces, index = FACES[:150], INDEX[:150]
    siblings, columns = sibling_attributes(faces, index, {"expression": 1.0})
    pairs = torch.stack([faces, siblings], dim=1)
    crossed, _ = crossed_attributes(pairs, columns, index, {"beard": 1.0})
    kinds = []
    for i, four in enumerate(torch.cat([pairs, crossed], dim=1).tolist()):
        captions = four_captions(four, [EXPRESSION, BEARD], 0, i)
        kinds.append(tuple(captions.index(text) for text in captions))
    assert {kind: kinds.count(kind) for kind in set(kinds)} == pytest.approx(
        {(0, 1, 2, 3): 50, (0, 1, 0, 1): 50, (0, 0, 2, 2): 50}, abs=18
    )


def test_a_batch_has_fours_side_by_side() -> None:
    data = ToyFaces("train", 6, 16, captions=True, siblings=SHARES, crossed={"beard": 1.0})
    batch = data[3, [4, 1]]
    pairs = ToyFaces("train", 6, 16, siblings=SHARES)[3, [4, 1]]["attributes"].unflatten(0, (2, 2))
    fours = batch["attributes"].unflatten(0, (2, 4))
    assert batch["family"] == 4
    assert torch.equal(fours[:, :2], pairs)
    assert torch.equal(fours[:, 2:, BEARD], 1 - pairs[:, :, BEARD])
    assert torch.equal(batch["nuisances"][4], batch["nuisances"][7])
    columns = data.columns[[4, 1]].tolist() if data.columns is not None else []
    captions = [
        four_captions(four, column, 0, 6 + i)
        for i, (four, column) in enumerate(zip(fours.tolist(), columns, strict=True))
    ]
    assert batch["captions"] == captions[0] + captions[1]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"batch_size": 7, "siblings": SHARES}, r"data\.batch_size=7 does not hold pairs"),
        (
            {"batch_size": 6, "siblings": SHARES, "crossed": SHARES},
            r"does not hold fours: use a multiple of 4",
        ),
        ({"batch_size": 8, "crossed": SHARES}, r"data\.crossed changes siblings: give data\.siblings, too"),
    ],
)
def test_batches_that_hold_no_families_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SDGError, match=message):
        ToyFacesData(**settings)
