"""What samples keep of their references, on known faces."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from experiments.references import POSE, Disputed, Kept, Painted, Pixels, palette, textures, true_attributes
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES, SPLITS, faces
from sdg.data.toyfaces.captions import prompt
from sdg.data.toyfaces.references import write_references
from sdg.metrics.evidence import Evidence
from sdg.metrics.judged import JudgeReader
from sdg.metrics.measure import Measure
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import open_samples
from sdg.networks.judge import Judge
from tests.metrics.examples import SIZE, LookupJudge, face, pixels, record, write_run


def known(numbers: list[int]) -> tuple[Tensor, Tensor]:
    """Attributes and nuisances of faces of the test split."""
    attributes, nuisances = zip(*map(face, numbers), strict=True)
    return torch.cat(attributes), torch.cat(nuisances)


def drawn(count: int) -> Tensor:
    shown, _ = faces(0, torch.arange(count) + SPLITS["test"].start, 32)
    return ((shown + 1) * 127.5).round().to(torch.uint8)


def evidence(tmp_path: Path, samples: list[tuple[dict, Tensor]], mentions: Mentions) -> Evidence:
    run = open_samples(write_run(tmp_path / "run", samples))
    judge = JudgeReader(LookupJudge(*known([0, 1, 5])), SIZE)
    return Evidence(run, mentions, lambda: judge)


@pytest.fixture
def copies(tmp_path: Path) -> Evidence:
    """Two samples of each of two references: the reference itself, and face 5; without guidance, face 0."""
    write_references(tmp_path / "references", 2, size=SIZE)
    samples = [(record(None, index, scale=0.0), pixels(*face(0))[0]) for index in range(2)]
    for number in range(2):
        aim = {"reference": str(tmp_path / "references" / f"face_{number:03d}.png")}
        for index, shown in enumerate((number, 5)):
            samples.append((record(None, index, scale=0.0) | aim, pixels(*face(shown))[0]))
    return evidence(tmp_path, samples, Mentions(None))


def named(measures: list[Measure]) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures}


def test_a_copy_of_the_reference_keeps_all_of_it(copies: Evidence) -> None:
    found = named(Kept()(copies))
    attributes, nuisances = known([0, 1, 5])
    reach = torch.tensor(list(NUISANCES.values()), dtype=torch.float64).diff(dim=1)[:, 0] / 2
    pose = [list(NUISANCES).index(name) for name in POSE]

    def same(a: int, b: int) -> float:
        return (attributes[a] == attributes[b]).double().mean().item()

    def away(a: int, b: int) -> Tensor:
        return (nuisances[a] - nuisances[b]).abs() / reach

    other = (same(0, 2) + same(1, 2)) / 2
    assert found["attributes"].value == pytest.approx((1 + other) / 2)
    assert found["attributes"].beside == ("unguided", pytest.approx((1 + same(0, 1)) / 2))
    apart = (away(0, 2) + away(1, 2)) / 4  # half of the samples are copies
    assert found["pose"].value == pytest.approx(apart[pose].mean().item(), rel=1e-5)
    rest = [number for number in range(len(NUISANCES)) if number not in pose]
    assert found["rest"].value == pytest.approx(apart[rest].mean().item(), rel=1e-5)
    assert found["rest"].beside is not None
    assert found["rest"].beside[1] == pytest.approx(away(0, 1)[rest].mean().item() / 2, rel=1e-5)
    assert {measure.count for measure in found.values()} == {4}


def test_pixels_are_compared_through_the_low_pass(copies: Evidence) -> None:
    shown = torch.cat([pixels(*face(number)) for number in (0, 1, 5)]).double()
    away = (shown[:2] - shown[2]).abs().mean().item()
    assert Pixels()(copies)[0].value == pytest.approx(away / 2, rel=1e-5)
    means = shown.mean(dim=(2, 3))
    through = (means[:2] - means[2]).abs().mean().item()
    assert Pixels(SIZE)(copies)[0].value == pytest.approx(through / 2, rel=1e-4)


def test_colours_of_a_copy_are_no_distance_away(copies: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.references.textures", lambda x, judge: [x[:, 0, :3, :3].double() + 1])
    found = named(Painted()(copies))
    shown = palette(torch.cat([pixels(*face(number)) for number in (0, 1, 5)]))
    away = (shown[:2] - shown[2]).abs().sum(dim=1) / 2
    assert found["palette"].value == pytest.approx(away.mean().item() / 2)
    corner = torch.cat([pixels(*face(number)) for number in (0, 1, 5)])[:, 0, :3, :3].double() + 1
    ratios = (corner[2] - corner[:2]).norm(dim=(1, 2)) / corner[:2].norm(dim=(1, 2))
    assert found["texture"].value == pytest.approx(ratios.mean().item() / 2)


def test_where_words_and_picture_disagree_either_can_be_followed(tmp_path: Path) -> None:
    """Face 1 asked for in the words of face 0: a sample that is face 0, and one that is face 1."""
    write_references(tmp_path / "references", 2, size=SIZE)
    attributes, _ = known([0, 1])
    values = {n: v[int(i)] for (n, v), i in zip(ATTRIBUTES.items(), attributes[0], strict=True)}
    words = prompt(values, 0, 0)
    mentions = tmp_path / "mentions.jsonl"
    mentions.write_text(f'{{"prompt": "{words}", "mentioned": {str(values).replace(chr(39), chr(34))}}}\n')
    aim = {"reference": str(tmp_path / "references" / "face_001.png")}
    samples = [(record(words, i, scale=9.0) | aim, pixels(*face(shown))[0]) for i, shown in enumerate((0, 1))]
    found = named(Disputed()(evidence(tmp_path, samples, Mentions(mentions))))
    assert (found["words"].value, found["picture"].value) == (0.5, 0.5)
    assert found["words"].count == 2 * int((attributes[0] != attributes[1]).sum())
    both = [tmp_path / "references" / f"face_{number:03d}.png" for number in (0, 1)]
    assert torch.equal(true_attributes(both), attributes)


def test_a_palette_is_where_the_colours_are_and_nothing_else() -> None:
    own = drawn(2)
    shuffled = own.flatten(2)[:, :, torch.randperm(32 * 32)].view_as(own)
    assert torch.equal(palette(own), palette(shuffled))
    half = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    half[:, 0, :2] = 255
    assert (palette(half) - palette(torch.zeros_like(half))).abs().sum() / 2 == 0.5


def test_textures_tell_a_picture_from_its_shuffled_pixels() -> None:
    torch.manual_seed(0)
    judge = Judge({k: len(v) for k, v in ATTRIBUTES.items()}, len(NUISANCES), image_size=32, features=16)
    reader, own = JudgeReader(judge, 32), drawn(2)
    shuffled = own.flatten(2)[:, :, torch.randperm(32 * 32)].view_as(own)
    wanted = textures(own, reader)
    assert [gram.shape[1] for gram in wanted] == [24, 24, 48, 48, 96, 96, 128, 128]
    assert all((a - b).norm() > 0 for a, b in zip(textures(shuffled, reader), wanted, strict=True))
