"""The judge of photographs against labels: a judge that reads them off a picture's colour."""

import re
from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from PIL import Image
from torch import Tensor

from experiments.grid import Point
from experiments.photographs import __main__ as experiment
from experiments.photographs.ways import DIVERSITY, Way, choose, controls, read_rungs
from sdg.errors import SDGError
from sdg.metrics import judges
from sdg.metrics.measure import Measure
from sdg.networks.face_judge import FaceJudge
from sdg.networks.judge import Judgement

AGES = {"baby": [0, 3], "child": [3, 13], "young": [13, 36], "middle-aged": [36, 60], "elderly": [60, 120]}


class ColourJudge(FaceJudge):
    """Red is the age in years; green a woman; it never sees a smile."""

    def __init__(self) -> None:
        super().__init__(AGES)

    def years(self, images: Tensor) -> Tensor:
        return ((images[:, 0, 0, 0] + 1) * 127.5).round()

    def forward(self, images: Tensor) -> Judgement:
        count, green = len(images), images[:, 1, 0, 0]
        sex, smile = torch.stack([-green, green], dim=1), torch.tensor([[0.0, 1.0]]).repeat(count, 1)
        logits = {"age": self._groups(self.years(images)), "sex": sex, "smile": smile}
        return Judgement(logits, torch.zeros(count, 0), torch.zeros(count, 128))


def save(path: Path, red: int, green: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), (red, green, 0)).save(path)


def test_tells_how_often_the_judge_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges.FaceApiJudge, "load", lambda self: ColourJudge())
    monkeypatch.setattr(judges.FaceApiJudge, "digest", lambda self: "0123456789abcdef")
    # The last is said to be 40 and a man, and looks 20 and like a woman.
    rows = ["a.png,2,woman", "b.png,70,man", "c.png,20,man", "d.png,40,man"]
    for name, colour in {"a": (2, 255), "b": (70, 0), "c": (20, 0), "d": (20, 255)}.items():
        save(tmp_path / "faces" / f"{name}.png", *colour)
    (tmp_path / "faces" / "labels.csv").write_text("\n".join(["file,age,sex", *rows]) + "\n")
    for folder in ("smiling", "not_smiling"):
        save(tmp_path / "smiles" / folder / "a.png", 0, 0)
    sets = [f"faces64={tmp_path / 'faces'}", f"smile64={tmp_path / 'smiles'}"]
    experiment.main(["judge", "--folder", "package", "--data", *sets, "--report", str(tmp_path / "report")])
    text = (tmp_path / "report" / "judge.md").read_text("utf-8")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "64 |" in line]
    assert {(data, what): (value, count) for data, what, value, _, count in cells} == {
        ("faces64", "age right"): ("0.750", "4"),
        ("faces64", "of baby"): ("1.000", "1"),
        ("faces64", "of young"): ("1.000", "1"),
        ("faces64", "of middle-aged"): ("0.000", "1"),
        ("faces64", "of elderly"): ("1.000", "1"),
        ("faces64", "sex right"): ("0.750", "4"),
        ("faces64", "of man"): ("0.667", "3"),
        ("faces64", "of woman"): ("1.000", "1"),
        ("faces64", "age, mean error in years"): ("5.000", "4"),
        ("smile64", "smile right"): ("0.500", "2"),
        ("smile64", "of smiling"): ("0.000", "1"),
        ("smile64", "of not smiling"): ("1.000", "1"),
    }
    assert "weights 0123456789ab." in text


def test_bad_input_ends_in_one_line(tmp_path: Path) -> None:
    data = ["--data", f"faces64={tmp_path}"]
    with pytest.raises(SDGError, match="npm pack @vladmandic/face-api"):
        experiment.main(["judge", *data])
    with pytest.raises(SDGError, match="use --count 2, or more"):
        experiment.main(["judge", *data, "--count", "1"])
    with pytest.raises(SDGError, match=r"0\.1 minutes are too few to train: use --minutes 1, or more"):
        experiment.main(["train", "--photographs", str(tmp_path), "--minutes", "0.1"])
    drawing = ["quick", "--photographs", str(tmp_path), "--report", str(tmp_path)]
    with pytest.raises(SDGError, match="there is no way words: use text, clip_x0, "):
        experiment.main([*drawing, "--only", "words"])
    (tmp_path / "strengths.json").write_text("[1]")
    with pytest.raises(SDGError, match="does not hold strengths of ways: write it anew with strengths"):
        experiment.main(drawing)


@pytest.mark.parametrize(
    "rows, what",
    [
        (["a.png,2,man", "b.png,30,woman", "c.png,30,man"], "names 1 picture that .* has not, such as c.png"),
        (["a.png,2,man"], "says nothing of 1 picture, such as .*b.png"),
        (["a.png,2,man", "b.png,300,woman"], "b.png: age is '300', none of baby"),
    ],
)
@pytest.mark.parametrize("part", ["judge", "train"])
def test_a_table_that_does_not_fit_its_pictures_ends_every_command_that_reads_it(
    part: str, rows: list[str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judges.FaceApiJudge, "load", lambda self: ColourJudge())
    for name in ("a", "b"):
        save(tmp_path / "faces" / f"{name}.png", 0, 0)
    (tmp_path / "faces" / "labels.csv").write_text("\n".join(["file,age,sex", *rows]) + "\n")
    own = {
        "judge": ["--data", f"faces64={tmp_path / 'faces'}"],
        "train": ["--photographs", str(tmp_path / "faces")],
    }
    folders = {"judge": ["--report"], "train": ["--report", str(tmp_path / "out"), "--output"]}
    with pytest.raises(InstantiationException) as caught:
        experiment.main([part, *own[part], *folders[part], str(tmp_path / "out")])
    assert isinstance(caught.value.__cause__, SDGError)
    assert re.search(what, str(caught.value.__cause__))
    assert not (tmp_path / "out").exists()


def test_the_strength_chosen_is_the_best_of_those_that_keep_enough_diversity() -> None:
    ladder = {name: controls([])[name] for name in ("text", "content")}

    def best(name: str, **rungs: tuple[float, float]) -> float:
        """Of rungs: what is reached, and the diversity of what unguided samples have as 2."""
        points = [
            Point(
                Way(name, ladder[name], float(times.removeprefix("x")), ()),
                {
                    ladder[name].goal: Measure("", goal, 1),
                    DIVERSITY: Measure("", diversity, 1, beside=("unguided", 2.0)),
                },
            )
            for times, (goal, diversity) in rungs.items()
        ]
        return choose(points).way.times

    assert best("text", x1=(0.5, 1.9), x2=(0.7, 1.6), x4=(0.9, 1.59)) == 2
    assert best("text", x1=(0.5, 1.5), x2=(0.7, 1.4)) == 1
    assert best("content", x1=(0.9, 1.9), x2=(0.5, 1.2), x4=(0.6, 1.5)) == 2  # a distance
    assert read_rungs(Path("nowhere")) == {}


def test_a_strength_multiplies_every_number_that_it_is() -> None:
    every = controls(["mpgd"])
    settings = every["text"].settings(0.5, ["prior=faces64"])
    assert settings == ["guidance=text_paper", "guidance.scale=200"]
    assert every["text"].settings(1.0, []) == ["guidance=text_paper"]
    assert every["ilvr_8"].settings(1.0, []) == ["method=ilvr", "constraint.factor=8"]
    assert every["text_mpgd"].guide == "clip_guide"
