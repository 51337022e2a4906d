"""Every method= behind the same plan and store, with tiny random networks."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdg.config import build, one_line
from sdg.data.picture import read_picture
from sdg.data.toyfaces.references import write_references
from sdg.sampling.build import build_method
from sdg.sampling.plan import PlanEntry
from tests.sampling.test_controls import pictures, records, run
from tests.tiny import GENERATOR, configure, make_generator, make_weights, pixels

SEARCH = ("method=stylegan_clip", "method.search.steps=3")


@pytest.fixture(scope="module")
def refs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refs")
    write_references(folder, 2, size=32)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("weights")
    return [*make_weights(folder), *GENERATOR, make_generator(folder)]


def face(refs: Path) -> str:
    return f"references=[{refs}/face_000.png]"


def read(path: Path) -> Tensor:
    return read_picture(path, 32)


def test_unguided_is_the_prior_alone_and_loads_no_encoder(weights: list[str], tmp_path: Path) -> None:
    run(weights, tmp_path / "sdg", "prompts=[a face]")
    page = run(weights, tmp_path / "alone", "method=unguided", "encoder.checkpoint=nowhere.pt")
    assert list(pictures(tmp_path / "alone").values()) == list(pictures(tmp_path / "sdg").values())[:3]
    assert all(r["scores"] == {} for r in records(tmp_path / "alone"))
    assert all(r["file"] in page.read_text() for r in records(tmp_path / "alone"))
    assert (tmp_path / "alone" / "grid.png").exists()


def test_ilvr_with_nothing_left_to_the_prior_gives_the_reference(
    weights: list[str], refs: Path, tmp_path: Path
) -> None:
    run(weights, tmp_path, "method=ilvr", face(refs), "constraint.factor=1", "constraint.range_t=-1")
    for record in records(tmp_path)[3:]:
        assert torch.equal(read(tmp_path / record["file"]), read(refs / "face_000.png"))


@pytest.mark.slow
def test_ilvr_holds_low_frequencies_and_composes_with_words(
    weights: list[str], refs: Path, tmp_path: Path
) -> None:
    held = ("method=ilvr", face(refs), "constraint.range_t=-1")
    run(weights, tmp_path / "ilvr", *held)
    run(weights, tmp_path / "both", *held, "guidance=text", "guidance.scale=30", "prompts=[a smiling face]")
    run(weights, tmp_path / "free", "method=unguided")
    alone, both = records(tmp_path / "ilvr"), records(tmp_path / "both")
    low_pass = configure("sample", [*weights, "method=ilvr"]).constraint
    low_pass = build(low_pass).low_pass
    wanted = low_pass(read(refs / "face_000.png")[None])[0]

    def error(folder: str, record: dict) -> float:
        return (low_pass(read(tmp_path / folder / record["file"])[None])[0] - wanted).abs().mean().item()

    free = records(tmp_path / "free")
    for i in range(3):
        # Beside each stands what the prior draws alone, without a constraint.
        unheld = pixels(tmp_path / "free" / free[i]["file"])
        assert pixels(tmp_path / "ilvr" / alone[i]["file"]) == unheld
        assert error("ilvr", alone[3 + i]) < 0.3 * error("free", free[i])
        assert error("both", both[3 + i]) < 0.3 * error("free", free[i])
    assert both[3]["scores"].keys() == {"text"}
    assert alone[3]["scores"] == {}
    assert pictures(tmp_path / "ilvr").values() != pictures(tmp_path / "both").values()


@pytest.mark.parametrize(
    "method",
    [
        ("method=ilvr", "references=[REFS]"),
        ("method=clip_x0", "prompts=[a face, a hat]"),
        (*SEARCH, "prompts=[a face, a hat]"),
    ],
    ids=["ilvr", "clip_x0", "stylegan_clip"],
)
def test_pictures_depend_on_neither_the_batch_nor_a_stop(
    weights: list[str], refs: Path, tmp_path: Path, method: tuple[str, ...]
) -> None:
    settings = [part.replace("REFS", str(refs)) for part in method]
    run(weights, tmp_path / "8", *settings, "batch_size=8", "group=2")
    run(weights, tmp_path / "1", *settings, "batch_size=1", "group=2")
    assert pictures(tmp_path / "8") == pictures(tmp_path / "1")
    assert len(set(pictures(tmp_path / "8").values())) == len(records(tmp_path / "8")) >= 9
    (tmp_path / "1" / "samples" / "000004.png").unlink()
    run(weights, tmp_path / "1", *settings, "batch_size=3", "group=2")
    assert pictures(tmp_path / "8") == pictures(tmp_path / "1")


def test_latents_are_searched_from_the_picture_beside(weights: list[str], tmp_path: Path) -> None:
    run(weights, tmp_path / "still", "method=stylegan_clip", "method.search.steps=0", "prompts=[a face]")
    still = records(tmp_path / "still")
    for before, after in zip(still[:3], still[3:], strict=True):
        images = [pixels(tmp_path / "still" / record["file"]) for record in (before, after)]
        assert images[0] == images[1]
    page = run(
        weights, tmp_path / "moved", "method=stylegan_clip", "method.search.steps=20", "prompts=[a face]"
    )
    moved = records(tmp_path / "moved")
    scores = [sum(record["scores"]["text"] for record in some[3:]) for some in (still, moved)]
    assert scores[1] > scores[0]
    for after in moved[3:]:
        assert len(after["trace"]["loss"]) == 20
        assert after["trace"]["loss"][-1] < after["trace"]["loss"][0]
    assert '"loss"' in page.read_text()  # a chart


def test_the_score_of_a_latent_is_that_of_the_picture_that_is_kept(weights: list[str]) -> None:
    """Not that of the unclamped output, which may lie outside [-1, 1]."""
    method = build_method(configure("sample", [*weights, *SEARCH]))
    method.texts.clip.encode_image = lambda images: images.flatten(1)[:, :16]
    images, target = torch.full((1, 3, 32, 32), 3.0), torch.full((1, 16), 0.25)
    (sample,) = method._finish([PlanEntry(0, "a face", None, 0, 0, 1.0)], images, target, [])
    assert sample.image.min() == 255
    assert sample.record["scores"]["text"] == 4.0


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["method=ilvr"], r"nothing says what ILVR should aim at: give references=\[face.png\]"),
        (["method=ilvr", "prompts=[a face]", "references=[REFS]"], "nothing here reads a prompt"),
        (["method=ilvr", "references=[REFS]", "constraint.factor=3"], "N=3 is no power of two"),
        (["method=unguided", "prompts=[a face]"], "nothing here reads a prompt"),
        (["method=unguided", "prior.denoiser.image_size=30"], "multiples of 8, not 30: choose 32"),
        (["method=stylegan_clip"], "nothing says what StyleGAN.CLIP should aim at"),
        ([*SEARCH, "prompts=[a face]", "references=[REFS]"], "nothing here reads a reference"),
        ([*SEARCH, "prompts=[a face]", "generator.network.image_size=64"], "does not fit StyleGAN2"),
        ([*SEARCH, "prompts=[a face]", "generator.checkpoint=nowhere.pt"], "nowhere.pt"),
        ([*SEARCH, "prompts=['  ']"], "prompt number 1 is empty"),
        (
            [*SEARCH, "prompts=[a face]", "start.image=REFS/face_000.png"],
            "takes no start.image and no constraint",
        ),
        ([*SEARCH, "prompts=[a face]", "constraint=ilvr"], "takes no start.image and no constraint"),
        (["method=clip_x0", "prompts=[a face]", "method.guide=x_1"], "method.guide=x_1 is unknown"),
        (["prompts=[a face]", "method.guide=clip"], "plain CLIP has learned clean ones only"),
        (["prompts=[a face]", "estimator=dsg", "sampler=ddim"], "this sampler adds none"),
        (
            ["prompts=[a face]", "estimator.recurrence={turns: 3, start: 0.1, stop: 0.2}"],
            "meets none of the chain's",
        ),
        (["prompts=[a face]", "estimator.recurrence.turns=0"], "recurrence.turns=0 is no number of turns"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    weights: list[str], refs: Path, tmp_path: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (the message is what counts)
        run(weights, tmp_path / "run", *[part.replace("REFS", str(refs)) for part in overrides])
    assert re.search(message, one_line(caught.value)), one_line(caught.value)
    assert not (tmp_path / "run").exists()
    assert not isinstance(caught.value, AssertionError | KeyError | TypeError)
