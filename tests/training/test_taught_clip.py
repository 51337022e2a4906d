"""A few parts of one CLIP's image tower learn from another's."""

import copy

import pytest
import torch

from sdg.errors import SDGError
from sdg.randomness import seed_torch
from sdg.training.objectives import Distillation, shift_loss
from sdg.training.optimisation import Optimisation
from sdg.training.taught_clip import TaughtCLIPTraining
from tests.training.test_clip import tiny_clip


def pair() -> tuple[TaughtCLIPTraining, dict]:
    seed_torch("taught clip", 0)
    clip, teacher = tiny_clip(), tiny_clip()
    objective = Distillation(cosine=2.0, shift=3.0, even=True)
    parts = ["layer3", "attnpool.c_proj"]
    training = TaughtCLIPTraining(clip, teacher, Optimisation(lr=1.0), parts, objective)
    return training, {"image": torch.rand(4, 3, 32, 32), "family": 2, "step": 0}


def test_the_loss_is_the_objectives_of_both_towers(monkeypatch: pytest.MonkeyPatch):
    training, batch = pair()
    training.eval()
    teacher = copy.deepcopy(training._teacher[0])
    seen, shown = training.clip.encode_image(batch["image"]), teacher.encode_image(batch["image"])
    logits = 100 * seen @ shown.T
    contrast = -(logits.log_softmax(1).diagonal().mean() + logits.log_softmax(0).diagonal().mean())
    missed = (1 - (seen * shown).sum(1)).mean()
    logged: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(training, "log_dict", lambda values, **_: logged.update(values))
    loss = training.train().training_step(batch, 0)
    assert loss.item() == pytest.approx(
        (contrast + 2 * missed + 3 * shift_loss(seen, shown, even=True)).item(), rel=1e-5
    )
    assert logged["train/cosine"].item() == pytest.approx(1 - missed.item(), rel=1e-5)


def test_only_the_named_parts_learn_and_no_statistics_move(monkeypatch: pytest.MonkeyPatch):
    training, batch = pair()
    monkeypatch.setattr(training, "log_dict", lambda *_, **__: None)
    before = copy.deepcopy(training.clip.state_dict())
    training.train().training_step(batch, 0).backward()
    learning = {name for name, x in training.clip.model.visual.named_parameters() if x.grad is not None}
    assert {name.split(".")[0] for name in learning} == {"layer3", "attnpool"}
    assert all(name.startswith(("layer3.", "attnpool.c_proj.")) for name in learning)
    for name, value in training.clip.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_words_are_the_teachers_and_pictures_are_not():
    training, _ = pair()
    own, teacher = training.clip.model.state_dict(), training._teacher[0].model.state_dict()
    before = {name: value.clone() for name, value in own.items()}
    training.setup("fit")
    for name, value in training.clip.model.state_dict().items():
        assert torch.equal(value, (before if name.startswith("visual.") else teacher)[name]), name
    assert not torch.equal(own["token_embedding.weight"], before["token_embedding.weight"])


def test_parts_it_does_not_have_are_named():
    with pytest.raises(SDGError, match=r"model\.image_tower names layer9, which has no weights"):
        TaughtCLIPTraining(tiny_clip(), tiny_clip(), Optimisation(lr=1.0), ["layer9"])
