"""A teacher that remembers says what it would have said, and looks at every view of a picture once."""

import torch
from torch import Tensor

from sdg.randomness import keyed_generator
from sdg.training.teacher_cache import TeacherCache


class Teacher:
    """Embeds by a fixed projection, and counts the images it has seen."""

    def __init__(self) -> None:
        self.weights = torch.randn(3 * 8 * 8, 5, generator=keyed_generator("teacher"))
        self.seen = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return images.flatten(1) @ self.weights


def test_a_cached_teacher_answers_as_the_teacher_and_looks_once():
    pictures = torch.randn(6, 3, 8, 8, generator=keyed_generator("pictures"))
    teacher, generator = Teacher(), keyed_generator("order")
    cache = TeacherCache(teacher)
    for _ in range(30):
        index = torch.randint(6, (4,), generator=generator)
        flipped = torch.rand(4, generator=generator) < 0.5
        images = torch.where(flipped[:, None, None, None], pictures[index].flip(-1), pictures[index])
        expected = images.flatten(1) @ teacher.weights
        torch.testing.assert_close(cache(images, index, flipped), expected)
    assert teacher.seen == len(cache) == 12
