"""The order and the mirroring of training pictures: others in every epoch, by the seed; half are mirrored."""

import pytest

from sdg.data.file_pictures import FilePictures
from sdg.data.steps import StepSampler

ITEMS = 60


def epochs(seed: int, count: int) -> list[list[int]]:
    """The pictures of the first ``count`` epochs, in batches of seven that do not divide them."""
    flat = [index for _, batch in StepSampler(ITEMS, 7, -(-ITEMS * count // 7), seed) for index in batch]
    return [flat[ITEMS * epoch : ITEMS * (epoch + 1)] for epoch in range(count)]


def test_every_epoch_holds_every_picture_in_an_order_of_its_own():
    orders = [order for seed in (0, 1) for order in epochs(seed, 3)]
    assert all(sorted(order) == list(range(ITEMS)) for order in orders)
    assert len({tuple(order) for order in orders}) == 6
    # Independent orders agree in one place on average: two or more rarely, a third of them never.
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert sum(a == b for a, b in zip(one, other, strict=True)) < 8
    assert epochs(1, 3) == orders[3:]


@pytest.mark.parametrize("start", [0, 3, 9])
def test_a_later_start_goes_on_in_the_same_order(start: int):
    whole = list(StepSampler(ITEMS, 7, 20, seed=5))
    assert [step for step, _ in whole] == list(range(20))
    assert list(StepSampler(ITEMS, 7, 20, seed=5, start=start)) == whole[start:]


def test_half_of_the_views_are_mirrored_by_seed_step_and_index():
    def mirrored(seed: int, step: int) -> list[bool]:
        pictures = FilePictures([], range(ITEMS), flip=True, seed=seed)  # type: ignore[arg-type]
        return [pictures._mirrored(step, index) for index in range(500)]

    views = [mirrored(*key) for key in ((0, 0), (0, 1), (1, 0), (1, 1), (7, 10), (9, 3))]
    assert len(set(map(tuple, views))) == 6
    share = sum(map(sum, views)) / 3000
    assert share == pytest.approx(0.5, abs=0.03)  # three standard deviations
    assert mirrored(0, 1) == views[1]
