"""CLIP, the guide, the judge and Inception as extractors: what they give is what their networks say."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from sdg.checkpoints import save_weights
from sdg.checkpoints.weights import save_state
from sdg.data.toyfaces import ATTRIBUTES, MARGINALS, NUISANCES
from sdg.errors import SDGError
from sdg.metrics.clip_features import ClipFeatures, GuideFeatures
from sdg.metrics.inception import InceptionTF
from sdg.metrics.judge_features import JudgeAnswers, JudgeFeatures
from sdg.metrics.judges import ToyfacesJudge
from sdg.networks.clip import CLIP, small_clip
from sdg.networks.judge import Judge
from sdg.networks.time_clip import TimeResNet
from tests.metrics.examples import SIZE, Thumbnail, write_mentions

SEED = torch.Generator().manual_seed(0)
PICTURES = torch.randint(256, (3, 3, 32, 32), generator=SEED, dtype=torch.uint8)


def tiny_clip() -> CLIP:
    tower = {"layers": [1, 1, 1, 1], "width": 8, "head_width": 64}
    text = {"context_length": 8, "width": 16, "heads": 2, "layers": 1}
    torch.manual_seed(0)
    return small_clip(["red", "blue", "face"], 32, 16, tower, text).eval()


@pytest.fixture
def clip_file(tmp_path: Path) -> Path:
    save_weights(tmp_path / "clip.safetensors", tiny_clip(), dtype=torch.float32)
    return tmp_path / "clip.safetensors"


def test_clip_gives_its_embeddings_of_pictures_and_texts(clip_file: Path) -> None:
    clip, extractor = tiny_clip(), ClipFeatures(tiny_clip(), clip_file)
    scaled = PICTURES.float() / 127.5 - 1
    torch.testing.assert_close(extractor(PICTURES), clip.encode_image(scaled))
    torch.testing.assert_close(extractor.texts(["red face"] * 70)[69:], clip.encode_text(["red face"]))
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    larger = PICTURES.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert extractor(larger).shape == (3, 16)
    with pytest.raises(SDGError, match="there is no checkpoint"):
        ClipFeatures(tiny_clip(), clip_file.with_name("no"))


def test_the_guide_sees_clean_pictures_at_t_0(clip_file: Path) -> None:
    torch.manual_seed(1)
    encoder = TimeResNet([1, 1, 1, 1], 8, 4, 16, 32, 16, 16)
    path = clip_file.with_name("time_clip.safetensors")
    save_weights(path, encoder, dtype=torch.float32)
    blank = TimeResNet([1, 1, 1, 1], 8, 4, 16, 32, 16, 16)
    extractor = GuideFeatures(blank, path, tiny_clip(), clip_file)
    expected = encoder.eval()(PICTURES.float() / 127.5 - 1, torch.zeros(3, dtype=torch.int64)).pooled
    torch.testing.assert_close(extractor(PICTURES), F.normalize(expected, dim=-1))
    assert extractor.weights != ClipFeatures(tiny_clip(), clip_file).weights
    with pytest.raises(SDGError, match="reads pictures of 32x32, these are 16x16"):
        extractor(PICTURES[:, :, ::2, ::2])


def test_the_judges_answers_fit_texts_by_their_mutual_information(tmp_path: Path) -> None:
    def judge() -> Judge:
        torch.manual_seed(2)
        counts = {name: len(values) for name, values in ATTRIBUTES.items()}
        return Judge(counts, len(NUISANCES), SIZE, channels=(8, 8), features=8)

    said = {"red, hat": {"hair_color": "red", "hat": "yes"}, "hat": {"hat": "yes"}}
    file, weights = write_mentions(tmp_path / "m.jsonl", said), tmp_path / "judge.safetensors"
    save_weights(weights, judge(), dtype=torch.float32)
    source, pictures = ToyfacesJudge(judge(), weights, SIZE), PICTURES[:, :, :SIZE, :SIZE]
    extractor = JudgeAnswers(source, file)
    judgement = judge().eval()(pictures.float() / 127.5 - 1)

    def information(name: str, value: str) -> torch.Tensor:
        i = ATTRIBUTES[name].index(value)
        return judgement.attributes[name].softmax(dim=1)[:, i].log() - torch.tensor(MARGINALS[name][i]).log()

    hat = information("hat", "yes")
    expected = torch.stack([information("hair_color", "red") + hat, hat], dim=1)
    kept = extractor(pictures)
    torch.testing.assert_close(extractor.of(kept) @ extractor.texts(["red, hat", "hat"]).T, expected)
    features = JudgeFeatures(source)
    torch.testing.assert_close(features.of(kept), judgement.features)
    torch.testing.assert_close(features.judgement(kept).nuisances, judgement.nuisances)
    assert torch.equal(features(pictures), kept)
    with pytest.raises(SDGError, match="does not say what 'beard' mentions"):
        extractor.texts(["beard"])
    with pytest.raises(SDGError, match="reads pictures of 16x16"):
        extractor(PICTURES)


def test_features_without_words_say_so() -> None:
    with pytest.raises(SDGError, match="Thumbnail reads no texts"):
        Thumbnail().texts(["a face"])


def test_inception_needs_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = "weights-inception-2015-12-05-6726825d.pth"
    with pytest.raises(SDGError, match=f"no Inception weights at .*hub/checkpoints/{name}: fetch https"):
        InceptionTF()
    with pytest.raises(SDGError, match=r"give features\.inception_tf\.weights=PATH"):
        InceptionTF(tmp_path / "nowhere.pth")


def test_inception_needs_torch_fidelity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(SDGError, match="needs torch_fidelity"):
        InceptionTF()


@pytest.mark.slow
def test_inception_is_torch_fidelitys_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With generated weights: nothing is done to pictures before its extractor, nor to features after it."""
    module = import_module("torch_fidelity.feature_extractor_inceptionv3")
    own = module.FeatureExtractorInceptionV3
    with monkeypatch.context() as patch:
        patch.setattr(own, "load_state_dict", lambda *_: None)
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        theirs = own("inception-v3-compat", ["2048"])
    torch.save(theirs.state_dict(), tmp_path / "inception.pth")
    assert torch.equal(InceptionTF(tmp_path / "inception.pth")(PICTURES), theirs(PICTURES)[0])
    save_state(tmp_path / "other.safetensors", {"conv.weight": torch.zeros(2)})
    with pytest.raises(SDGError, match="does not hold torch-fidelity's Inception-v3"):
        InceptionTF(tmp_path / "other.safetensors")
