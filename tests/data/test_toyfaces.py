import hashlib
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from sdg.data.toyfaces import (
    ATTRIBUTES,
    MARGINALS,
    NUISANCES,
    SPLITS,
    encode,
    faces,
    palette,
    render,
    sample_attributes,
    sample_nuisances,
)
from sdg.data.toyfaces.canvas import length
from sdg.data.toyfaces.rng import uniform
from sdg.errors import SDGError

PLAIN = {
    "hair_color": "brown",
    "hair_length": "short",
    "skin": "light",
    "background": "teal",
    "glasses": "no",
    "hat": "no",
    "beard": "no",
    "expression": "neutral",
}
HEAD_CENTRE = 0.13
GOLDEN_ATTRIBUTES = [
    [2, 0, 0, 2, 0, 0, 0, 0],
    [0, 1, 0, 5, 1, 0, 1, 0],
    [1, 1, 1, 5, 0, 0, 0, 1],
    [0, 0, 2, 5, 0, 0, 0, 0],
]
GOLDEN_BITS = "7533fbcb9621b8361c453ce46579c4cae7ad58cc3183c639b73c174d592e0cc8"
GOLDEN_PICTURES = "909cae49f2105539b1ccc92e56870474c359c0a4d964c19c422420ce509b9ac0"


def posed(**changes: str) -> tuple[Tensor, Tensor]:
    """One face without jitter, at scale 1 in the middle, so that head coordinates are known."""
    nuisances = torch.zeros(1, len(NUISANCES))
    for name in ("scale", "face_width", "brightness", "eye_size"):
        nuisances[0, list(NUISANCES).index(name)] = 1.0
    return encode(PLAIN | changes)[None], nuisances


def draw(size: int = 128, **changes: str) -> Tensor:
    """(3, size, size) in [0, 1]"""
    return (render(*posed(**changes), size=size)[0] + 1) / 2


def at(image: Tensor, x: float, y: float) -> Tensor:
    """(3,) colour at a point of the head."""
    size = image.shape[-1]
    column, row = ((coordinate + 1) / 2 * size for coordinate in (x, y + HEAD_CENTRE))
    return image[:, int(row), int(column)]


def nearest(color: Tensor, table: Tensor) -> int:
    return int((table - color).square().sum(1).argmin())


