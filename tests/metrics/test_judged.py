import pytest
import torch

from sdg.data.toyfaces import ATTRIBUTES, NUISANCES, SPLITS, sample_attributes, sample_nuisances
from sdg.errors import SDGError
from sdg.metrics.judged import JudgeReader, scale_nuisances, true_nuisances
from sdg.networks.judge import Judgement
from tests.metrics.examples import SIZE, LookupJudge, face, pixels


@pytest.fixture(scope="module")
def reader() -> JudgeReader:
    """Knows the first eight test faces, and the same with hats."""
    index = torch.arange(8) + SPLITS["test"].start
    attributes, nuisances = sample_attributes(0, index), sample_nuisances(0, index)
    hats = attributes.clone()
    hats[:, list(ATTRIBUTES).index("hat")] = 1
    return JudgeReader(LookupJudge(torch.cat([attributes, hats]), nuisances.repeat(2, 1)), SIZE, batch_size=3)


def test_scaled_nuisances_fill_their_ranges() -> None:
    ends = torch.tensor(list(NUISANCES.values())).T
    torch.testing.assert_close(scale_nuisances(ends), torch.tensor([[-1.0], [1.0]]).expand(2, len(NUISANCES)))


def test_reads_the_same_in_batches_of_any_size(reader: JudgeReader) -> None:
    images = torch.cat([pixels(*face(number)) for number in range(5)])
    whole, parts = reader.read([images]), reader.read(images.split([2, 3]))
    truth = sample_attributes(0, torch.arange(5) + SPLITS["test"].start)
    assert torch.equal(whole.attributes, truth)
    assert torch.equal(parts.attributes, truth)
    torch.testing.assert_close(parts.features, whole.features)


def test_renders_are_test_faces_and_wear_what_is_mentioned(reader: JudgeReader) -> None:
    numbers = torch.tensor([6, 0, 6, 1])
    plain = reader.faces(numbers)
    assert torch.equal(plain.attributes, sample_attributes(0, numbers + SPLITS["test"].start))
    torch.testing.assert_close(plain.nuisances, true_nuisances(numbers))
    mentioned = torch.full((4, 8), -1)
    mentioned[2, list(ATTRIBUTES).index("hat")] = 1
    hatted = reader.faces(numbers, mentioned)
    assert torch.equal(hatted.attributes, torch.where(mentioned < 0, plain.attributes, mentioned))
    torch.testing.assert_close(hatted.nuisances, plain.nuisances)


def test_refuses_pictures_of_another_size_and_more_faces_than_there_are(reader: JudgeReader) -> None:
    with pytest.raises(SDGError, match="reads pictures of 16x16, these are 12x8"):
        reader.read([torch.zeros(1, 3, 8, 12, dtype=torch.uint8)])
    with pytest.raises(SDGError, match="100000 test faces"):
        reader.faces(torch.tensor([100_000]))
    with pytest.raises(SDGError, match="batch_size=0 judges nothing"):
        JudgeReader(torch.nn.Identity(), SIZE, batch_size=0)


def test_a_judge_that_says_what_is_no_number_is_not_believed() -> None:
    """The most probable of NaN would be the first value of every attribute."""

    class Broken(LookupJudge):
        def forward(self, images: torch.Tensor) -> Judgement:
            judgement = super().forward(images)
            judgement.attributes["hat"][0] = torch.nan
            return judgement

    with pytest.raises(SDGError, match="not finite: look at the pictures, and at its weights"):
        JudgeReader(Broken(*face(0)), SIZE).read([pixels(*face(0))])
