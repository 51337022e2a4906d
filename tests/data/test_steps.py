"""The order of the training pictures, epoch by epoch."""

import pytest
import torch

from sdg.data.file_pictures import FilePictures
from sdg.data.steps import StepSampler


def epochs(items: int, count: int, seed: int = 0, batch_size: int = 1) -> list[list[int]]:
    """The orders of the first epochs, from batches that run over their ends."""
    steps = -(-items * count // batch_size)
    seen = [index for _, batch in StepSampler(items, batch_size, steps, seed) for index in batch]
    return [seen[i * items : (i + 1) * items] for i in range(count)]


def test_every_epoch_has_every_picture_once_in_an_order_of_its_own():
    orders = epochs(40, 5, batch_size=7)
    assert all(sorted(order) == list(range(40)) for order in orders)
    # Two shuffles of 40 agree in one place on average; in eight, once in 100,000 pairs.
    pairs = [(a, b) for i, a in enumerate(orders) for b in [*orders[:i], list(range(40))]]
    assert all(sum(x == y for x, y in zip(*pair, strict=True)) < 8 for pair in pairs)


def test_the_order_depends_on_the_seed_alone():
    assert epochs(40, 2, batch_size=7) == epochs(40, 2, batch_size=3) == epochs(40, 2)
    first, second = epochs(40, 1, seed=0)[0], epochs(40, 1, seed=1)[0]
    assert sum(x == y for x, y in zip(first, second, strict=True)) < 8


@pytest.mark.parametrize("start", [0, 3, 9])
def test_a_later_start_goes_on_in_the_same_order(start: int):
    whole = list(StepSampler(60, 7, 20, seed=5))
    assert [step for step, _ in whole] == list(range(20))
    assert list(StepSampler(60, 7, 20, seed=5, start=start)) == whole[start:]


class Pixel:
    """One grey picture, over and over."""

    def __len__(self) -> int:
        return 1500

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.zeros(3, 1, 1, dtype=torch.uint8)


def test_half_of_the_pictures_are_mirrored_others_at_another_step_and_seed():
    def mirrored(step: int, seed: int) -> torch.Tensor:
        return FilePictures(Pixel(), range(1500), True, seed=seed)[step, range(1500)]["flipped"].float()

    first = mirrored(0, 0)
    assert abs(first.mean() - 0.5) < 0.05  # four standard deviations
    for other in (mirrored(1, 0), mirrored(0, 1)):
        assert abs((first == other).float().mean() - 0.5) < 0.05
