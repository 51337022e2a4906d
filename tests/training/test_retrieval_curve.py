"""The retrieval curve of a training: what it searches, what it costs, and in which precision."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.diffusion.schedule import NoiseSchedule
from sdg.networks.clip import CLIP
from sdg.networks.time_clip import TimeResNet
from sdg.randomness import keyed_generator
from sdg.training.retrieval_curve import Search, levels
from tests.tiny import make_weights
from tests.training.test_runs import run


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """How many pictures teacher and student see without a gradient, at a time, and whether autocast is on."""
    seen: dict[str, list[int]] = {"teacher": [], "student": [], "autocast": []}
    original = {"teacher": CLIP.encode_image, "student": TimeResNet.forward}

    def counting(name: str) -> Any:
        def count(self: nn.Module, images: Tensor, *rest: Any) -> Any:
            if not torch.is_grad_enabled():
                seen[name].append(len(images))
                seen["autocast"].append(int(torch.is_autocast_enabled("cpu")))
            return original[name](self, images, *rest)  # type: ignore[operator]

        return count

    monkeypatch.setattr(CLIP, "encode_image", counting("teacher"))
    monkeypatch.setattr(TimeResNet, "forward", counting("student"))
    return seen


def test_it_costs_eleven_passes_of_few_pictures_and_plain_clip_once(tmp_path: Path, calls):
    """Twice three steps and a validation of 8 pictures in batches of 4, of which the curve takes 6."""
    weights = make_weights(tmp_path / "weights")[-2]
    figure = ["callbacks.figure.pictures=6", "trainer.precision=bf16-mixed"]
    run("toyfaces_clip", tmp_path / "run", 6, weights, *figure)
    validation, student = [4, 4], [4, 2] * 11
    assert calls["student"] == 2 * (validation + student)
    once = [4, 2] + [4, 2] * 11
    training = [4] * 3
    assert calls["teacher"] == training + validation + once + training + validation
    assert set(calls["autocast"]) == {1}
    record = json.loads((tmp_path / "run" / "figures" / "retrieval.json").read_text())
    assert record["pool"] == 6
    assert record["step"] == 6


def test_a_search_among_a_few_by_hand():
    """The noise of level t is known, and so is who is nearest."""
    schedule, generator = NoiseSchedule.linear(50), keyed_generator("pool")
    batches = [torch.rand(3, 1, 2, 2, generator=generator) for _ in range(2)]
    pool = torch.cat(batches).flatten(1)
    search = Search(schedule, batches)

    def embed(x_t: Tensor, t: Tensor) -> Tensor:
        return x_t.flatten(1)

    clean = search.clean(lambda images: images.flatten(1))
    torch.testing.assert_close(clean, F.normalize(pool, dim=1))
    expected = []
    for t in levels(schedule):
        a = schedule.alpha_bar[t].float()
        noised = []
        for i, images in enumerate(batches):
            noise = torch.randn(images.shape, generator=keyed_generator("retrieval", t, i))
            noised.append((a.sqrt() * images + (1 - a).sqrt() * noise).flatten(1))
        nearest = (F.normalize(torch.cat(noised), dim=1) @ F.normalize(pool, dim=1).T).argmax(dim=1)
        expected.append(float((nearest == torch.arange(6)).double().mean()))
    assert search.curve(embed, clean) == pytest.approx(expected)
    assert 0 < sum(expected) < 11


def test_embeddings_are_compared_in_float32_whatever_they_are_made_in():
    """In bfloat16 these would tie, and a tie finds nothing."""
    close = F.normalize(1 + 0.01 * torch.eye(4), dim=1)
    for context in (nullcontext, lambda: torch.autocast("cpu", torch.bfloat16)):
        search = Search(NoiseSchedule.linear(), [torch.zeros(4, 1, 2, 2)], context)
        assert search.curve(lambda x_t, _: close, close) == [1.0] * 11
