"""The studio draws what sample.py draws, keeps its networks, and reads nothing twice."""

import builtins
import gc
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

import sdg
from sdg.data.toyfaces.references import write_references
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.sampling.run import sample
from sdg.studio import Studio
from tests.tiny import GENERATOR, configure, make_generator, make_weights

Words = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two faces, a style, and a mask whose right half is redrawn."""
    folder = tmp_path_factory.mktemp("pictures")
    write_references(folder, 2, size=32)
    mask = Image.new("L", (32, 32))
    mask.paste(255, (16, 0, 32, 32))
    mask.save(folder / "mask.png")
    return folder


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    folder = tmp_path_factory.mktemp("weights")
    words = [*make_weights(folder), *GENERATOR, make_generator(folder), "sampler.steps=3"]
    return sdg.load(*words, device="cpu")


KINDS: dict[str, Words] = {
    "text": {"prompt": "a smiling face", "scale": 30},
    "content": {"content": "face_000.png", "scale": 30},
    "structure": {"structure": "face_000.png", "every": 2},
    "style": {"style": "style_night.png"},
    "mix": {
        "prompt": ("a face with a hat", 0.5),
        "content": "face_000.png",
        "style": ("style_night.png", 0.3),
        "sampler": "dpmpp_2m_sde",
        "steps": 3,
    },
    "ilvr": {"method": "ilvr", "reference": "face_001.png", "constraint.factor": 4},
    "ilvr and words": {
        "method": "ilvr",
        "guidance": "text",
        "prompt": "a face with glasses",
        "reference": "face_001.png",
        "constraint.factor": 4,
    },
    "an edit": {"prompt": "a face", "start": "face_000.png", "strength": 0.7, "mask": "mask.png"},
    "plain CLIP on x0": {"prompt": "a face", "method": "clip_x0", "scale": 10},
    "StyleGAN+CLIP": {"prompt": "a face", "method": "stylegan_clip", "method.search.steps": 3},
}


def placed(kind: Words, folder: Path) -> Words:
    """A kind with the paths of its pictures."""

    def path(value: Any) -> Any:
        if isinstance(value, tuple):
            return (path(value[0]), *value[1:])
        return str(folder / value) if isinstance(value, str) and value.endswith(".png") else value

    return {name: path(value) for name, value in kind.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_settings_give_the_files_that_sample_py_gives(
    kind: str, studio: Studio, folder: Path, tmp_path: Path
) -> None:
    """Byte for byte, for the words that it prints; again from its own file; and as the last of its steps."""
    words = placed(KINDS[kind], folder)
    drawn = studio.draw(n=2, seed=1, **words)
    asked = studio.request(n=2, seed=1, unguided=False, **words)
    assert drawn[0].command == asked.command
    sample(configure("sample", [*asked.overrides, f"output_dir={tmp_path}/run", "trainer.accelerator=cpu"]))
    files = sorted((tmp_path / "run" / "samples").iterdir())
    assert [file.read_bytes() for file in files] == [picture.png for picture in drawn]
    assert sdg.again(files[1], device="cpu").png == drawn[1].png
    *_, last = studio.steps(n=2, seed=1, **words)
    assert [image.tobytes() for image in last.images] == [picture.image.tobytes() for picture in drawn]
    assert [picture.png for picture in last.pictures or []] == [picture.png for picture in drawn]
    assert len({picture.png for picture in drawn}) == 2


def test_a_picture_says_what_it_shows(studio: Studio, folder: Path) -> None:
    (picture,) = studio.draw("a smiling face", seed=4, scale=30, group=2)
    assert (picture.prompt, picture.seed, picture.index) == ("a smiling face", 4, 0)
    assert picture.scores.keys() == {"text"}
    assert len(picture.trace["guided"]["scores"]["text"]) == 3
    assert picture.settings["guidance"]["scale"] == 30
    assert picture._repr_png_() == picture.png
    assert "sampler.steps=3" in picture.command
    (plain, guided) = studio.draw("a smiling face", seed=4, scale=30, unguided=True, group=2)
    assert (plain.prompt, plain.scores) == (None, {})
    assert guided.png == picture.png


def test_steps_tell_what_happens_and_can_be_closed(studio: Studio) -> None:
    steps = studio.steps("a smiling face", scale=30, unguided=True)
    first = next(steps)
    assert (first.number, first.of, first.t) == (1, 3, 999)
    assert first.scores[0] == {}
    assert first.scores[1].keys() == {"text"}
    assert first.gradient_rms[0] is None
    assert first.gradient_rms[1] > 0
    assert all(0 <= share <= 1 for share in first.clipped if share is not None)
    assert first.predicted.size == (64, 32)
    with pytest.raises(SDGError, match="not at their end"):
        studio.draw("a face")
    steps.close()
    assert studio.draw("a face", scale=30)


def test_words_are_told_while_another_thread_draws(studio: Studio) -> None:
    steps = studio.steps("a smiling face", scale=30)
    assert next(steps).pictures is None
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.extend(studio.unknown_words("a zebra with a hat")))
    thread.start()
    thread.join(60)
    assert told == ["zebra"]
    steps.close()


def test_the_square_of_a_picture_is_what_the_networks_see(studio: Studio, tmp_path: Path) -> None:
    """The middle of a wide picture, at the prior's size."""
    wide = Image.new("RGB", (96, 32), "red")
    wide.paste((0, 0, 255), (32, 0, 64, 32))
    wide.save(tmp_path / "wide.png")
    square = studio.square(tmp_path / "wide.png")
    assert (square.size, square.getcolors()) == ((32, 32), [(1024, (0, 0, 255))])
    with pytest.raises(SDGError, match="is not there"):
        studio.square(tmp_path / "none.png")


