"""A few steps of training CLIP and its time-dependent copy are what a few lines in float64 say they are."""

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.networks.clip import CLIP, small_clip
from sdg.networks.time_clip import TimeResNet
from sdg.networks.time_encoder import from_clip
from sdg.randomness import keyed_generator
from sdg.training.clip import CLIPTraining
from sdg.training.clip_losses import clip_loss
from sdg.training.objectives import distillation_loss
from sdg.training.ranks import Ranks
from sdg.training.time_clip import TimeCLIPTraining
from tests.training.by_hand import RATES, STEPS, ByHand, cross_entropy, double, fit, same
from tests.training.test_golden_prior import ALPHA_BAR, optimisation

SEED, ROWS, SIZE = 5, 4, 32
WORDS = ["a", "face", "red", "blue", "hat", "no"]
CAPTIONS = ["a red face", "a blue hat", "a red face", "no hat"]
DESCRIPTIONS = ["red face no hat", "blue hat", "a red face", "no hat unheard"]


def clip() -> CLIP:
    module = double(
        lambda: small_clip(
            WORDS,
            image_size=SIZE,
            embed_dim=8,
            vision={"layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
            text={"context_length": 8, "width": 8, "heads": 2, "layers": 1},
        )
    )
    assert isinstance(module, CLIP)
    return module


def pictures(step: int) -> Tensor:
    """Some of six pictures, so that all come more than once."""
    every = torch.rand(6, 3, SIZE, SIZE, generator=keyed_generator("six")).double() * 2 - 1
    return every[rows(step)]


def rows(step: int) -> Tensor:
    return (torch.arange(ROWS) + step * ROWS) % 6


def pretraining_loss(clip: CLIP, words: torch.nn.Linear, step: int) -> tuple[Tensor, Tensor]:
    """CLIP's loss with shared targets, and the words' binary cross-entropy summed over the vocabulary."""
    generator = keyed_generator("clip", SEED, step)
    tokens = clip.tokenizer(CAPTIONS)
    shared = torch.tensor([[float(torch.equal(a, b)) for b in tokens] for a in tokens]).double()
    shared = shared / shared.sum(dim=1, keepdim=True)
    for row, chances in zip(tokens, torch.rand(ROWS, 8, generator=generator), strict=True):
        for place, chance in enumerate(chances):
            if chance < 0.3 and row[place] in [2 + i for i in range(len(WORDS))]:
                row[place] = 1
    image = clip.encode_image(pictures(step))
    text = clip.model.encode_text(tokens)
    logits = clip.model.logit_scale.exp() * image @ (text / text.norm(dim=1, keepdim=True)).T
    contrast = (cross_entropy(logits, shared) + cross_entropy(logits.T, shared)) / 2
    bags = torch.zeros(ROWS, 2 + len(WORDS) + 2).double()
    for i, text in enumerate(DESCRIPTIONS):
        for word in text.split():
            bags[i, 2 + WORDS.index(word) if word in WORDS else 1] = 1
    chance = words(image * math.sqrt(8)).sigmoid()
    return contrast, -(bags * chance.log() + (1 - bags) * (1 - chance).log()).sum() / ROWS


@pytest.mark.parametrize("word_loss", [0.0, 0.7])
@pytest.mark.parametrize("logit_scale", [2.0, 4.7])
def test_clip(word_loss: float, logit_scale: float):
    model = clip()
    model.model.logit_scale.data.fill_(logit_scale)
    module = CLIPTraining(copy.deepcopy(model), optimisation(), word_loss, word_dropout=0.3, seed=SEED)
    words = copy.deepcopy(module.words).double()
    texts = {"captions": CAPTIONS, "descriptions": DESCRIPTIONS}
    record = fit(module, [{"image": pictures(step), "step": step, **texts} for step in range(STEPS)])

    hand, losses = ByHand([*model.parameters(), *words.parameters()]), []
    for step in range(STEPS):
        contrast, of_words = pretraining_loss(model, words, step)
        loss = contrast + word_loss * of_words
        losses.append(float(loss.detach()))
        hand.step(loss)
        with torch.no_grad():
            model.model.logit_scale.clamp_(max=4.6052)
    assert record.losses == pytest.approx(losses, rel=1e-6)
    assert record.rates == pytest.approx(RATES)
    same(module.exported(), model)


def fine_tuning(
    batches: list[dict], cache: bool, **settings: Any
) -> tuple[TimeCLIPTraining, TimeResNet, list[int]]:
    """The training, a copy of its student before it, and how many pictures the teacher sees at a time."""
    small = {"layers": [1, 1, 1, 1], "width": 4, "heads": 4, "output_dim": 8, "image_size": SIZE}
    student = double(lambda: TimeResNet(**small, sinusoid_dim=8, time_dim=8))
    teacher = clip()

    def encoder(visual: torch.nn.Module) -> TimeResNet:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            return from_clip(visual, student, modulation="default")

    module = TimeCLIPTraining(
        teacher, encoder, NoiseSchedule.linear(), optimisation(), cache_teacher=cache, seed=SEED, **settings
    )
    before = copy.deepcopy(module.encoder)
    seen: list[int] = []
    original = teacher.encode_image

    def counting(images: Tensor) -> Tensor:
        seen.append(len(images))
        return original(images)

    teacher.encode_image = counting  # type: ignore[method-assign]
    return module, before, seen


@pytest.mark.parametrize("cache", [False, True])
def test_time_dependent_clip(cache: bool):
    batches = [
        {
            "image": pictures(step),
            "step": step,
            "index": rows(step),
            "flipped": torch.zeros(ROWS, dtype=torch.bool),
        }
        for step in range(STEPS)
    ]
    module, student, seen = fine_tuning(batches, cache)
    record = fit(module, batches)
    assert seen == ([ROWS, 2] if cache else [ROWS] * STEPS)

    teacher, hand, losses, drawn = clip().eval(), ByHand(student.parameters()), [], []
    for step in range(STEPS):
        generator = keyed_generator("time clip", SEED, step)
        t = torch.randint(1000, (ROWS,), generator=generator)
        drawn += t.tolist()
        noise = torch.randn(ROWS, 3, SIZE, SIZE, generator=generator).double()
        a = ALPHA_BAR[t].view(-1, 1, 1, 1)
        with torch.no_grad():
            target = teacher.encode_image(pictures(step))
        pooled = student.train()(a.sqrt() * pictures(step) + (1 - a).sqrt() * noise, t).pooled
        logits = 100 * pooled / pooled.norm(dim=1, keepdim=True) @ target.T
        loss = cross_entropy(logits, torch.eye(ROWS).double())
        loss = loss + cross_entropy(logits.T, torch.eye(ROWS).double())
        losses.append(float(loss.detach()))
        hand.step(loss)
    assert record.losses == pytest.approx(losses, rel=1e-6)
    assert record.norms == pytest.approx(hand.norms, rel=1e-6)
    same(module.exported(), student)
    assert max(drawn) > 900


def test_logits_are_compared_in_full_precision_under_autocast():
    """Rounded to bfloat16, a logit near 100 is known to the nearest half: much of the gradient is noise."""
    generator = keyed_generator("similar")
    student = F.normalize(torch.randn(16, 8, generator=generator) + 2, dim=1)
    teacher = F.normalize(student + 0.05 * torch.randn(16, 8, generator=generator), dim=1)
    tokens = torch.arange(16)[:, None]
    for loss in (distillation_loss, lambda a, b: clip_loss(a, b, torch.tensor(100.0), tokens)):
        results = []
        for enabled in (False, True):
            a = student.clone().requires_grad_()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                value = loss(a, teacher)
            results.append((value.detach(), *torch.autograd.grad(value, a)))
        torch.testing.assert_close(*results)


def test_of_a_student_only_the_parts_that_learn_change():
    parts = ["layer4.0.conv1", "attn_pool.c_proj"]
    module, before, _ = fine_tuning([], cache=False, learns=parts, batchnorm="frozen")
    fit(module, [{"image": pictures(step), "step": step} for step in range(2)])
    after = module.encoder.state_dict()
    changed = {name for name, value in before.state_dict().items() if not value.equal(after[name])}
    assert changed == {"layer4.0.conv1.weight", "attn_pool.c_proj.weight", "attn_pool.c_proj.bias"}
    with pytest.raises(SDGError, match=r"with model\.batchnorm=train more than model\.learns changes"):
        fine_tuning([], cache=False, learns=parts)
    with pytest.raises(SDGError, match=r"model\.learns names layer5, which has no weights here"):
        fine_tuning([], cache=False, learns=["layer5"], batchnorm="frozen")


@pytest.mark.parametrize("paired", [True, False])
def test_siblings_share_level_and_noise(paired: bool, monkeypatch: pytest.MonkeyPatch):
    """Only the attribute is between them, and the objective is told so."""
    module, _, _ = fine_tuning([], cache=False)
    drawn: list[tuple[Tensor, Tensor]] = []
    told: list[bool] = []
    original = NoiseSchedule.diffuse

    def diffuse(self: NoiseSchedule, clean: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        drawn.append((t, noise))
        return original(self, clean, t, noise)

    def objective(student: Tensor, teacher: Tensor, paired: bool = False) -> tuple[Tensor, Tensor]:
        told.append(paired)
        return student.sum(), student.sum()

    monkeypatch.setattr(NoiseSchedule, "diffuse", diffuse)
    module.objective = objective
    batch = {"image": pictures(0), "step": 0, "family": 2 if paired else 1}
    module._loss(batch, keyed_generator("siblings"), Ranks(), None)
    ((t, noise),) = drawn
    assert told == [paired]
    assert t[::2].equal(t[1::2]) == paired
    assert noise[::2].equal(noise[1::2]) == paired
    assert not noise[:2].equal(noise[2:])
