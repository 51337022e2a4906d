"""Every kind of published number of a run, evaluated, and computed again by NumPy from the same pictures."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from experiments.scaling.evaluating import PROMPTS, make
from sdg.checkpoints import load_weights
from sdg.config import build
from sdg.data.toyfaces import ATTRIBUTES, MARGINALS, NUISANCES, SPLITS, faces
from sdg.metrics.run import evaluate
from sdg.pixels import to_bytes
from tests.metrics import by_numpy
from tests.metrics.test_run import config

METRICS = (
    "score,alignment,spread,drift,fd_judge_reference,kd_judge,prdc_judge,diversity_judge,vendi_judge,"
    "retrieval_judge,gap_judge"
)


@pytest.mark.slow
def test_a_stranger_finds_the_same_numbers(tmp_path: Path) -> None:
    """4 noises of 100 prompts, and 300 pictures to compare with. All agree to rounding."""
    folder, there = make(tmp_path / "run", 404, steps=2), tmp_path / "reference"
    there.mkdir()
    renders, _ = faces(0, torch.arange(300) + SPLITS["test"].start, 64)
    for number, image in enumerate(to_bytes(renders)):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(there / f"{number:03d}.png")
    words = [f"samples='{folder}'", f"reference='{there}'", f"mentions='{PROMPTS}'", f"cache='{tmp_path}'"]
    settings = config(*words, f"metrics=[{METRICS}]", "device=cpu")
    measured = evaluate(settings).whole().report["measures"]

    run = by_numpy.read(folder)
    logits, nuisances, features = judge(settings, run.pictures)
    _, _, reference = judge(settings, by_numpy.pictures(sorted(there.glob("*.png"))))
    rows, sizes = run.guided, [len(values) for values in ATTRIBUTES.values()]
    ends = np.cumsum([0, *sizes])
    parts = [logits[:, low:high] for low, high in pairwise(ends)]
    answers = np.stack([part.argmax(axis=1) for part in parts], axis=1)
    asked = mentioned(run.prompts)
    shape = (len(run.prompts), -1)
    own = np.repeat(np.arange(len(run.prompts)), len(rows) // len(run.prompts))

    found = {"score/text": run.scores.mean()}
    of = by_numpy.alignment(answers[rows], asked[own])
    found |= {f"alignment/{name}": value for name, value in of.items()}
    besides = {name: measure.get("beside", {}) for name, measure in measured.items()}
    trusted = [name for name, beside in besides.items() if beside.get("unexplained", 1) < 0.3]
    chosen = [f"spread/{name}" in trusted for name in NUISANCES]
    both = (nuisances[rows].reshape(*shape, 11), nuisances[run.partners].reshape(*shape, 11))
    found["spread/all"] = by_numpy.spread(*both, chosen)
    moved = (answers[rows].reshape(*shape, 8), answers[run.partners].reshape(*shape, 8))
    names = list(ATTRIBUTES)
    found |= {f"drift/{names[i]}": value for i, value in by_numpy.drift(*moved, asked < 0).items()}
    x = features[rows]
    noises = [key for keys in run.keys for key in keys]
    same = np.array([[a == b for a in noises] for b in noises]) | (own[:, None] == own)
    found["fd_judge_reference"] = by_numpy.frechet(x, reference)
    found["kd_judge"] = by_numpy.kernel(x, reference, same, size=100, subsets=100)
    found |= {f"prdc_judge/{name}": value for name, value in by_numpy.prdc(x, reference).items()}
    found["diversity_judge"] = by_numpy.diversity(x.reshape(*shape, x.shape[1]))
    found["vendi_judge"] = by_numpy.vendi(x)

    pointwise = np.concatenate(
        [
            part - np.log(np.exp(part).sum(axis=1, keepdims=True)) - np.log(MARGINALS[name])
            for part, name in zip(parts, ATTRIBUTES, strict=True)
        ],
        axis=1,
    )
    texts = np.concatenate([np.eye(size + 1)[asked[:, i] + 1][:, 1:] for i, size in enumerate(sizes)], axis=1)
    classes = np.unique(texts, axis=0, return_inverse=True)[1].ravel()
    by_judge = by_numpy.ranks(pointwise[rows] @ texts.T, own, classes)
    by_guide = by_numpy.ranks(guide(settings, run.pictures[rows], run.prompts), own, classes)
    for k in (1, 5, 10, 20):
        found[f"retrieval_judge/top_{k}"] = (by_judge < k).mean()
        found[f"gap_judge/top_{k}"] = (by_guide < k).mean() - (by_judge < k).mean()

    assert len(np.unique(classes)) == len(run.prompts) == 100
    for name, value in found.items():
        assert measured[name]["value"] == pytest.approx(value, rel=1e-4, abs=1e-5), name


def judge(settings, pictures):  # type: ignore[no-untyped-def]
    """Logits of all values, nuisances and features, by the shipped network itself."""
    network = load_weights(build(settings.judge.network), settings.judge.checkpoint)
    with torch.no_grad():
        read = [network(torch.from_numpy(part).float() / 127.5 - 1) for part in np.array_split(pictures, 8)]
    logits = [torch.cat(list(each.attributes.values()), dim=1) for each in read]
    columns = (logits, [each.nuisances for each in read], [each.features for each in read])
    return [torch.cat(each).double().numpy() for each in columns]


def guide(settings, pictures, prompts):  # type: ignore[no-untyped-def]
    """The cosines of pictures and prompts, by the guide itself."""
    network = build(settings.features.guide)
    with torch.no_grad():
        seen = torch.cat([network(torch.from_numpy(part)) for part in np.array_split(pictures, 8)])
        return (seen.double() @ network.texts(prompts).double().T).numpy()


def mentioned(prompts: list[str]) -> NDArray[np.int64]:
    """The number of the value that each prompt mentions, (P, A), or -1."""
    lines = map(json.loads, PROMPTS.read_text("utf-8").splitlines())
    said = {line["prompt"]: line["mentioned"] for line in lines}
    return np.array(
        [
            [
                values.index(said[prompt][name]) if name in said[prompt] else -1
                for name, values in ATTRIBUTES.items()
            ]
            for prompt in prompts
        ]
    )
