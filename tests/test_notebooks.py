"""The notebooks run, and their .ipynb files are the scripts, without outputs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from notebooks.pair import read_cells, to_notebook
from sdg.composition import ROOT, compose
from sdg.data.picture import to_tensor
from sdg.diffusion.level import Level
from sdg.guidance.style import Style
from sdg.pixels import from_bytes
from sdg.sampling.build import build_method
from sdg.studio.picture import Pictures
from tests.data.pictures import picture

SCRIPTS = sorted((ROOT / "notebooks").glob("[0-9]*.py"))


def run(script: Path, **parameters: Any) -> dict[str, Any]:
    """Execute the cells of a percent script in turn, with other parameters; the names they leave."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(read_cells(script.read_text(encoding="utf-8"))):
        if cell.kind == "code":
            exec(compile(cell.source, f"{script.name}, cell {number}", "exec"), names)
        if "parameters" in cell.tags:
            assert parameters.keys() <= names.keys()
            names.update(parameters)
    return names


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_ipynb_is_the_script(script: Path) -> None:
    paired = script.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert paired == to_notebook(script.read_text(encoding="utf-8")), "run: python notebooks/pair.py"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_ipynb_has_no_outputs(script: Path) -> None:
    cells = json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_cells_are_read_as_jupytext_reads_them() -> None:
    script = '# %% [markdown]\n# # Title\n#\n# Text.\n\n# %%\nx = 1\n\n\n# %% tags=["parameters"]\ny = 2\n'
    assert read_cells(script) == [
        ("markdown", "# Title\n\nText.", []),
        ("code", "x = 1", []),
        ("code", "y = 2", ["parameters"]),
    ]


@pytest.mark.slow
def test_guidance_in_ten_minutes(tmp_path: Path) -> None:
    script = ROOT / "notebooks" / "01_guidance_in_ten_minutes.py"
    parameters: dict[str, Any] = {"PROMPTS": ["a smiling face with red hair"], "SCALES": [0.0, 20.0, 200.0]}
    names = run(script, SEEDS=2, STEPS=12, WEIGHTS=[0.0, 1.0], FOLDER=tmp_path, **parameters)
    final = {scale: names["drawn"][scale][0].trace["guided"]["scores"]["text"][-1] for scale in (20.0, 200.0)}
    assert final[200.0] > final[20.0] + 0.05
    assert_pictures(tmp_path, "prompts", "scales", "cosines", "terms", "words_and_content", "words_and_style")
    assert (tmp_path / "steps.png").is_file()

    method = build_method(compose("sample"))
    clip, encode = method.aims.texts.clip, method.aims.guidance.encode
    unguided = pixels(names["unguided"])
    alone = {name: pixels(pictures) for name, pictures in names["alone"].items()}
    face, painting = (names["targets"][name][None] for name in ("content", "style"))
    with torch.no_grad():
        to_face, to_words = clip.encode_image(face)[0], clip.encode_text([names["SENTENCE"]])[0]
        assert_nearer(*(clip.encode_image(x) @ to_face for x in (alone["content"], unguided)))
        assert_nearer(*(clip.encode_image(x) @ to_words for x in (alone["text"], unguided)))
        clean = Level.vp(0, 1.0, 1.0)
        painted = encode(painting, clean)
        assert_nearer(*(Style()(encode(x, clean), painted) for x in (alone["style"], unguided)))


@pytest.mark.slow
def test_how_the_encoder_sees_through_noise(tmp_path: Path) -> None:
    script = ROOT / "notebooks" / "02_how_the_encoder_sees_through_noise.py"
    levels = [0, 300, 400, 999]
    names = run(script, SHOWN=levels, CURVE=levels, POOL=32, NOISES=3, FOLDER=tmp_path)
    time, plain = names["curves"]["time-dependent"], names["curves"]["plain CLIP"]
    assert plain[0] == 1  # it looks for its own embeddings
    assert all(ours > theirs + 0.2 for ours, theirs in zip(time[1:3], plain[1:3], strict=True))
    assert max(time[3], plain[3]) < 0.3  # there is nothing to see
    time, plain = names["agreements"]["time-dependent"], names["agreements"]["plain CLIP"]
    assert all(ours > theirs for ours, theirs in zip(time[1:3], plain[1:3], strict=True))
    assert names["scales"].max() > 0.05
    assert_pictures(tmp_path, "levels", "modulation", "found", "retrieval", "gradients")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The number of training batches")  # fewer than between two logs
def test_bring_your_own(tmp_path: Path) -> None:
    script = ROOT / "notebooks" / "03_bring_your_own.py"
    steps = {"PRIOR_STEPS": 2, "CLIP_STEPS": 2, "ENCODER_STEPS": 2, "SAMPLING_STEPS": 2}
    names = run(script, PACKAGE=emoji(tmp_path / "package", 40), FOLDER=tmp_path, BATCH=4, SAMPLES=1, **steps)
    assert names["vocabulary"] == ["face", "flag", "grinning", "heart", "red"]
    assert names["facts"]["architecture"] == "UNet of ADM"
    assert names["facts"]["fits"].startswith("prior=adm ")
    assert [names["facts"][key] for key in ("missing", "left over", "other shapes")] == ["none"] * 3
    lines = (tmp_path / "samples" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == [None, *names["PROMPTS"]]


def emoji(package: Path, count: int) -> Path:
    """Noise in the layout of the package that the notebook reads; the last picture has no row."""
    folder = package / "img" / "google" / "64"
    folder.mkdir(parents=True)
    for index in range(count + 1):
        (folder / f"{index:04x}.png").write_bytes(picture(index, (64, 64)))
    said = ["RED HEART", "FLAG", "GRINNING FACE"]
    rows = [{"name": said[index % 3], "image": f"{index:04x}.png"} for index in range(count)]
    (package / "emoji.json").write_text(json.dumps(rows), encoding="utf-8")
    return package


def assert_pictures(folder: Path, *names: str) -> None:
    """All these are there, and nothing is too small to be looked at."""
    for name in names:
        with Image.open(folder / f"{name}.png") as picture:
            assert min(picture.size) > 200


def pixels(pictures: Pictures) -> Tensor:
    """Pictures as images (B, 3, S, S) in [-1, 1]."""
    return torch.stack([from_bytes(to_tensor(picture.image)) for picture in pictures])


def assert_nearer(guided: Tensor, unguided: Tensor) -> None:
    """Guided pictures have the higher scores (B,), on average."""
    assert guided.mean() > unguided.mean()
