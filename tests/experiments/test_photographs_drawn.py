"""The method on photographs: all its commands on tiny networks and coloured squares."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.photographs import __main__ as experiment
from experiments.photographs import strengths, training
from experiments.photographs.studies import Size
from experiments.photographs.ways import controls, read_rungs
from sdg.metrics import judges
from sdg.networks.judge import Judgement
from tests.experiments.test_photographs import ColourJudge
from tests.tiny import TRAINING, make_weights


class Square(ColourJudge):
    """Identity is what the picture looks like from afar."""

    def forward(self, images: Tensor) -> Judgement:
        seen = torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
        return super().forward(images)._replace(features=seen)


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty pictures of 32 px, no two alike."""
    monkeypatch.setattr(judges.FaceApiJudge, "load", lambda self: Square())
    monkeypatch.setattr(judges.FaceApiJudge, "digest", lambda self: "0123456789abcdef")
    monkeypatch.setenv("SDG_CACHE", str(tmp_path / "cache"))
    generator, folder = torch.Generator().manual_seed(0), tmp_path / "photographs"
    folder.mkdir()
    for number in range(60):
        blocks = torch.randint(0, 256, (4, 4, 3), generator=generator, dtype=torch.uint8).numpy()
        Image.fromarray(blocks).resize((32, 32), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    rows = [f"{number}.png,{20 + number % 50},{('man', 'woman')[number % 2]}" for number in range(60)]
    (folder / "labels.csv").write_text("\n".join(["file,age,sex", *rows]) + "\n")
    return folder


TINY = Size(prompts=2, references=2, pairs=2, parts=2, samples=2, alone=24, heldout=30)


@pytest.mark.slow
def test_one_command_draws_and_measures_every_way(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = [*make_weights(tmp_path, "prior=faces64", "encoder=faces64"), "sampler.steps=2", "group=2"]
    sample = [*tiny, "trainer.accelerator=cpu", "guidance.scale=1"]
    split = ["data.size=32", "data.validation_share=0.6", "data.workers=0", f"data.cache='{tmp_path}'"]
    given = ["--photographs", str(photographs), "--report", str(tmp_path / "report"), "--arms", "mpgd"]
    more = ["--sample", *sample, "--train", *split]
    monkeypatch.setitem(strengths.SIZES, "strengths", TINY._replace(alone=0))
    monkeypatch.setattr(strengths, "RUNGS", (1.0, 2.0))
    ladder = {name: own for name, own in controls(["mpgd"]).items() if name in ("content", "ilvr_8")}
    monkeypatch.setattr(experiment, "controls", lambda arms: ladder)
    experiment.main(["strengths", *given, "--output", str(tmp_path / "ladder"), *more])
    assert read_rungs(tmp_path / "report" / "strengths.json").keys() == {"content"}
    sizes = [word for name, size in TINY._asdict().items() for word in (f"--{name}", str(size))]
    seen = ["--seen", str(photographs)]
    experiment.main(["quick", *given, "--output", str(tmp_path / "drawn"), *sizes, *seen, *more])
    text = (tmp_path / "report" / "results.md").read_text("utf-8")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        *("## Words", "## Pictures", "## Words beside a picture", "## The prior alone"),
        *("## What fine-tuning buys", "## Protocols"),
    ]
    for title in ("words", "words, clip_x0", "words, mpgd", "the same, prompts shuffled", "ILVR, N = 8"):
        assert f"| {title} |" in text
    for figure in ("numbers", "pictures", "references", "retrieval"):
        assert (tmp_path / "report" / f"{figure}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_one_command_trains_what_the_others_draw_with_and_goes_on_where_it_stopped(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    smiles = tmp_path / "smiles"
    for number, folder in enumerate(("smiling", "not_smiling") * 4):
        (smiles / folder).mkdir(parents=True, exist_ok=True)
        Image.new("L", (32, 32), 20 * number).save(smiles / folder / f"{number}.png")
    monkeypatch.setattr(training, "STEPS", {"clip_pretrain": 2, "clip": 2})
    own = [*TRAINING, "data.train_count=null", "data.validation_share=0.2", f"data.cache='{tmp_path}'"]
    own += ["data.workers=0", "trainer.val_check_interval=2"]
    given = ["train", "--photographs", str(photographs), "--smiles", str(smiles), "--folder", "package"]
    given += ["--output", str(tmp_path / "train"), "--report", str(tmp_path / "report"), "--every", "2"]
    given += ["--count", "110", "--train", *(word for word in own if not word.startswith("data.val_count"))]
    experiment.main([*given, "--steps", "2"])
    experiment.main([*given, "--steps", "4"])
    said = capsys.readouterr().out
    assert "clip: all 2 steps are done" in said
    assert "prior: from step 2 to 4, 150 minutes at most" in said
    curve = json.loads((tmp_path / "train" / "faces64_prior" / "curve" / "curve.json").read_text())
    assert curve.keys() == {"2", "4"}
    assert (tmp_path / "report" / "prior.png").read_bytes().startswith(b"\x89PNG")
    rows = (tmp_path / "train" / "faces" / "labels.csv").read_text().splitlines()
    assert (rows[0], len(rows)) == ("file,age,sex,smile", 69)
    assert {"aged/7.png,27,woman,", "smiles/smiling/0.png,,,1", "smiles/not_smiling/7.png,,,0"} < set(rows)
