"""The judge of photographs against labels: a judge that reads them off a picture's colour."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.photographs import __main__ as experiment
from sdg.errors import SDGError
from sdg.metrics import judges
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
