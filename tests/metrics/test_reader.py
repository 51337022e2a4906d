from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics import reader as module
from sdg.metrics.frechet import Moments
from sdg.metrics.pictures import FolderPictures, open_samples
from sdg.metrics.reader import FeatureReader, subset
from tests.metrics.examples import Known, Thumbnail, viewed


def pictures(count: int = 70, seed: int = 0) -> Known:
    generator = torch.Generator().manual_seed(seed)
    return Known(pixels=torch.randint(256, (count, 3, 4, 4), generator=generator, dtype=torch.uint8))


def by_hand(known: Known) -> Tensor:
    assert known.pixels is not None
    return torch.nn.functional.adaptive_avg_pool2d(known.pixels.float() / 255, 2).flatten(1)


def test_a_set_is_read_once_and_an_extractor_built_when_needed(tmp_path: Path) -> None:
    built = []

    def make() -> Thumbnail:
        built.append(Thumbnail())
        return built[-1]

    reader, samples = FeatureReader({"thumbs": make}, tmp_path), pictures()
    assert not built
    features = reader.features("thumbs", samples, range(70))
    torch.testing.assert_close(features, by_hand(samples))
    reader.moments("thumbs", samples, range(70))
    torch.testing.assert_close(reader.features("thumbs", samples, [5, 3]), by_hand(samples)[[5, 3]])
    assert [each.seen for each in built] == [70]
    with pytest.raises(SDGError, match="no features inception: choose thumbs"):
        reader.extractor("inception")


def test_moments_of_parts_are_those_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 10)
    reader, samples = FeatureReader({"thumbs": Thumbnail}, tmp_path), pictures()
    streamed, whole = reader.moments("thumbs", samples, range(70)), Moments.of(by_hand(samples))
    assert streamed.count == 70
    torch.testing.assert_close(streamed.mean, whole.mean, rtol=1e-9, atol=0)
    torch.testing.assert_close(streamed.covariance, whole.covariance, rtol=1e-6, atol=1e-9)


def test_a_reference_is_read_once_for_ever_if_it_stays_the_same(tmp_path: Path) -> None:
    def look(reference: Known, side: int = 2) -> tuple[int, Tensor, Tensor]:
        eye = Thumbnail(side)
        reader = FeatureReader({"thumbs": lambda: eye}, tmp_path / "cache")
        mean = reader.reference_moments("thumbs", reference).mean
        features = reader.reference_features("thumbs", reference, 20)
        return eye.seen, mean, features

    first, again = look(pictures()), look(pictures())
    assert (first[0], again[0]) == (70, 0)
    assert torch.equal(first[1], again[1])
    assert torch.equal(first[2], again[2])
    torch.testing.assert_close(first[2], by_hand(pictures())[subset(70, 20)])
    assert look(pictures(seed=1))[0] == look(pictures(), side=1)[0] == 70
    assert not list((tmp_path / "cache").glob("*.part"))


def test_features_are_kept_for_the_next_evaluation(tmp_path: Path) -> None:
    """Of samples, too, whichever rows are asked for; a damaged file is told, unwritten ones leave nothing."""
    eye = Thumbnail()
    for rows in ([3, 1], [0, 69]):
        reader = FeatureReader({"thumbs": lambda: eye}, tmp_path)
        torch.testing.assert_close(reader.features("thumbs", pictures(), rows), by_hand(pictures())[rows])
        assert eye.seen == 70
    (kept,) = tmp_path.iterdir()
    with safe_open(kept, "pt") as file:
        assert file.metadata()["features"] == "thumbs"
        assert file.get_slice("features").get_shape() == [70, 12]
    kept.write_bytes(kept.read_bytes()[:-4])
    with pytest.raises(SDGError, match="is damaged: delete it"):
        FeatureReader({"thumbs": lambda: eye}, tmp_path).features("thumbs", pictures(), [0])


