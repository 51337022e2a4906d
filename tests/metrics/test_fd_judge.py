from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.fd_judge import JudgeFrechet
from tests.metrics.examples import LookupJudge, evidence, face, judged, record, write_mentions

MENTIONS = {"teal": {"background": "teal"}, "navy": {"background": "navy"}}
NOISES = 100


def drawn(tmp_path: Path, obedient: bool) -> Evidence:
    """Renders in the place of samples, of faces far from those that the metric renders itself."""
    found = evidence(
        judged([]), judged([]), write_mentions(tmp_path / "m.jsonl", MENTIONS), LookupJudge(*face(0))
    )
    numbers = torch.arange(50_000, 50_000 + NOISES)
    asked = found.mentions([prompt for prompt in MENTIONS for _ in range(NOISES)])
    guided = found.judge.faces(numbers.repeat(2), asked if obedient else None)
    unguided = found.judge.faces(numbers)
    found.guided = replace(guided, records=[record(p, i) for p in MENTIONS for i in range(NOISES)])
    found.unguided = replace(unguided, records=[record(None, i) for i in range(NOISES)])
    return found


def test_faultless_samples_score_the_floor(tmp_path: Path) -> None:
    found = drawn(tmp_path, obedient=True)
    for metric, count in ((JudgeFrechet(), NOISES), (JudgeFrechet(guided=True), 2 * NOISES)):
        (measure,) = metric(found)
        assert measure.count == count
        assert measure.beside is not None
        assert 0 < measure.value < 2 * measure.beside[1]


def test_guided_samples_are_held_against_what_their_prompts_mention(tmp_path: Path) -> None:
    (obedient,) = JudgeFrechet(guided=True)(drawn(tmp_path, obedient=True))
    (deaf,) = JudgeFrechet(guided=True)(drawn(tmp_path, obedient=False))
    assert deaf.value > 5 * obedient.value
    assert deaf.beside == obedient.beside


def test_needs_more_samples_than_features() -> None:
    few = judged([record(None, i) for i in range(12)], features=torch.randn(12, 12))
    with pytest.raises(SDGError, match="more than 12 pictures a set, here are 12"):
        JudgeFrechet()(evidence(judged([]), few, judge=LookupJudge(*face(0))))
