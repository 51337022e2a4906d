"""Training CLIP on image-caption pairs."""

import pytest
import torch
from pytorch_lightning import LightningModule

from sdg.errors import SDGError
from sdg.networks.clip import CLIP, small_clip
from sdg.networks.tokenizer import StrictTokenizer
from sdg.randomness import keyed_generator
from sdg.training.clip import CLIPTraining
from sdg.training.optimisation import Optimisation


def tiny_clip() -> CLIP:
    return small_clip(
        ["face"],
        image_size=32,
        embed_dim=8,
        vision={"layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        text={"width": 8, "heads": 2, "layers": 1},
    )


def test_a_tokenizer_of_byte_pairs_is_refused():
    spelling = StrictTokenizer(lambda texts, context_length: torch.zeros(len(texts), context_length), 32)
    with pytest.raises(SDGError, match=r"words as tokens: make it with sdg\.networks\.clip\.small_clip"):
        CLIPTraining(CLIP(tiny_clip().model, spelling, 32), Optimisation(lr=1e-3))


@pytest.mark.parametrize(
    "name, what",
    [
        ("pair_loss", r"siblings: give data\.siblings"),
        ("margin_loss", r"siblings: give data\.siblings"),
        ("family_loss", r"fours: give data\.crossed"),
        ("angle_loss", r"fours: give data\.crossed"),
    ],
)
def test_families_are_asked_of_data_that_has_them(name: str, what: str):
    training = CLIPTraining(tiny_clip(), Optimisation(lr=1e-3), **{name: 1.0})
    batch = {
        "image": torch.zeros(2, 3, 32, 32),
        "captions": ["face"] * 2,
        "descriptions": ["face"] * 2,
        "step": 0,
    }
    with pytest.raises(SDGError, match=rf"model\.{name} compares {what}"):
        training.training_step(batch, 0)


@pytest.mark.parametrize(
    "image_tower, learns",
    [(["layer4.0", "attnpool"], {"layer4", "attnpool"}), (["attnpool"], {"attnpool"}), ([], set())],
)
def test_what_is_frozen_of_the_image_tower_keeps_its_weights_and_statistics(
    monkeypatch: pytest.MonkeyPatch, image_tower: list[str], learns: set[str]
):
    clip = tiny_clip()
    training = CLIPTraining(clip, Optimisation(lr=0.1), margin_loss=1.0, image_tower=image_tower).train()
    monkeypatch.setattr(training, "log_dict", lambda *_, **__: None)
    before = {name: value.clone() for name, value in clip.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in training.parameters() if p.requires_grad], lr=0.1)
    batch = {
        "image": torch.randn(4, 3, 32, 32, generator=keyed_generator("frozen")),
        "captions": ["face", "face face", "face", "a face"],
        "descriptions": ["face"] * 4,
        "step": 0,
        "family": 2,
    }
    training.training_step(batch, 0).backward()
    optimizer.step()
    changed = {name for name, value in clip.state_dict().items() if not torch.equal(value, before[name])}
    assert "model.text_projection" in changed
    seeing = {name.removeprefix("model.visual.") for name in changed if "visual" in name}
    assert {name.partition(".")[0] for name in seeing} == learns
    assert not any("running" in name for name in seeing)


def test_parts_that_the_image_tower_does_not_have_are_refused():
    with pytest.raises(SDGError, match=r"model\.image_tower names layer5, .* parts of conv1, .*attnpool"):
        CLIPTraining(tiny_clip(), Optimisation(lr=0.1), image_tower=["attnpool", "layer5"])


def test_a_tower_without_colours_sees_the_mean_of_the_channels_after_every_step(
    monkeypatch: pytest.MonkeyPatch,
):
    clip = tiny_clip()
    training = CLIPTraining(clip, Optimisation(lr=0.1), grey=True)
    optimizer = torch.optim.AdamW(training.parameters(), lr=0.1)
    monkeypatch.setattr(LightningModule, "optimizer_step", lambda *_: optimizer.step())
    generator = keyed_generator("grey")
    coloured = torch.randn(2, 3, 32, 32, generator=generator)
    grey = coloured.mean(dim=1, keepdim=True).expand_as(coloured)
    clip.eval()
    training.on_fit_start()
    for _ in range(2):
        seen = clip.encode_image(coloured)
        torch.testing.assert_close(seen, clip.encode_image(grey), atol=1e-5, rtol=0)
        (seen * torch.randn(seen.shape, generator=generator)).sum().backward()
        training.optimizer_step()