def test_files_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures").mkdir()
    for number, image in enumerate(pictures(4).pixels):  # type: ignore[arg-type]
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "pictures" / f"{number}.png")
    reader = FeatureReader({"thumbs": Thumbnail}, tmp_path / "cache")
    digest = reader.digest(open_samples(tmp_path / "pictures"))
    monkeypatch.setattr(FolderPictures, "digest", property(lambda self: pytest.fail("hashed again")))
    assert reader.digest(open_samples(tmp_path / "pictures")) == digest


def test_features_larger_than_pictures_are_not_kept(tmp_path: Path) -> None:
    eye = Thumbnail()
    eye.kept = False
    reader = FeatureReader({"thumbs": lambda: eye}, tmp_path)
    torch.testing.assert_close(reader.features("thumbs", pictures(), [5]), by_hand(pictures())[[5]])
    assert eye.seen == 1
    assert not list(tmp_path.iterdir())


def test_a_subset_does_not_follow_the_plan() -> None:
    """A plan of 10,000 prompts has five noises each; every fifth sample would be of one noise."""
    rows = subset(50_000, 10_000)
    assert rows == sorted(set(rows)) == subset(50_000, 10_000)
    assert len(rows) == 10_000
    of_noise = torch.bincount(torch.tensor(rows) % 5)
    assert (of_noise - 2000).abs().max() < 4 * 40  # hypergeometric: a standard deviation of 36
    of_fifth = torch.bincount(torch.tensor(rows) // 10_000)
    assert (of_fifth - 2000).abs().max() < 4 * 40  # not the first ones, either
    assert subset(3, 3) == subset(3, 5) == [0, 1, 2]


def test_a_damaged_or_forbidden_cache_is_told_in_one_line(tmp_path: Path) -> None:
    reader = FeatureReader({"thumbs": Thumbnail}, tmp_path / "cache")
    reader.reference_moments("thumbs", pictures())
    (kept,) = (tmp_path / "cache").glob("*moments*")
    kept.write_bytes(kept.read_bytes()[:-20])
    with pytest.raises(SDGError, match="is damaged: delete it"):
        reader.reference_moments("thumbs", pictures())
    (tmp_path / "file").write_text("")
    with pytest.raises(SDGError, match="choose another folder, cache=DIR"):
        FeatureReader({"thumbs": Thumbnail}, tmp_path / "file").reference_moments("thumbs", pictures())


def test_features_must_be_finite(tmp_path: Path) -> None:
    class Broken(Thumbnail):
        def forward(self, pictures: Tensor) -> Tensor:
            return super().forward(pictures) / 0

    with pytest.raises(SDGError, match="some features thumbs are not finite: look at the pictures of memory"):
        FeatureReader({"thumbs": Broken}, tmp_path).features("thumbs", pictures(), [0])


def test_statistics_stand_for_a_reference_if_they_are_of_the_same_features(tmp_path: Path) -> None:
    FeatureReader({"thumbs": Thumbnail}, tmp_path).reference_moments("thumbs", pictures())
    (kept,) = tmp_path.glob("*moments*")
    here = viewed(pictures(seed=1), tmp_path, kept, thumbs=Thumbnail(), finer=Thumbnail(4))
    assert torch.equal(here.reference_moments("thumbs").total, Moments.of(by_hand(pictures())).total)
    with pytest.raises(SDGError, match=r"another protocol \(features: thumbs, wanted: finer\)"):
        here.reference_moments("finer")
    with pytest.raises(SDGError, match=r"another protocol \(weights: side 2, wanted: side 4\)"):
        viewed(pictures(), tmp_path, kept, thumbs=Thumbnail(4)).reference_moments("thumbs")
    with pytest.raises(SDGError, match="no statistics at"):
        viewed(pictures(), tmp_path, tmp_path / "no", thumbs=Thumbnail()).reference_moments("thumbs")
    with pytest.raises(SDGError, match="has no pictures"):
        assert here.reference_pictures
    with pytest.raises(SDGError, match="give reference=DIR"):
        viewed(pictures(), tmp_path, thumbs=Thumbnail()).reference_moments("thumbs")
