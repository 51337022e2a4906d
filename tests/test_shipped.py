"""The weights that come with the repository: whole, documented, and good at what they are for."""

import pytest
import torch
import torch.nn.functional as F
from omegaconf import DictConfig

from sdg.checkpoints import load_weights
from sdg.composition import ROOT
from sdg.config import build
from sdg.data.toyfaces import ATTRIBUTES, SPLITS, faces
from sdg.diffusion.noise import NoiseSource
from sdg.metrics.retrieval import top_k
from sdg.networks.judge import Judge
from sdg.sampling.build import build_method
from sdg.sampling.chains import GuidedSampling
from sdg.sampling.plan import PlanEntry
from tests.tiny import configure

FOLDER = ROOT / "checkpoints"


@pytest.fixture(scope="module")
def config() -> DictConfig:
    return configure("sample", ["sampler.steps=20", "guidance.scale=150"])


@pytest.fixture(scope="module")
def judge() -> Judge:
    config = configure("evaluate", []).judge
    return load_weights(build(config.network), config.checkpoint).eval()


@pytest.fixture(scope="module")
def sampling(config: DictConfig) -> GuidedSampling:
    return build_method(config)


def test_each_has_a_card_and_together_they_are_small() -> None:
    weights = sorted(FOLDER.rglob("*.safetensors"))
    assert {path.stem for path in weights} == {
        *("prior", "stylegan", "judge", "clip", "time_clip", "clip_detail", "time_clip_detail")
    }
    assert sum(path.stat().st_size for path in weights) < 40e6
    for path in weights:
        card = path.with_suffix(".md").read_text()
        for word in ("command: `python train.py", "data:", "steps:", "time:"):
            assert word in card, path.stem


@torch.no_grad()
def test_the_judge_reads_unseen_renders(judge: Judge) -> None:
    images, attributes = faces(0, torch.arange(256) + SPLITS["test"].start)
    for (name, logits), labels in zip(judge(images).attributes.items(), attributes.T, strict=True):
        assert float((logits.argmax(dim=1) == labels).float().mean()) >= 0.97, name


@torch.no_grad()
def test_clip_knows_the_attributes_by_name(sampling: GuidedSampling) -> None:
    images, attributes = faces(0, torch.arange(128) + SPLITS["test"].start)
    embedding = sampling.aims.texts.clip.encode_image(images)
    phrases = {
        "hair_color": [f"a face with {value} hair" for value in ATTRIBUTES["hair_color"]],
        "glasses": ["a face without glasses", "a face with glasses"],
        "hat": ["a face without a hat", "a face with a hat"],
    }
    for name, texts in phrases.items():
        answers = (embedding @ sampling.aims.texts.clip.encode_text(texts).T).argmax(dim=1)
        labels = attributes[:, list(ATTRIBUTES).index(name)]
        assert float((answers == labels).float().mean()) >= 0.9, name


@torch.no_grad()
def test_the_time_dependent_copy_sees_through_noise(sampling: GuidedSampling) -> None:
    images, _ = faces(0, torch.arange(128) + SPLITS["test"].start)
    clip, encoder, schedule = (
        sampling.aims.texts.clip,
        sampling.aims.guidance.encoder,
        sampling.denoiser.schedule,
    )
    clean = clip.encode_image(images)
    for t in (200, 400):
        at = torch.tensor([t])
        noise = NoiseSource([(0, i) for i in range(128)]).normal(images.shape[1:])
        x_t = schedule.diffuse(images, at.expand(128), noise)
        student = top_k(F.normalize(encoder(x_t, at).pooled, dim=-1) @ clean.T, 5)
        plain = top_k(clip.encode_image(x_t) @ clean.T, 5)
        assert student > plain + 0.1, t


def test_words_steer_the_prior(sampling: GuidedSampling, judge: Judge) -> None:
    """Of faces guided towards green hair and a hat, most have both; of the unguided ones, one in twenty."""
    prompt = "a face with green hair and a hat"
    samples = sampling.draw(
        [PlanEntry(i, prompt, None, 0, i, sampling.aims.guidance.scale) for i in range(8)]
    )
    images = torch.stack([sample.image for sample in samples]).float() / 127.5 - 1
    with torch.no_grad():
        seen = {name: logits.argmax(dim=1) for name, logits in judge(images).attributes.items()}
    green = seen["hair_color"] == ATTRIBUTES["hair_color"].index("green")
    assert int((green & (seen["hat"] == 1)).sum()) >= 5
