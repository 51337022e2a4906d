"""The Fréchet distance of wide features: ours against scipy's matrix root, which most programs use."""

import time
from collections.abc import Callable
from typing import Any

import scipy.linalg
import torch
from torch import Tensor

from sdg.metrics.frechet import Moments, frechet_distance
from sdg.randomness import keyed_generator


def by_matrix_root(a: Moments, b: Moments) -> float:
    """The squared distance by its textbook formula: tr (Σ_a Σ_b)^{1/2} by scipy's Schur decomposition."""
    root = scipy.linalg.sqrtm((a.covariance @ b.covariance).numpy()).real
    spread = a.covariance.trace() + b.covariance.trace() - 2 * root.trace()
    return float((a.mean - b.mean).square().sum() + spread)


def race_distances(width: int) -> dict[str, Any]:
    """Milliseconds of both for two sets of ``width`` features, with ours timed before and after scipy's, and
    the difference of the values relative to scipy's."""
    few = Moments.of(_features(min(width, 256), "few"))
    for distance in (frechet_distance, by_matrix_root):  # warms up their libraries
        distance(few, few)
    a, b = (Moments.of(_features(width, name)) for name in ("one", "other"))
    times: dict[str, list[float]] = {"sdg": [], "scipy": []}
    values = {}
    for name, distance in (("sdg", frechet_distance), ("scipy", by_matrix_root), ("sdg", frechet_distance)):
        milliseconds, values[name] = _timed(distance, a, b)
        times[name].append(milliseconds)
    apart = abs(values["sdg"] - values["scipy"]) / abs(values["scipy"])
    return {"width": width, "milliseconds": times, "apart": apart}


def _timed(distance: Callable[[Moments, Moments], float], a: Moments, b: Moments) -> tuple[float, float]:
    start = time.perf_counter()
    value = distance(a, b)
    return 1000 * (time.perf_counter() - start), value


def _features(width: int, name: str) -> Tensor:
    """Twice as many rows as columns, with a spectrum that decays like those of networks."""
    generator = keyed_generator("distance", name)
    mix = torch.randn(width, width, generator=generator) / torch.arange(1, width + 1).sqrt()
    return torch.randn(2 * width, width, generator=generator) @ mix.T
