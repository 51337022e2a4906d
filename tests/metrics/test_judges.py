"""Metrics by a judge that reads other attributes than toy faces have, and the judges that there are."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sdg.composition import compose
from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.metrics.alignment import TextAlignment
from sdg.metrics.drift import Drift
from sdg.metrics.evidence import Evidence
from sdg.metrics.judge_features import JudgeAnswers
from sdg.metrics.judged import Judged, JudgeReader
from sdg.metrics.judges import FaceApiJudge
from sdg.metrics.marginals import Marginals
from sdg.metrics.mentions import Mentions
from sdg.metrics.redrawn import RedrawnAlignment
from sdg.metrics.run import gather, judge_source, protocol_of
from sdg.networks.face_judge import FaceJudge
from sdg.networks.tokenizer import split_words
from tests.metrics.examples import Known, record, write_mentions, write_run

ROOT = Path(__file__).parents[2]
PROMPTS = ROOT / "experiments" / "photographs" / "prompts.jsonl"
ATTRIBUTES = {"age": ("child", "young", "elderly"), "sex": ("man", "woman")}
PICTURE = torch.zeros(3, 16, 16, dtype=torch.uint8)


def read_as(rows: list[tuple[str | None, int, int, int]]) -> Judged:
    """Samples as (prompt, index, age, sex)."""
    records = [record(prompt, index) for prompt, index, *_ in rows]
    attributes = torch.tensor([[age, sex] for _, _, age, sex in rows])
    return Judged(attributes, torch.zeros(len(rows), 0), torch.zeros(len(rows), 4), records)


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Two prompts of two noises."""
    guided = read_as([("old", 0, 2, 0), ("old", 1, 1, 0), ("young woman", 0, 1, 1), ("young woman", 1, 1, 0)])
    unguided = read_as([(None, 0, 1, 1), (None, 1, 1, 1)])
    said = {"old": {"age": "elderly"}, "young woman": {"age": "young", "sex": "woman"}}
    mentions = Mentions(write_mentions(tmp_path / "m.jsonl", said), ATTRIBUTES)
    reader = JudgeReader(nn.Identity(), None, attributes=ATTRIBUTES, protocol="an onlooker")
    found = Evidence(Known([*guided.records, *unguided.records]), mentions, lambda: reader)
    found.guided, found.unguided = guided, unguided
    return found


def test_alignment_and_drift_are_of_the_attributes_that_the_judge_has(evidence: Evidence) -> None:
    right = {each.name: (each.value, each.beside) for each in TextAlignment()(evidence)}
    assert right["mentioned"][0] == 4 / 6
    assert right["all"][0] == 2 / 4
    assert right["age"] == (3 / 4, ("unguided", 2 / 4))
    assert right["age/elderly"][0] == right["sex/woman"][0] == 1 / 2
    assert "hat" not in right
    # Both men of "old" were women: TV is 1. Exchanging one of two pairs leaves 0, so by chance TV² is 1/2,
    # and half of TV² is left, by 1 - 1/2.
    drift = {each.name: each for each in Drift()(evidence)}
    assert drift.keys() == {"all", "sex"}
    assert drift["sex"].value == pytest.approx(1, abs=0.02)


def test_a_protocol_names_the_judge(evidence: Evidence) -> None:
    for metric in (TextAlignment(), Drift()):
        assert protocol_of(metric, evidence).endswith("; judge: an onlooker")


def test_what_compares_with_toy_faces_refuses_a_judge_of_photographs(evidence: Evidence) -> None:
    for metric in (Marginals(), RedrawnAlignment()):
        with pytest.raises(SDGError, match="this compares with toy faces, and the judge reads photographs"):
            metric(evidence)
    with pytest.raises(SDGError, match="use judge=toyfaces"):
        evidence.judge.faces(torch.arange(2))


def test_the_judge_of_photographs_is_needed_only_by_what_asks_it(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [(record("a photo of a man", 0), PICTURE)])
    asked = ["judge=faceapi", f"samples='{run}'", f"mentions='{PROMPTS}'"]
    found = gather(compose("evaluate", asked))
    assert found.mentions(["a photo of an elderly woman"]).tolist() == [[4, 1, -1]]
    for ask in (lambda: found.judge, lambda: found.features.extractor("judge")):
        with pytest.raises(SDGError, match=r"npm pack @vladmandic/face-api@1\.7 .* judge\.folder=package"):
            ask()
    with pytest.raises(SDGError, match="judge_answers needs to know how common every value is"):
        found.features.extractor("judge_answers")
    common = "features.judge_answers.common={age: [0.2, 0.2, 0.2, 0.2, 0.2], sex: [0.5, 0.5], smile: [1]}"
    with pytest.raises(SDGError, match="needs 2 shares above 0 of smile, those of smiling, not smiling"):
        gather(compose("evaluate", [*asked, common])).features.extractor("judge_answers")
    mentions = write_mentions(tmp_path / "m.jsonl", {"a hat": {"hat": "yes"}})
    with pytest.raises(SDGError, match="unknown attribute 'hat'"):
        gather(compose("evaluate", [*asked[:2], f"mentions='{mentions}'"]))


def test_the_judge_and_the_captions_of_photographs_have_the_same_words_for_the_same_values() -> None:
    source = judge_source(compose("evaluate", ["judge=faceapi"]))
    assert isinstance(source, FaceApiJudge)
    assert isinstance(source.network, FaceJudge)
    labels = compose("train", ["data=faces64"]).data.captions.labels
    assert {name: set(values) for name, values in labels.items()} == {
        name: set(values) for name, values in source.attributes.items()
    }
    assert labels.age == compose("evaluate", ["judge=faceapi"]).judge.ages
    vocabulary = set(compose("sample", ["encoder=faces64"]).encoder.clip.vocabulary)
    assert {word for prompt in read_prompts(PROMPTS) for word in split_words(prompt)} <= vocabulary


def test_answers_of_photographs_fit_what_is_said_of_them_more_if_it_is_rare(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A woman whom the judge is three quarters sure of, where women are a quarter: log 3."""
    source = judge_source(compose("evaluate", ["judge=faceapi"]))
    monkeypatch.setattr(source, "load", nn.Identity)
    monkeypatch.setattr(source, "digest", lambda: "0" * 64)
    common = {"age": [0.1, 0.1, 0.5, 0.2, 0.1], "sex": [0.75, 0.25], "smile": [0.4, 0.6]}
    answers = JudgeAnswers(source, PROMPTS, common)
    said = torch.tensor([[0.0] * 5 + [0.25, 0.75] + [0.5, 0.5] + [0.0] * 128]).clamp(min=1e-9).log()
    features, texts = answers.of(said), answers.texts(["a photo of a woman", "a photo of a man"])
    torch.testing.assert_close(features @ texts.T, torch.tensor([[3.0, 1 / 3]]).log())
