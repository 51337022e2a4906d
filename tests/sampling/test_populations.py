"""population= as sample.py draws it: several chains for each picture."""

import re
from pathlib import Path

import pytest

from sdg.config import one_line
from tests.sampling.test_controls import pictures, records, run
from tests.tiny import make_weights

COMMON = ("prompts=[a face, a hat]", "sampler.steps=4", "samples_per_prompt=1")
KINDS = {
    "best_of": (),
    "fk": ("population.every=1", "population.strength=50"),
    "tds": (),
    "prune": ("population.cuts=[0.5]",),
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def plain(weights: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("plain")
    run(weights, folder / "run", *COMMON, "group=4")
    return pictures(folder / "run")


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_depends_on_neither_batch_nor_interruption_and_one_particle_is_the_plain_one(
    weights: list[str], plain: dict[str, bytes], tmp_path: Path, kind: str
) -> None:
    many = [*COMMON, f"population={kind}", "population.particles=2", *KINDS[kind], "group=4"]
    run(weights, tmp_path / "many", *many, "batch_size=1")
    whole = pictures(tmp_path / "many")
    (tmp_path / "many" / "samples" / "000001.png").unlink()
    run(weights, tmp_path / "many", *many, "batch_size=2")
    assert pictures(tmp_path / "many") == whole
    run(weights, tmp_path / "one", *many, "population.particles=1")
    assert pictures(tmp_path / "one") == plain
    assert whole["000000.png"] == plain["000000.png"]  # unguided: nothing to choose by
    assert whole != plain or kind == "prune"  # of two, the plain one may go on
    for record in records(tmp_path / "many"):
        assert record["trace"]["t"] == [999, 666, 333, 0]


def test_the_best_of_several_is_the_one_with_the_highest_score(weights: list[str], tmp_path: Path) -> None:
    run(weights, tmp_path / "plain", *COMMON, "group=4")
    run(weights, tmp_path / "best", *COMMON, "population=best_of", "population.particles=4", "group=8")
    for before, after in zip(records(tmp_path / "plain"), records(tmp_path / "best"), strict=True):
        assert all(after["scores"][name] >= before["scores"][name] for name in after["scores"])


def test_references_masks_and_constraints_follow_their_pictures(weights: list[str], tmp_path: Path) -> None:
    from PIL import Image

    for name in ("face.png", "mask.png"):
        Image.new("L" if name == "mask.png" else "RGB", (32, 32)).save(tmp_path / name)
    held = [f"start.image={tmp_path}/face.png", f"start.mask={tmp_path}/mask.png", "constraint=ilvr"]
    aimed = ["guidance=mix", f"references=[{tmp_path}/face.png]", "prompts=[a face]", "sampler.steps=4"]
    cut = ["population=prune", "population.particles=4", "population.cuts=[0.5]", "group=4"]
    run(weights, tmp_path / "run", *held, *aimed, *cut, "samples_per_prompt=2")
    black = Image.new("RGB", (32, 32)).tobytes()
    assert set(pictures(tmp_path / "run").values()) == {black}  # a black mask keeps the whole picture


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["population=best_of", "group=6"], "group=6 is not made of whole populations of 4"),
        (["population=fk", "sampler=ddim"], "this sampler adds no noise to part them"),
        (["population=tds", "estimator=dsg"], "TDS weighs steps with noise of their own"),
        (["population=tds", "estimator.recurrence.turns=2"], "TDS weighs steps with noise of their own"),
        (["population.particles=0", "population=best_of"], "is no number of particles"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    weights: list[str], tmp_path: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (the message is what counts)
        run(weights, tmp_path / "run", *COMMON, *overrides)
    assert re.search(message, one_line(caught.value)), one_line(caught.value)
    assert not (tmp_path / "run").exists()
