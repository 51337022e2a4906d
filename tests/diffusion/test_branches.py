"""Prior and guide side by side: at once, on half of the threads each, with no trace but the time."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from sdg.diffusion.branches import InTurn, SideBySide, branches
from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import Moment, walk
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline

Guide = Callable[[Tensor, Level], Tensor | None]


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


class Prior(nn.Module):
    """Predicts half of what it sees, once ``meet`` has returned."""

    def __init__(self, meet: Callable[[], object] = lambda: None):
        super().__init__()
        self.meet = meet

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.meet()
        return 0.5 * x


def chain(prior: Prior, guide: Guide | None, sampler: Sampler | None = None) -> Iterator[Moment]:
    schedule = NoiseSchedule.linear()
    denoiser = Denoiser(prior, schedule, 4, parameterisation="x0")
    keys = [(0, 0), (0, 1)]
    timeline = Timeline(schedule, 3)
    return walk(denoiser, sampler or DDPM(), timeline, NoiseSource(keys), guide, side_by_side=True)


def zero(x: Tensor, level: Level) -> Tensor:
    return torch.zeros_like(x)


def others() -> int:
    """Threads of ours beside the main one."""
    return sum(thread.name.startswith("prior") for thread in threading.enumerate())


def test_prior_and_guide_run_at_once_on_half_of_the_threads_each() -> None:
    meeting, seen = threading.Barrier(2, timeout=20), []

    def meet() -> None:
        meeting.wait()
        seen.append((threading.current_thread().name[:5], torch.get_num_threads()))

    def guide(x: Tensor, level: Level) -> Tensor:
        meeting.wait()  # would wait in vain for a prior that had its turn before, or after
        seen.append(("guide", torch.get_num_threads()))
        return zero(x, level)

    for moment in chain(Prior(meet), guide):
        assert torch.get_num_threads() == 4, "between steps, the threads are whoever asks for moments"
        assert sorted(seen) == [("guide", 2), ("prior", 2)]
        seen.clear()
        assert moment.x_s.isfinite().all()
    assert not others()


def test_unguided_steps_are_computed_with_as_many_threads() -> None:
    seen = []
    list(chain(Prior(lambda: seen.append(torch.get_num_threads())), None))
    assert seen == [2, 2, 2]


def test_a_rule_that_guides_elsewhere_waits_for_the_prior() -> None:
    """The textbook form asks for the gradient at the mean, which the prior must first have said."""
    ready = threading.Event()

    def guide(x: Tensor, level: Level) -> Tensor:
        assert ready.is_set()
        ready.clear()
        return zero(x, level)

    assert len(list(chain(Prior(ready.set), guide, DDPM(gradient_at="mean")))) == 3


@pytest.mark.parametrize("sampler", [DDPM(), DDIM()])
def test_the_pictures_are_those_of_one_after_the_other(sampler: Sampler) -> None:
    schedule = NoiseSchedule.linear()
    denoiser = Denoiser(Prior(), schedule, 4, parameterisation="x0")

    def drawn(apart: bool) -> Tensor:
        *_, last = walk(
            denoiser,
            sampler,
            Timeline(schedule, 5),
            NoiseSource([(0, 0)]),
            lambda x, level: level.progress - x,
            side_by_side=apart,
        )
        return last.x_s

    assert torch.equal(drawn(True), drawn(False))


def test_what_the_prior_raises_is_raised_to_whoever_draws() -> None:
    def fail() -> None:
        raise ValueError("too wide")

    for guide in (zero, None):
        with pytest.raises(ValueError, match="too wide"):
            next(chain(Prior(fail), guide))
        assert not others()
        assert torch.get_num_threads() == 4


def test_what_ends_the_guide_ends_the_prior_too_once_it_has_answered() -> None:
    """As a signal does, which the main thread takes: nothing of the chain goes on."""
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def slow() -> None:
        begun.set()
        may_end.wait(20)
        ended.append(True)

    def guide(x: Tensor, level: Level) -> Tensor:
        begun.wait(20)
        threading.Timer(0.05, may_end.set).start()
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        next(chain(Prior(slow), guide))
    assert ended == [True]
    assert not others()
    assert torch.get_num_threads() == 4


def test_a_chain_that_is_left_early_leaves_no_thread() -> None:
    moments = chain(Prior(), zero)
    next(moments)
    assert others() == 1
    moments.close()  # type: ignore[attr-defined]
    assert not others()


def test_one_thread_takes_turns_and_so_does_a_gpu() -> None:
    assert isinstance(branches("cpu", True), SideBySide)
    assert type(branches("cpu", False)) is InTurn
    assert type(branches("cuda", True)) is InTurn
    torch.set_num_threads(1)
    assert type(branches("cpu", True)) is InTurn


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_tiny_numbers_are_nothing_within_a_step_and_as_before_outside(before: bool, apart: bool) -> None:
    """A processor takes a hundred times as long for them."""

    def nothing() -> bool:
        return bool(torch.full((64,), 1e-39).mul(1).eq(0).all())

    if not torch.set_flush_denormal(before):
        pytest.skip("runs on a processor that can take numbers too small to be normal for 0")
    seen, schedule = [], NoiseSchedule.linear()

    def guide(x: Tensor, level: Level) -> Tensor:
        seen.append(nothing())
        return zero(x, level)

    denoiser = Denoiser(Prior(lambda: seen.append(nothing())), schedule, 4, parameterisation="x0")
    noise = NoiseSource([(0, 0)])
    try:
        for _ in walk(denoiser, DDPM(), Timeline(schedule, 2), noise, guide, side_by_side=apart):
            assert nothing() == before
        assert seen == [True] * 4
    finally:
        torch.set_flush_denormal("SDG_TEST_FLUSH_DENORMALS" in os.environ)
