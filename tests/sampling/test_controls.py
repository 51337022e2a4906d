"""Runs steered by pictures, from pictures, and around masks, with tiny random networks."""

import json
import re
from pathlib import Path

import pytest
from hydra.errors import HydraException
from PIL import Image

from sdg.config import one_line
from sdg.data.picture import picture_size, read_picture
from sdg.data.toyfaces.references import write_references
from sdg.errors import SDGError
from sdg.report.traces import read_trace
from sdg.sampling.run import sample
from tests.tiny import configure, make_weights, pictures

MIX = (
    "guidance=mix",
    "guidance.terms.content.weight={_target_: sdg.guidance.weight.Window, value: 0.5, stop: 0.6}",
    "+guidance.terms.style={_target_: sdg.guidance.style.Style, weight: 1e-12, target: REFS/style_night.png}",
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def refs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refs")
    write_references(folder, 2, size=48)
    return folder


def run(weights: list[str], folder: Path, *overrides: str) -> Path:
    settings = ["samples_per_prompt=3", "sampler.steps=4", "guidance.scale=30", f"output_dir={folder}"]
    return sample(configure("sample", [*weights, *settings, "trainer.accelerator=cpu", *overrides]))


def records(folder: Path) -> list[dict]:
    """The manifest's, with their traces."""
    lines = map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())
    return [record | {"trace": read_trace(folder, record)} for record in lines]


def faces(refs: Path) -> str:
    return f"references=[{refs}/face_000.png, {refs}/face_001.png]"


@pytest.mark.parametrize("guidance", ["content", "structure", "style"])
def test_every_reference_steers_and_is_shown(
    weights: list[str], refs: Path, tmp_path: Path, guidance: str
) -> None:
    # Style's gradients have a magnitude of their own.
    normal = ["guidance.normalise=true", "guidance.scale=3"] if guidance == "style" else []
    page = run(weights, tmp_path / "run", f"guidance={guidance}", faces(refs), *normal)
    drawn = records(tmp_path / "run")
    assert [Path(r["reference"]).name if r["reference"] else None for r in drawn] == (
        [None] * 3 + ["face_000.png"] * 3 + ["face_001.png"] * 3
    )
    assert len(set(pictures(tmp_path / "run").values())) == 9
    assert all(set(r["scores"]) == ({guidance} if r["reference"] else set()) for r in drawn)
    for name in {r["reference_file"] for r in drawn[3:]}:
        assert name in page.read_text()
        assert picture_size(tmp_path / "run" / name) == (32, 32)


