"""Training a prior: how its weights lie in memory."""

from types import SimpleNamespace

import pytest
import torch

from sdg.config import build
from sdg.training.optimisation import Optimisation
from sdg.training.prior import PriorTraining
from tests.tiny import NETWORKS, configure


@pytest.mark.parametrize("precision, contiguous", [("bf16-mixed", True), ("32-true", False)])
def test_channels_lie_side_by_side_except_in_half_precision_on_a_cpu(
    precision: str, contiguous: bool
) -> None:
    prior = PriorTraining(build(configure("sample", NETWORKS).prior.denoiser), Optimisation(lr=1e-3))
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    prior._trainer = SimpleNamespace(precision=precision, strategy=strategy)
    prior.on_fit_start()
    for network in (prior.denoiser.network, prior.average):
        weight = next(each for each in network.parameters() if each.ndim == 4 and min(each.shape) > 1)
        assert weight.is_contiguous() == contiguous
        assert weight.is_contiguous(memory_format=torch.channels_last) != contiguous
