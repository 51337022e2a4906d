"""Published numbers again, from the pictures of a run, by NumPy alone: nothing here is of ``sdg.metrics``.

What networks read is given.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
Key = tuple[int, int]


class Run(NamedTuple):
    """A run's folder: its guided samples prompt by prompt, and for each the unguided one of its noise."""

    prompts: list[str]
    keys: list[list[Key]]
    """(P, n), the seed and index of each guided sample."""
    guided: list[int]
    """(P * n), places among the pictures."""
    partners: list[int]
    pictures: NDArray[np.uint8]
    scores: Array


def read(folder: Path) -> Run:
    lines = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    prompts = list(dict.fromkeys(each["prompt"] for each in records if each["scale"] > 0))
    noise = [(each["seed"], each["index"]) for each in records]
    free = {noise[i]: i for i, each in enumerate(records) if each["scale"] == 0}
    rows = [
        sorted((i for i, each in enumerate(records) if each["prompt"] == prompt and each["scale"] > 0),
               key=lambda i: noise[i])
        for prompt in prompts
    ]  # fmt: skip
    guided = [i for each in rows for i in each]
    return Run(
        prompts,
        [[noise[i] for i in each] for each in rows],
        guided,
        [free[noise[i]] for i in guided],
        pictures(folder / each["file"] for each in records),
        np.array([records[i]["scores"]["text"] for i in guided]),
    )


def pictures(files: Iterable[Path]) -> NDArray[np.uint8]:
    """(N, 3, S, S)"""
    return np.stack([np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1) for path in files])


def alignment(answers: NDArray, asked: NDArray) -> dict[str, float]:
    """Of answers (N, A), and what was asked (N, A), -1 for nothing."""
    said = asked >= 0
    right = said & (answers == asked)
    return {"mentioned": right.sum() / said.sum(), "all": (right == said).all(axis=1).mean()}


def spread(guided: Array, free: Array, trusted: Sequence[bool]) -> float:
    """Of nuisances (P, n, K)."""
    above, below = (each.std(axis=1, ddof=1).mean(axis=0)[list(trusted)] for each in (guided, free))
    return float(above.mean() / below.mean())


def drift(guided: NDArray, free: NDArray, silent: NDArray) -> dict[int, float]:
    """Of the values (P, n, A) of a few samples, by column of the attribute; ``silent`` (P, A)."""
    found, samples = {}, guided.shape[1]
    signs = np.array(list(product([-1.0, 1.0], repeat=samples)))
    for column in range(guided.shape[2]):
        squares = []
        for prompt in np.flatnonzero(silent[:, column]):
            change = np.zeros((samples, 9))
            for i in range(samples):
                change[i, guided[prompt, i, column]] += 1
                change[i, free[prompt, i, column]] -= 1
            moved = (np.abs(change.mean(axis=0)).sum() / 2) ** 2
            chance = ((np.abs(signs @ change / samples).sum(axis=1) / 2) ** 2).mean()
            squares.append((moved - chance) * samples / (samples - 1))
        if squares:
            found[column] = max(np.mean(squares), 0.0) ** 0.5
    return found


def frechet(a: Array, b: Array) -> float:
    one, other = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(one @ other).astype(complex)).real.sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(one) + np.trace(other) - 2 * roots)


def kernel(a: Array, b: Array, alike: NDArray, size: int, subsets: int) -> float:
    """``alike`` (N, N): which samples share a prompt or a noise, and are not held against each other."""
    draw, found = np.random.RandomState(2020), []
    for _ in range(subsets):
        i, j = (draw.choice(len(each), size, replace=False) for each in (a, b))
        x, y = a[i], b[j]
        k = lambda p, q: (p @ q.T / a.shape[1] + 1) ** 3  # noqa: E731
        own, its = ~alike[np.ix_(i, i)], ~np.eye(size, dtype=bool)
        found.append(k(x, x)[own].mean() + k(y, y)[its].mean() - 2 * k(x, y).mean())
    return float(np.mean(found))


def prdc(a: Array, b: Array) -> dict[str, float]:
    def away(p: Array, q: Array) -> Array:
        squares = (p**2).sum(1)[:, None] + (q**2).sum(1) - 2 * p @ q.T
        return np.sqrt(np.clip(squares, 0, None))

    def radii(x: Array, k: int) -> Array:
        return np.sort(away(x, x), axis=1)[:, k]

    between = away(a, b)
    inside = between <= radii(b, 5)
    return {
        "precision": (between <= radii(b, 3)).any(axis=1).mean(),
        "recall": (radii(a, 3) >= between.T).any(axis=1).mean(),
        "density": inside.sum(axis=1).mean() / 5,
        "coverage": inside.any(axis=0).mean(),
    }


def diversity(features: Array) -> float:
    """Of (P, n, D)."""
    unit = features / np.linalg.norm(features, axis=2, keepdims=True)
    gram, n = unit @ unit.transpose(0, 2, 1), features.shape[1]
    return float((2 - 2 * (gram.sum(axis=(1, 2)) - n) / (n * (n - 1))).mean())


def vendi(features: Array) -> float:
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit.T @ unit / len(unit))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def ranks(fits: Array, own: NDArray, answer: NDArray) -> NDArray:
    """How many other answers fit each sample (N,) as well as its own; ``answer`` (M,) is each text's."""
    best = np.stack([fits[:, answer == each].max(axis=1) for each in range(answer.max() + 1)], axis=1)
    return (best >= best[np.arange(len(fits)), answer[own]][:, None]).sum(axis=1) - 1