def test_options_of_a_group_include_the_users_own(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "sampler").mkdir(parents=True)
    (tmp_path / "conf" / "sampler" / "mine.yaml").write_text("defaults: [ddim]\n")
    monkeypatch.chdir(tmp_path)
    assert {"mine", "ddim", "balanced"} <= set(studio.options("sampler"))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are opened meanwhile."""
    names: list[str] = []
    real = builtins.open

    def watched(file: Any, *arguments: Any, **keywords: Any) -> Any:
        names.append(str(file))
        return real(file, *arguments, **keywords)

    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr("io.open", watched)
    return names


def test_another_draw_reads_no_file(studio: Studio, opened: list[str]) -> None:
    studio.draw("a smiling face", scale=30)
    opened.clear()
    studio.draw("a face with a hat", scale=20, steps=2, seed=7, **{"guidance.terms.text.weight": 0.5})
    assert opened == []


def test_networks_are_loaded_once_and_shared(studio: Studio, folder: Path) -> None:
    for kind in KINDS.values():
        studio.draw(**placed(kind, folder))
    before = dict(studio.networks._kept)
    for kind in KINDS.values():
        studio.draw(**placed(kind, folder), seed=1)
    assert studio.networks._kept == before
    kinds = [key.partition(",")[0] for key in before]
    assert sorted(kinds) == ['["denoiser"', '["generator"', '["noise"', '["texts"', '["tower"', '["tower"']


def test_nothing_is_kept_of_past_pictures(studio: Studio) -> None:
    """Counted in tensors: memory itself depends on the allocator."""

    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    studio.draw("a face", scale=30)
    before = tensors()
    for seed in range(4):
        studio.draw("a face", scale=30 + seed, seed=seed)
    assert tensors() <= before


def test_the_callers_mode_neither_matters_nor_changes(studio: Studio) -> None:
    expected = studio.draw("a face", scale=30)[0].png
    with torch.inference_mode():
        assert studio.draw("a face", scale=30)[0].png == expected
        for _ in studio.steps("a face", scale=30):
            assert torch.is_inference_mode_enabled()
        assert torch.is_inference_mode_enabled()
    with torch.no_grad():
        assert studio.draw("a face", scale=30)[0].png == expected


def test_threads_take_turns(studio: Studio) -> None:
    expected = [picture.png for picture in studio.draw("a face", n=3, scale=30)]
    drawn: dict[int, bytes] = {}

    def draw(seed: int) -> None:
        drawn[seed] = studio.draw("a face", n=3, scale=30)[seed].png

    threads = [threading.Thread(target=draw, args=[i]) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [drawn[i] for i in range(3)] == expected


def test_a_closed_studio_says_so(studio: Studio) -> None:
    with Studio(*studio.base.words, device="cpu") as other:
        pass
    with pytest.raises(SDGError, match=r"closed: load another with sdg\.load"):
        other.draw("a face")


@pytest.mark.parametrize(
    "words, message",
    [
        ({"scal": 3}, "no setting scal .did you mean scale"),
        ({"guidance.scal": 3}, "scal"),
        ({"scale": "strong"}, "guidance.scale=strong does not fit: give a number"),
        ({"seed": "x"}, "seed"),
        ({"content": "nothing.png"}, "nothing.png"),
        ({"content": ("face.png", "much")}, "no target with its weight"),
        ({"sampler": "dpm"}, "dpm"),
        ({"n": 0}, "samples_per_prompt=0"),
        ({"scale": object()}, "is no setting"),
        ({"guidance": "content"}, "reads a prompt"),
    ],
)
def test_bad_input_is_told_in_one_line(words: Words, message: str, studio: Studio) -> None:
    with pytest.raises(SDGError, match=message) as caught:
        studio.draw("a face", **words)
    assert "\n" not in str(caught.value)


def test_lost_pictures_are_told(studio: Studio) -> None:
    with pytest.raises(SDGError, match=r"became NaN.*guidance\.clamp"):
        studio.draw("a face", scale=1e38)


@pytest.mark.parametrize("name, words", [("demo", "+experiment=demo"), ("ffhq", "+experiment=ffhq_text")])
def test_a_studio_is_named_by_an_experiment(name: str, words: str) -> None:
    assert sdg.load(name).base.words == (words,)


def test_unknown_names_and_devices_are_told() -> None:
    with pytest.raises(SDGError, match="no experiment or prior imagenet: choose adm, "):
        sdg.load("imagenet")
    with pytest.raises(SDGError, match="no device warp here"):
        sdg.load(device="warp")


class Grey(nn.Module):
    """A prior that knows one picture."""

    def __init__(self) -> None:
        super().__init__()
        self.shade = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return 0 * x + self.shade


def test_a_prior_in_memory_takes_the_place_of_a_file(studio: Studio, tmp_path: Path) -> None:
    prior = Denoiser(Grey(), NoiseSchedule.linear(), 32, parameterisation="x0")
    other = sdg.load(*studio.base.words, "prior.checkpoint=nowhere.pt", prior=prior, device="cpu")
    (picture,) = other.draw(method="unguided")
    assert set(picture.image.tobytes()) == {128}
    with pytest.raises(SDGError, match="drawn with a prior in memory that is not"):
        sdg.again(picture.save(tmp_path / "grey.png"))


@pytest.fixture
def picture(studio: Studio, tmp_path: Path) -> Path:
    return studio.draw("a face", scale=30)[0].save(tmp_path / "a.png")


def test_a_picture_that_says_nothing_is_told(picture: Path, tmp_path: Path) -> None:
    Image.open(picture).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(picture.read_bytes()[:100])
    for name, message in (
        ("b.png", "does not say how it was made"),
        ("c.png", "is not a whole PNG"),
        ("d.png", "there is no picture at"),
    ):
        with pytest.raises(SDGError, match=message):
            sdg.again(tmp_path / name)
