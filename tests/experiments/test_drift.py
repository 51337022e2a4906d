"""Ways of guiding, held against one another: renders in place of samples, and an untrained judge."""

from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from experiments import running
from experiments.drift import __main__ as experiment
from experiments.drift.table import write_table
from experiments.drift.ways import WAYS, ways
from experiments.grid import Point, Way
from sdg.checkpoints import save_weights
from sdg.config import build
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.errors import SDGError
from sdg.guidance.weight import NoiseWindow, Visible
from sdg.metrics.measure import Measure
from sdg.networks.judge import Judge
from tests.metrics.examples import SIZE, face, pixels, record, write_run
from tests.tiny import configure

PAIRS = ("encoder=toyfaces", "encoder=toyfaces_detail")
METRICS = ["alignment", "alignment_redrawn", "drift"]


def test_draws_evaluates_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    judge = Judge({k: len(v) for k, v in ATTRIBUTES.items()}, len(NUISANCES), image_size=SIZE, features=16)
    save_weights(tmp_path / "judge.safetensors", judge)
    other = tmp_path / "earlier"
    other.mkdir()
    for name in ("clip.safetensors", "time_clip.safetensors", "time_clip.json"):
        (other / name).write_bytes(b"")
    drawn: list[DictConfig] = []

    def sample(config: DictConfig) -> None:
        drawn.append(config)
        seeds = range(config.samples_per_prompt)
        samples = [(record(None, i), pixels(*face(i))[0]) for i in seeds]
        for prompt in config.prompts:
            samples += [(record(prompt, i), pixels(*face(i))[0]) for i in seeds]
        write_run(Path(config.output_dir), samples)

    monkeypatch.setattr(running, "sample", sample)
    options = [
        "--ways",
        "paper",
        "contrast_window",
        "--prompts",
        "3",
        "--samples",
        "2",
        "--metrics",
        *METRICS,
    ]
    folders = ["--output", str(tmp_path / "output"), "--report", str(tmp_path / "report")]
    judging = [f"judge.checkpoint='{tmp_path / 'judge.safetensors'}'", f"judge.network.image_size={SIZE}"]
    judging += ["+judge.network.features=16"]
    experiment.main([*options, *folders, "--encoders", "toyfaces", str(other), "--evaluate", *judging])

    names = [f"{way}_{pair}" for pair in ("toyfaces", "earlier") for way in ("paper", "contrast_window")]
    assert [Path(each.output_dir).name for each in drawn] == names
    assert [each.guidance.contrast for each in drawn] == [None, "mean"] * 2
    assert [Path(each.encoder.card).parent.name for each in drawn] == ["toyfaces"] * 2 + ["earlier"] * 2
    text = (tmp_path / "report" / "results.md").read_text(encoding="utf-8")
    assert text.count("\n| contrast_window, earlier | ") == 2
    # Nothing was guided, so nothing has drifted, and prompts are right as often as by chance.
    assert "\n| paper, toyfaces | 0.00 | " in text.partition("## What they don't")[2]


def test_each_way_is_drawn_with_every_encoder_and_every_prior(tmp_path: Path) -> None:
    for name in ("clip.safetensors", "time_clip.safetensors", "time_clip.json", "mouths.safetensors"):
        (tmp_path / name).write_bytes(b"")
    prior = tmp_path / "mouths.safetensors"
    words = ["--ways", "paper", "visible", "--priors", str(prior)]
    found = ways(experiment.parse([*words, "--encoders", "toyfaces_detail", str(tmp_path)]))
    new = tmp_path.name
    assert [way.name for way in found] == [
        f"{way}, {pair}{prior}"
        for prior in ("", ", mouths")
        for pair in ("toyfaces_detail", new)
        for way in ("paper", "visible")
    ]
    both = configure("sample", found[-1].settings)
    assert both.prior.checkpoint == str(prior)
    assert both.encoder.card == str(tmp_path / "time_clip.json")
    assert configure("sample", found[0].settings).prior.checkpoint.endswith("toyfaces/prior.safetensors")


def test_the_papers_form_is_one_word() -> None:
    guidance = configure("sample", ["guidance=text_paper"]).guidance
    assert (guidance.contrast, guidance.scale, guidance.terms.text.weight) == (None, 400.0, 1.0)


def test_an_encoder_says_how_it_is_asked_best() -> None:
    plain, taught = (configure("sample", [word, "guidance=text"]).guidance for word in PAIRS)
    assert (plain.contrast, plain.scale, plain.terms.text.weight) == (None, 400.0, 1.0)
    assert (taught.contrast, taught.scale, taught.terms.text.weight) == ("mean", 200.0, "visible")
    mix = configure("sample", [PAIRS[1], "guidance=mix"]).guidance
    assert (mix.contrast, mix.scale, mix.terms.text.weight) == (None, 400.0, 1.0)


@pytest.mark.parametrize(
    "guidance, copy",
    [
        ("text", "time_clip_detail"),
        ("text_seen", "time_clip_detail"),
        ("text_paper", "time_clip"),
        ("content", "time_clip"),
        ("structure", "time_clip"),
        ("mix", "time_clip"),
    ],
)
def test_words_and_pictures_are_seen_by_the_copy_that_suits_them(guidance: str, copy: str) -> None:
    assert Path(configure("sample", [f"guidance={guidance}"]).encoder.checkpoint).stem == copy
    for own in ("toyfaces", "toyfaces_detail"):
        named = configure("sample", [f"guidance={guidance}", f"encoder={own}"]).encoder.checkpoint
        assert named == configure("sample", [f"encoder={own}"]).encoder.checkpoint


def test_ways_are_what_they_are_called() -> None:
    for name, settings in WAYS.items():
        guidance = configure("sample", [PAIRS[0], *settings]).guidance
        weight = build(guidance.terms.text).weight
        assert (guidance.contrast == "mean") == ("contrast" in name)
        assert (guidance.contrast == "opposite") == ("opposite" in name)
        assert isinstance(weight, NoiseWindow) == ("window" in name)
        assert isinstance(weight, Visible) == ("visible" in name)


def test_a_distance_is_told_with_its_floor(tmp_path: Path) -> None:
    """The runs above are too small for one."""
    measure = Measure("", 55.04, 192, beside=("floor", 15.52))
    report = {"counts": {"prompts": 48, "guided": 192}, "protocols": {}}
    spread = Measure("", 1.0, 192)
    point = Point(Way("paper", []), {"fd_judge_guided": measure, "spread/all": spread}, report)
    write_table([point], tmp_path, "python")
    assert "| 55 (floor 15.5) |" in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    with pytest.raises(SDGError, match=r"has no clip\.safetensors: give encoders of conf/encoder"):
        experiment.main(["--encoders", str(tmp_path), "--output", str(tmp_path / "output")])
    with pytest.raises(SDGError, match=r"there is no prior at nowhere\.safetensors: give one like"):
        experiment.main(["--priors", "nowhere.safetensors", "--output", str(tmp_path / "output")])
    with pytest.raises(SDGError, match="use --samples from 2"):
        experiment.main(["--samples", "1"])