@pytest.mark.slow
def test_a_folder_of_references_meets_a_list_of_prompts_under_three_terms(
    weights: list[str], refs: Path, tmp_path: Path
) -> None:
    """Whatever the batch: terms with targets of their own, a window, and references that a group shares."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in ("face_000.png", "face_001.png"):
        (folder / name).write_bytes((refs / name).read_bytes())
    common = [
        *(part.replace("REFS", str(refs)) for part in MIX),
        f"references=[{folder}]",
        'prompts=[a smiling face, "a hat | glasses:-0.5"]',
        "unguided=false",
    ]
    for share in ("false", "true"):
        for batch_size in (8, 3):
            name = tmp_path / f"{share}{batch_size}"
            run(weights, name, *common, f"batch_size={batch_size}", f"share_reference={share}")
        assert pictures(tmp_path / f"{share}8") == pictures(tmp_path / f"{share}3")
    drawn = records(tmp_path / "false8")
    assert [(r["prompt"], Path(r["reference"]).name) for r in drawn[::3]] == [
        (prompt, name)
        for prompt in ("a smiling face", "a hat | glasses:-0.5")
        for name in ("face_000.png", "face_001.png")
    ]
    assert set(drawn[0]["scores"]) == {"text", "content", "style"}
    assert pictures(tmp_path / "false8") != pictures(tmp_path / "true8")


def test_the_noise_of_references_is_fresh_or_fixed(weights: list[str], refs: Path, tmp_path: Path) -> None:
    for noise in ("fresh", "fixed"):
        run(weights, tmp_path / noise, "guidance=content", faces(refs), f"reference_noise={noise}")
    fresh, fixed = pictures(tmp_path / "fresh"), pictures(tmp_path / "fixed")
    assert [fresh[name] == fixed[name] for name in fresh] == [True] * 3 + [False] * 6


@pytest.mark.parametrize("sampler", [pytest.param("ddim", marks=pytest.mark.slow), "dpmpp_2m"])
def test_every_sampler_takes_every_kind_of_target_in_batches_of_any_size(
    weights: list[str], refs: Path, tmp_path: Path, sampler: str
) -> None:
    common = [*(part.replace("REFS", str(refs)) for part in MIX), faces(refs), "prompts=[a face]"]
    for batch_size in (8, 1):
        extra = [f"sampler={sampler}", "sampler.steps=4", f"batch_size={batch_size}"]
        run(weights, tmp_path / str(batch_size), *common, *extra)
    assert pictures(tmp_path / "8") == pictures(tmp_path / "1")


def test_guidance_may_be_asked_at_the_mean(weights: list[str], tmp_path: Path) -> None:
    for where in ("x_t", "mean"):
        run(weights, tmp_path / where, "prompts=[a face]", f"sampler.rule.gradient_at={where}")
    at_x, at_mean = pictures(tmp_path / "x_t"), pictures(tmp_path / "mean")
    assert [at_x[name] == at_mean[name] for name in at_x] == [True] * 3 + [False] * 3
    guided = [record["trace"]["guided"]["t"] for record in records(tmp_path / "mean")[3:]]
    assert guided == [[666, 333, 0, 0]] * 3


def test_of_an_oblong_reference_the_middle_is_seen_and_said_so(
    weights: list[str], refs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = Image.new("RGB", (96, 32), "white")
    wide.paste((200, 30, 30), (32, 0, 64, 32))
    wide.save(tmp_path / "wide.png")
    few = ("method=ilvr", "samples_per_prompt=1", "sampler.steps=1", "unguided=false")
    run(weights, tmp_path / "run", *few, f"references=[{tmp_path}/wide.png, {refs}/face_000.png]")
    assert "of " + str(tmp_path / "wide.png") + " (96 x 32) only the middle" in capsys.readouterr().out
    copy = read_picture(tmp_path / "run" / records(tmp_path / "run")[0]["reference_file"], 32)
    assert copy.flatten(1).std(dim=1).max() == 0
    run(weights, tmp_path / "square", *few, f"references=[{refs}/face_000.png]")
    assert "only the middle" not in capsys.readouterr().out


# --- editing


def test_an_edit_walks_the_end_of_the_chain_from_the_picture(
    weights: list[str], refs: Path, tmp_path: Path
) -> None:
    drawn = {}
    for name in ("face_000", "face_001"):
        start = [f"start.image={refs}/{name}.png", "start.strength=0.5", "prompts=[a face]"]
        run(weights, tmp_path / name, *start)
        drawn[name] = pictures(tmp_path / name)
        assert all(record["trace"]["t"] == [333, 0] for record in records(tmp_path / name))
    assert all(drawn["face_000"][file] != drawn["face_001"][file] for file in drawn["face_000"])


def test_what_a_mask_keeps_is_kept_to_the_byte(weights: list[str], refs: Path, tmp_path: Path) -> None:
    mask = Image.new("L", (32, 32), 0)
    mask.paste(255, (0, 0, 32, 16))
    mask.save(tmp_path / "mask.png")
    edit = [f"start.image={refs}/face_000.png", "start.strength=1", f"start.mask={tmp_path}/mask.png"]
    run(weights, tmp_path / "run", *edit, "prompts=[a face]")
    original = read_picture(refs / "face_000.png", 32)
    for record in records(tmp_path / "run"):
        own = read_picture(tmp_path / "run" / record["file"], 32)
        assert (own - original)[:, 16:].abs().max() < 1 / 127
        assert (own - original)[:, :16].abs().mean() > 0.05


# --- what the page shows


@pytest.fixture(scope="module")
def undisturbed(weights: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshots") / "run"
    run(weights, folder, "prompts=[a face]", "snapshots=2")
    return folder


def test_snapshots_and_traces_tell_how_pictures_came_about(
    undisturbed: Path,
) -> None:
    page = undisturbed / "index.html"
    drawn = records(undisturbed)
    for record in drawn:
        # Steps 4 and 2 before the end, and the end: of 4 steps those with index 2 and 0.
        assert picture_size(undisturbed / record["strip"]) == (64, 32)
        assert record["trace"]["t"] == [999, 666, 333, 0]
        assert len(record["trace"]["clipped"]) == 4
    assert "guided" not in drawn[0]["trace"]
    guided = drawn[3]["trace"]["guided"]
    assert guided["t"] == [999, 666, 333, 0]
    assert len(guided["scores"]["text"]) == len(guided["gradient_rms"]) == 4
    assert all(rms > 0 for rms in guided["gradient_rms"])
    assert "gradient rms" in page.read_text()
    assert all(record["strip"] in page.read_text() for record in drawn[3:])


def test_records_do_not_depend_on_the_batch(weights: list[str], undisturbed: Path, tmp_path: Path) -> None:
    run(weights, tmp_path / "run", "prompts=[a face]", "snapshots=2", "batch_size=1")
    assert records(tmp_path / "run") == records(undisturbed)
    run(weights, tmp_path / "silent", "prompts=[a face]", "trace=false")
    assert all(record["trace"] is None for record in records(tmp_path / "silent"))


# --- bad input


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["guidance=content"], r"the term content should aim at: give references=\[face.png\]"),
        (["guidance=mix", "references=[REFS/face_000.png]"], "the term text should aim at: give prompts="),
        (["guidance=content", "references=[REFS/none.png]"], "none.png is not there"),
        (
            ["guidance=content", "references=[REFS/faces.jsonl]"],
            "faces.jsonl is empty, damaged or no picture",
        ),
        (
            ["guidance=content", "references=[REFS/face_000.png]", "prompts=[a face]"],
            "nothing here reads a prompt",
        ),
        (
            ["references=[REFS/face_000.png]", "prompts=[a face]"],
            "nothing here reads a reference",
        ),
        (["prompts=[a face]", "start.strength=0.5"], "start.image=FILE"),
        (["prompts=[a face]", "start.image=REFS/none.png"], "none.png is not there"),
        (["prompts=[a face]", "start.strength=0", "start.image=REFS/face_000.png"], "start.strength=0"),
        (["prompts=[a face]", "start.strength=1.2", "start.image=REFS/face_000.png"], "start.strength=1.2"),
        (["prompts=[a face]", "start.mask=REFS/face_000.png"], "give start.image=FILE"),
        (
            ["prompts=[a face]", "start.image=REFS/face_000.png", "start.mask=WIDE"],
            "of the picture's proportions",
        ),
        (["prompts=[a face]", "sampler.steps=1001"], "more than the schedule's 1000"),
        (["prompts=[a face]", "sampler.rule.gradient_at=x_s"], "gradient_at=x_s is unknown: use x_t or mean"),
        (["prompts=[a face]", "reference_noise=old"], "reference_noise=old is unknown"),
        (["prompts=[a face]", "snapshots=-1"], "snapshots=-1"),
        (["prompts=['a face | ']"], "empty part"),
        (
            [
                "prompts=[a face]",
                "guidance.terms.text.weight={_target_: sdg.guidance.weight.Window, stop: 1.5}",
            ],
            "use 0 <= start < stop <= 1",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    weights: list[str], refs: Path, tmp_path: Path, overrides: list[str], message: str
) -> None:
    Image.new("L", (64, 32)).save(tmp_path / "wide.png")
    given = [
        part.replace("REFS", str(refs)).replace("WIDE", str(tmp_path / "wide.png")) for part in overrides
    ]
    with pytest.raises((SDGError, HydraException)) as caught:
        run(weights, tmp_path / "run", *given)
    line = one_line(caught.value)
    assert re.search(message, line), line
    assert not (tmp_path / "run").exists()