def splitmix_uniform(seed: int, index: int, slot: int) -> float:
    """The same counter in Python's unbounded integers."""
    mask, gamma = (1 << 64) - 1, 0x9E3779B97F4A7C15

    def mix(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    z = mix((seed + gamma) & mask)
    z = mix((z + index * gamma) & mask)
    return (mix((z + (slot + 1) * gamma) & mask) >> 11) / 2**53


@pytest.mark.parametrize("seed", [0, 7, -1, 2**63 + 5])
def test_uniform_numbers_are_splitmix64(seed: int) -> None:
    index = torch.tensor([0, 1, 12345, 1_199_999])
    for slot in (0, 3, 40):
        expected = [splitmix_uniform(seed, int(i), slot) for i in index]
        assert uniform(seed, index, slot).tolist() == expected


def test_first_attributes_never_change() -> None:
    # Shipped checkpoints and their cards speak of these very faces.
    assert sample_attributes(0, torch.arange(4)).tolist() == GOLDEN_ATTRIBUTES
    pictures = ((faces(0, torch.arange(16), 32)[0] + 1) * 127.5).round().to(torch.uint8)
    assert hashlib.sha256(pictures.numpy().tobytes()).hexdigest() == GOLDEN_PICTURES


def test_marginals_are_as_published_and_pairs_independent() -> None:
    count = 20_000
    attributes = sample_attributes(3, torch.arange(count))
    one_hot = []
    for column, name in zip(attributes.unbind(1), ATTRIBUTES, strict=True):
        rates = torch.nn.functional.one_hot(column, len(ATTRIBUTES[name])).float()
        torch.testing.assert_close(rates.mean(0), torch.tensor(MARGINALS[name]), atol=0.015, rtol=0)
        one_hot.append(rates)
    for i, a in enumerate(one_hot):
        for b in one_hot[i + 1 :]:
            joint = a.T @ b / count
            torch.testing.assert_close(joint, a.mean(0)[:, None] * b.mean(0), atol=0.012, rtol=0)


def test_nuisances_fill_their_ranges() -> None:
    nuisances = sample_nuisances(1, torch.arange(20_000)).double()
    low, high = torch.tensor(list(NUISANCES.values())).double().unbind(1)
    unit = (nuisances - low) / (high - low)
    assert unit.min() > -1e-5
    assert unit.max() < 1 + 1e-5
    torch.testing.assert_close(unit.mean(0), torch.full_like(low, 0.5), atol=0.01, rtol=0)
    torch.testing.assert_close(unit.var(0), torch.full_like(low, 1 / 12), atol=0.003, rtol=0)


def test_a_face_has_the_same_bits_on_every_processor() -> None:
    """Its roots are the nearest floats: torch's, which are MKL's, are not on all processors."""
    pictures = torch.cat([faces(3, index, 33)[0] for index in torch.arange(40).split(16)])
    assert hashlib.sha256(pictures.numpy().tobytes()).hexdigest() == GOLDEN_BITS
    x = torch.linspace(0, 2, 100_001)
    nearest_floats = torch.tensor([math.sqrt(square) for square in (x * x).tolist()])
    assert torch.equal(length(x, torch.zeros_like(x)), nearest_floats)


def test_splits_are_disjoint() -> None:
    ranges = sorted(SPLITS.values(), key=lambda split: split.start)
    assert set(SPLITS) == {"train", "validation", "test"}
    assert all(a.stop <= b.start for a, b in pairwise(ranges))


@pytest.mark.parametrize("size", [32, 33, 64])
def test_a_face_has_the_same_bits_alone_and_in_any_batch(size: int) -> None:
    index = torch.arange(150)  # more than is drawn at once
    images, attributes = faces(5, index, size)
    for i in (0, 7, 101, 149):
        alone, row = faces(5, torch.tensor([i]), size)
        assert torch.equal(alone[0], images[i])
        assert torch.equal(row[0], attributes[i])
    assert torch.equal(faces(5, index.flip(0)[:37], size)[0].flip(0), images[-37:])
    assert not torch.equal(faces(6, index[:1], size)[0], images[:1])


def test_every_size_shows_the_same_picture() -> None:
    small, _ = faces(2, torch.arange(24), 64)
    large, _ = faces(2, torch.arange(24), 256)
    difference = (torch.nn.functional.avg_pool2d(large, 4) - small).abs()
    assert difference.mean() < 0.008
    assert difference.flatten(1).mean(1).max() < 0.015


def test_edges_are_smooth() -> None:
    # A shift by a tenth of a pixel changes edge pixels by a tenth of their contrast, not all or nothing.
    attributes, nuisances = posed(hair_length="long", background="white")
    moved = nuisances.clone()
    moved[0, list(NUISANCES).index("x")] += 0.1 * 2 / 64
    step = (render(attributes, moved) - render(attributes, nuisances)).abs()
    assert 0 < step.max() < 0.45
    assert (step > 0.02).any(dim=1).sum() > 50


def test_images_fill_the_range() -> None:
    images, _ = faces(0, torch.arange(64))
    assert images.dtype == torch.float32
    assert -1 <= images.min() < -0.8
    assert 0.9 < images.max() <= 1


def test_the_head_stays_within_the_picture() -> None:
    ranges = torch.tensor(list(NUISANCES.values()))
    corners = torch.cartesian_prod(*[torch.tensor([0, 1])] * 5)  # x, y, scale, tilt, face_width
    nuisances = ranges.mean(1).repeat(len(corners), 1)
    nuisances[:, :5] = torch.stack([ranges[i, corners[:, i]] for i in range(5)], dim=1)
    attributes = encode(PLAIN | {"hair_length": "long", "hat": "yes"}).expand(len(corners), -1)
    images = render(attributes, nuisances, 64)
    border = torch.cat([images[:, :, 0], images[:, :, :44, 0], images[:, :, :44, -1]], dim=2)
    torch.testing.assert_close(border, border[:, :, :1].expand_as(border), atol=1e-5, rtol=0)


def test_the_corner_shows_the_background() -> None:
    images, attributes = faces(8, torch.arange(200), 32)
    column = attributes[:, list(ATTRIBUTES).index("background")]
    corner = (images[:, :, 0, 0] + 1) / 2
    assert [nearest(color, palette.BACKGROUND) for color in corner] == column.tolist()


@pytest.mark.parametrize("hat", ATTRIBUTES["hat"])
@pytest.mark.parametrize("hair_length", ATTRIBUTES["hair_length"])
@pytest.mark.parametrize("hair_color", ATTRIBUTES["hair_color"])
def test_hair_shows_its_colour_even_under_a_hat(hair_color: str, hair_length: str, hat: str) -> None:
    image = draw(hair_color=hair_color, hair_length=hair_length, hat=hat)
    colors = torch.cat([palette.HAIR, palette.SKIN, palette.BACKGROUND])
    for x, y in ((0.0, -0.28), (-0.43, -0.15), (0.43, -0.15)):
        assert nearest(at(image, x, y), colors) == ATTRIBUTES["hair_color"].index(hair_color)


@pytest.mark.parametrize("skin", ATTRIBUTES["skin"])
@pytest.mark.parametrize("beard", ATTRIBUTES["beard"])
def test_the_face_shows_its_skin(skin: str, beard: str) -> None:
    image = draw(skin=skin, beard=beard, hat="yes")
    for x in (-0.09, 0.09):
        assert nearest(at(image, x, 0.09), palette.SKIN) == ATTRIBUTES["skin"].index(skin)


def test_long_hair_hangs_where_short_hair_shows_background() -> None:
    for x in (-0.46, 0.46):
        torch.testing.assert_close(at(draw(hair_length="long"), x, 0.45), palette.HAIR[1])
        torch.testing.assert_close(at(draw(hair_length="short"), x, 0.45), palette.BACKGROUND[4])


def test_beard_covers_the_chin_and_leaves_the_mouth() -> None:
    bearded, shaven = draw(beard="yes"), draw(beard="no")
    torch.testing.assert_close(at(bearded, 0.0, 0.44), palette.HAIR[1] * 0.9)
    torch.testing.assert_close(at(shaven, 0.0, 0.44), palette.SKIN[0])
    torch.testing.assert_close(at(bearded, 0.0, 0.26), at(shaven, 0.0, 0.26))


@pytest.mark.parametrize("skin", ATTRIBUTES["skin"])
def test_glasses_stand_out_on_every_skin(skin: str) -> None:
    change = (draw(64, skin=skin, glasses="yes") - draw(64, skin=skin)).abs().amax(0)
    assert (change > 0.15).sum() > 80


@pytest.mark.parametrize("beard", ATTRIBUTES["beard"])
@pytest.mark.parametrize("skin", ATTRIBUTES["skin"])
def test_mouth_corners_go_up_or_down_with_the_expression(skin: str, beard: str) -> None:
    bare = palette.SKIN[ATTRIBUTES["skin"].index(skin)]

    def lower_lip(image: Tensor, x: float) -> float:
        heights = torch.linspace(0.22, 0.38, 80).tolist()
        return max(y for y in heights if (at(image, x, y) - bare).abs().sum() > 0.2)

    bend = {}
    for expression in ATTRIBUTES["expression"]:
        image = draw(256, skin=skin, beard=beard, expression=expression)
        bend[expression] = lower_lip(image, 0.09) - lower_lip(image, 0.0)
    assert bend["smiling"] < -0.015
    assert abs(bend["neutral"]) < 0.005
    assert bend["frowning"] > 0.015


# Where (in the head's x and y: left, top, right, bottom) a picture may change when one attribute does.
REGIONS = {
    ("hair_length", "long"): (-0.75, -0.70, 0.75, 0.80),
    ("glasses", "yes"): (-0.46, -0.22, 0.46, 0.16),
    ("hat", "yes"): (-0.56, -0.94, 0.56, -0.20),
    ("beard", "yes"): (-0.50, -0.02, 0.50, 0.58),
    ("expression", "smiling"): (-0.32, -0.28, 0.32, 0.42),
    ("expression", "frowning"): (-0.32, -0.28, 0.32, 0.42),
}


@pytest.mark.parametrize("name, value", REGIONS)
def test_one_attribute_changes_its_own_region_only(name: str, value: str) -> None:
    left, top, right, bottom = REGIONS[name, value]
    change: dict[str, Any] = {name: value}
    changed = (draw(64, **change) - draw(64)).abs().amax(0) > 1e-3
    centres = (torch.arange(64) + 0.5) / 32 - 1
    x, y = centres[None, :], centres[:, None] - HEAD_CENTRE
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    assert changed[inside].sum() > 30
    assert not changed[~inside].any()


def test_background_and_skin_and_hair_colour_do_not_touch_one_another() -> None:
    plain = draw()
    changes: list[tuple[dict[str, Any], list[tuple[float, float]]]] = [
        ({"background": "navy"}, [(0.0, 0.1), (0.0, -0.4), (0.0, 0.75), (0.175, 0.0)]),
        ({"skin": "dark"}, [(0.0, -0.4), (-0.9, -0.9), (-0.5, 0.82)]),
        ({"hair_color": "green"}, [(0.0, 0.1), (-0.9, -0.9), (-0.5, 0.82), (0.0, 0.26)]),
    ]
    for change, unchanged in changes:
        image = draw(**change)
        assert (image - plain).abs().mean() > 0.01
        for x, y in unchanged:
            torch.testing.assert_close(at(image, x, y), at(plain, x, y), atol=1e-5, rtol=0)


def test_bad_input_names_the_remedy() -> None:
    attributes, nuisances = posed()
    with pytest.raises(SDGError, match=r"attributes must be \(N, 8\), got \(1, 7\)"):
        render(attributes[:, :7], nuisances)
    with pytest.raises(SDGError, match="nuisances must be"):
        render(attributes, nuisances[:, :3])
    with pytest.raises(SDGError, match=r"hair_color must be in 0\.\.6"):
        render(attributes + 7, nuisances)
    with pytest.raises(SDGError, match="at least 8 pixels"):
        render(attributes, nuisances, 4)
    with pytest.raises(SDGError, match=r"unknown attribute 'hair_colour'; did you mean 'hair_color'\?"):
        encode({"hair_colour": "red"})
    with pytest.raises(SDGError, match=r"unknown hair_color 'blonde'; did you mean 'blond'\?"):
        encode({"hair_color": "blonde"})
    with pytest.raises(SDGError, match="add hair_length, skin"):
        encode({"hair_color": "red"})


def test_no_faces_is_a_valid_number_of_faces() -> None:
    assert faces(0, torch.arange(0), 16)[0].shape == (0, 3, 16, 16)
