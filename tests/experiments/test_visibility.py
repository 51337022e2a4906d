"""What an encoder can tell apart: the command, the card that it writes, and what it refuses."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from experiments.visibility import __main__ as experiment
from experiments.visibility.questions import read_pairs, sentence, toy_exam
from sdg.checkpoints.card import read_card
from sdg.data.toyfaces import ATTRIBUTES
from sdg.errors import SDGError
from tests.tiny import make_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    words = make_weights(tmp_path_factory.mktemp("weights"))
    return [word for word in words if not word.startswith("prior.")]


def run(folder: Path, weights: list[str], *more: str, train: tuple[str, ...] = ()) -> str:
    train = ("data.size=32", "data.batch_size=8", *train)
    experiment.main(["--train", *weights, *train, "--report", str(folder), "--count", "8", *more])
    return (folder / "results.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_toy_faces_are_asked_about_every_pair_of_values(tmp_path: Path, weights: list[str]) -> None:
    text = run(tmp_path, weights, "--card", str(tmp_path / "card.json"))
    pairs = sum(len(values) * (len(values) - 1) // 2 for values in ATTRIBUTES.values())
    assert text.count("| a face with red hair / a face with grey hair |") == 3
    card = read_card(tmp_path / "card.json")
    assert len(card.pairs) == pairs
    assert (card.levels[0], card.levels[-1], len(card.mean)) == (0, 999, 16)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    files = {
        word.partition("=")[0]: Path(word.partition("=")[2]) for word in weights if "checkpoint=" in word
    }
    card.check("card.json", "encoder", files["encoder.checkpoint"])
    card.check("card.json", "clip", files["encoder.clip_checkpoint"])


def test_an_exam_shows_each_value_on_the_same_faces() -> None:
    exam = toy_exam(3, 16, captions=4)
    question = next(q for q in exam.questions if (q.a, q.b) == ("a smiling face", "a frowning face"))
    assert (len(question.rows_a), question.paired) == (3, True)
    a, b = exam.pictures[question.rows_a], exam.pictures[question.rows_b]
    different = (a != b).any(dim=1)
    assert different.any(dim=(1, 2)).all()
    assert not different[:, -1].any()  # the mouth and the brows, not the shoulders
    assert len(exam.captions) == 4
    assert sentence("beard", "no") == "a face without a beard"


@pytest.mark.slow
def test_any_pictures_need_only_sentences(tmp_path: Path, weights: list[str]) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(17):
        pixels = torch.randint(
            256, (40, 40, 3), generator=torch.Generator().manual_seed(i), dtype=torch.uint8
        )
        Image.fromarray(pixels.numpy()).save(pictures / f"{i:02}.png")
    (tmp_path / "pairs.txt").write_text("a smiling face | a frowning face\n")
    data = (
        "data=folder",
        f"data.root={pictures}",
        "data.train_count=1",
        "data.workers=0",
        f"data.cache={tmp_path}",
    )
    text = run(tmp_path / "r", weights, "--pairs", str(tmp_path / "pairs.txt"), "--count", "16", train=data)
    assert "16 pictures, of which plain CLIP finds the surest quarters" in text
    assert "What noise leaves" not in text  # nobody knows these pictures' pairs
    # Plain CLIP named the pictures itself, and tells them apart almost without noise.
    row = next(line for line in text.splitlines() if line.startswith("| a smiling face / a frowning"))
    assert row.split("|")[2].strip().startswith("1.00")


@pytest.mark.parametrize("line", ["a face", "a face |", "a | b | c", "same | same"])
def test_lines_that_are_no_pair_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(f"a smiling face | a face\n{line}\n")
    with pytest.raises(SDGError, match=r"line 2 of .*pairs\.txt is not like"):
        read_pairs(path)


def test_pictures_without_sentences_are_refused(tmp_path: Path, weights: list[str]) -> None:
    with pytest.raises(SDGError, match="give --pairs FILE"):
        run(tmp_path, weights, train=("data=folder", f"data.root={tmp_path}"))
    with pytest.raises(SDGError, match="--count 1 tells nothing apart"):
        run(tmp_path, weights, "--count", "1")
