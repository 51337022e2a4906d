"""The samplings of real models: each composes, says what it takes, and names the weights it lacks."""

import itertools
import re
import shlex
from pathlib import Path

import pytest
from hydra.errors import InstantiationException

from sdg.composition import ROOT
from sdg.config import one_line
from sdg.errors import SDGError
from sdg.sampling.run import sample
from tests.tiny import configure

DATA = ("ffhq", "lsun_bedroom", "lsun_cat", "lsun_horse")
WEIGHTS = {
    "text": {"text": 160.0},
    "content": {"content": 100.0},
    "style": {"style": 0.1},
    "mix": {"text": 160.0, "content": 100.0},
}
"""What multiplies each term; but for style, as the paper's authors publish it for LSUN bedrooms."""


@pytest.mark.parametrize("data, control", list(itertools.product(DATA, WEIGHTS)))
def test_an_experiment_composes_what_its_name_says(data: str, control: str) -> None:
    name = f"{data}_{control}"
    config = configure("sample", [f"+experiment={name}"])
    prior, encoder = (configure("sample", [group]) for group in (f"prior={data}", "encoder=rn50x16"))
    assert config.prior == prior.prior
    assert config.encoder.network == encoder.encoder.network
    assert config.encoder.clip == encoder.encoder.clip
    assert config.prior.denoiser.image_size == config.encoder.network.image_size == 256
    # What the fine-tuning on these pictures leaves.
    trained = configure("train", [f"+experiment={data}_clip"])
    assert config.encoder.checkpoint == trained.callbacks.export.path
    guidance = config.guidance
    assert {k: guidance.scale * term.weight for k, term in guidance.terms.items()} == WEIGHTS[control]
    assert (config.sampler.steps, config.sampler.rule._target_) == (100, "sdg.diffusion.ddpm.DDPM")
    assert bool(config.prompts) == ("text" in WEIGHTS[control])


@pytest.mark.parametrize("data, control", list(itertools.product(DATA, WEIGHTS)))
def test_an_experiment_is_headed_by_its_command_and_what_it_takes(data: str, control: str) -> None:
    lines = (ROOT / "conf" / "experiment" / f"{data}_{control}.yaml").read_text("utf-8").splitlines()
    header = " ".join(itertools.takewhile(lambda line: line.startswith("#"), lines))
    assert f"python sample.py +experiment={data}_{control} " in header
    for word in ("Hardware", "memory", "time"):
        assert word.lower() in header.lower()
    if "for lsun_bedroom" not in header:
        assert "derived" in header


@pytest.mark.parametrize(
    "given, message",
    [
        ([], r"no checkpoint at .*/ffhq_10m\.pt: give prior\.checkpoint=PATH, or add prior\.download=true"),
        (["prior.checkpoint=FILE"], r"fetch http.*/RN50x16\.pt to .*, or give encoder\.clip_checkpoint=PATH"),
        (
            ["prior.checkpoint=FILE", "encoder.clip_checkpoint=FILE"],
            r"no checkpoint at outputs/.*/ffhq_clip\.safetensors: train it, or give encoder\.checkpoint=PATH",
        ),
    ],
)
def test_weights_that_are_not_there_are_named_before_any_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.pt").write_bytes(b"no weights at all")
    words = [word.replace("FILE", str(tmp_path / "w.pt")) for word in given]
    with pytest.raises((SDGError, InstantiationException)) as caught:
        sample(configure("sample", ["+experiment=ffhq_text", *words, "output_dir=out"]))
    assert re.search(message, one_line(caught.value))
    assert [path.name for path in tmp_path.iterdir()] == ["w.pt"]


@pytest.mark.parametrize("guide", ["checkpoints.md", "release.md"])
def test_the_commands_of_a_guide_compose(guide: str) -> None:
    lines = (ROOT / "docs" / guide).read_text("utf-8").splitlines()
    commands = [line for line in lines if line.startswith(("python train.py", "python sample.py"))]
    assert len(commands) >= 6
    for command in commands:
        _, script, *words = shlex.split(command, comments=True)
        configure(script.removesuffix(".py"), words)
