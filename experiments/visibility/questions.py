"""Which pictures are asked about, and what: toy faces drawn for it, or any pictures and sentences."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sdg.data.prompts import read_lines
from sdg.data.toyfaces import ATTRIBUTES, SPLITS, render, sample_attributes, sample_nuisances
from sdg.data.toyfaces.captions import caption
from sdg.errors import SDGError
from sdg.metrics.visibility import Question, ranked
from sdg.networks.clip import CLIP

BAR = "|"


class Exam(NamedTuple):
    """Pictures, questions about them, and captions of such pictures."""

    pictures: Tensor
    """(P, 3, S, S) in [-1, 1]"""
    questions: list[Question]
    captions: list[str]
    told: str
    """Where the pictures are from, in words."""


def sentence(name: str, value: str) -> str:
    """The plainest sentence that says of a toy face that it has this value."""
    match name:
        case "hair_color" | "hair_length":
            return f"a face with {value} hair"
        case "skin":
            return f"a face with {value} skin"
        case "background":
            return f"a face on a {value} background"
        case "expression":
            return f"a {value} face"
    thing = name if name == "glasses" else f"a {name}"
    return f"a face {'with' if value == 'yes' else 'without'} {thing}"


def toy_exam(count: int, size: int, captions: int = 2048) -> Exam:
    """For each attribute, ``count`` test faces with each of its values in turn, all else the same."""
    index = torch.arange(count) + SPLITS["test"].start
    faces, nuisances = sample_attributes(0, index), sample_nuisances(0, index)
    pictures, questions = [], []
    for column, (name, values) in enumerate(ATTRIBUTES.items()):
        first = len(pictures) * count
        for value in range(len(values)):
            changed = faces.clone()
            changed[:, column] = value
            pictures.append(render(changed, nuisances, size))
        rows = [torch.arange(count) + first + value * count for value in range(len(values))]
        questions += [
            Question(sentence(name, values[i]), sentence(name, values[j]), rows[i], rows[j], paired=True)
            for i, j in combinations(range(len(values)), 2)
        ]
    described = sample_attributes(0, torch.arange(captions)).tolist()
    texts = [caption(row, 0, number).text for number, row in enumerate(described)]
    told = f"{count} toy faces of the test split, drawn with each value of each attribute in turn"
    return Exam(torch.cat(pictures), questions, texts, told)


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Pairs of sentences, a line each, with a bar between the two.

    Raises:
        SDGError: no such file, or a line that does not look like this.
    """
    pairs = []
    for number, line in read_lines(path, "pairs").items():
        parts = [part.strip() for part in line.split(BAR)]
        if len(parts) != 2 or not all(parts) or parts[0] == parts[1]:
            raise SDGError(f"line {number} of {path} is not like: a smiling woman {BAR} a frowning woman")
        pairs.append((parts[0], parts[1]))
    if not pairs:
        raise SDGError(
            f"{path} has no pairs of sentences: write for example a smiling woman {BAR} a frowning woman"
        )
    return pairs


@torch.no_grad()
def any_exam(pictures: Tensor, pairs: Sequence[tuple[str, str]], clip: CLIP, captions: Sequence[str]) -> Exam:
    """Of any pictures those of which plain CLIP is surest: the quarters that fit a sentence best and worst.

    Raises:
        SDGError: too few pictures.
    """
    seen = torch.cat([clip.encode_image(batch.to(clip.device)).cpu() for batch in pictures.split(64)])
    questions = []
    for a, b in pairs:
        direction = torch.sub(*clip.encode_text([a, b])).cpu()
        questions.append(Question(a, b, *ranked(seen @ direction)))
    told = (
        f"{len(pictures)} pictures, of which plain CLIP finds the surest quarters for each of two sentences"
    )
    texts = list(captions) or list(dict.fromkeys(text for pair in pairs for text in pair))
    return Exam(pictures, questions, texts, told)
