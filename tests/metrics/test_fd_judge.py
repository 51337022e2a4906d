from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.fd_judge import JudgeFrechet
from sdg.metrics.frechet import Moments, frechet_distance
from sdg.metrics.judged import Judged
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


@pytest.mark.parametrize("guided", [False, True])
def test_the_floor_is_drawn_from_faces_that_nothing_else_shows(
    guided: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default four renders for each sample, and four sets of as many in the samples' place.

    All of these faces are different, so no set is compared with itself, and the floor is the sets' mean.
    """
    found, asked = drawn(tmp_path, obedient=True), list[torch.Tensor]()
    faces = found.judge.faces

    def recorded(numbers: torch.Tensor, mentioned: torch.Tensor) -> Judged:
        asked.append(numbers)
        return faces(numbers, mentioned)

    monkeypatch.setattr(found.judge, "faces", recorded)
    (measure,) = JudgeFrechet(guided)(found)
    reference, *sets = asked
    count = len(found.guided) if guided else len(found.unguided)
    assert reference.unique().numel() == len(reference) == 4 * count
    assert [len(each) for each in sets] == [count] * 4
    assert torch.cat(asked).unique().numel() == 8 * count
    mentioned = found.mentioned() if guided else torch.full((count, 8), -1)
    renders = Moments.of(faces(reference, mentioned.repeat(4, 1)).features)
    by_hand = [frechet_distance(Moments.of(faces(each, mentioned).features), renders) for each in sets]
    assert measure.beside == ("floor", pytest.approx(sum(by_hand) / 4))


def test_samples_that_share_their_noise_score_above_the_floor(tmp_path: Path) -> None:
    """Faultless ones too, and the more so the fewer noises there are: what they come below is no floor."""
    found = drawn(tmp_path, obedient=True)
    (many,) = JudgeFrechet(guided=True)(found)
    numbers = torch.arange(50_000, 50_000 + NOISES // 5).repeat_interleave(5)  # five samples of every face
    alike = found.judge.faces(numbers.repeat(2), found.mentioned())
    found.guided = replace(alike, records=found.guided.records)
    (few,) = JudgeFrechet(guided=True)(found)
    assert many.beside is not None
    assert few.beside == many.beside
    assert many.beside[1] < many.value < few.value


def test_guided_samples_are_held_against_what_their_prompts_mention(tmp_path: Path) -> None:
    (obedient,) = JudgeFrechet(guided=True)(drawn(tmp_path, obedient=True))
    (deaf,) = JudgeFrechet(guided=True)(drawn(tmp_path, obedient=False))
    assert deaf.value > 5 * obedient.value
    assert deaf.beside == obedient.beside


def test_needs_more_samples_than_features() -> None:
    few = judged([record(None, i) for i in range(12)], features=torch.randn(12, 12))
    with pytest.raises(SDGError, match="more than 12 pictures a set, here are 12"):
        JudgeFrechet()(evidence(judged([]), few, judge=LookupJudge(*face(0))))
