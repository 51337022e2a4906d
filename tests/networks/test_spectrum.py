"""Spectral features: the fit in closed form, the objective, and what is exported."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sdg.config import build
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.networks.spectrum import Spectrum, fitted, whitener
from sdg.training.optimisation import Optimisation
from sdg.training.spectral import MEMORY, SpectralTraining, disagreement
from tests.tiny import configure

SIZES: dict[str, Any] = {"layers": [1] * 4, "width": 2, "heads": 2, "sinusoid_dim": 4, "time_dim": 4}


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spectrum(features: int = 3, levels: tuple[int, ...] = (0, 500, 999)) -> Spectrum:
    torch.manual_seed(0)
    return Spectrum(levels, features, 2, image_size=32, **SIZES).eval()


def test_the_fit_is_that_of_least_squares_and_the_product_with_whitened_features() -> None:
    """c_t · φ̃ with c_t = E[h φ̃], φ̃ whitened and a constant, as published, is the regression of h."""
    phi = draws(200, 3) @ draws(3, 3, seed=1) + 2
    h = phi @ draws(3, 2, seed=2) + 0.3 * draws(200, 2, seed=3) - 1
    z = torch.cat([torch.ones(200, 1, dtype=torch.float64), phi, h], dim=1)
    table = fitted(z.mT @ z / 200, 3, ridge=0.0)
    ones = torch.ones(200, 1, dtype=torch.float64)
    exact = torch.linalg.lstsq(torch.cat([phi, ones], dim=1), h).solution
    torch.testing.assert_close(table, exact)
    white = torch.cat([(phi - phi.mean(0)) @ whitener(phi.T.cov(correction=0), 0.0), ones], dim=1)
    torch.testing.assert_close(white.mT @ white / 200, torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(white @ (white.mT @ h / 200), phi @ table[:-1] + table[-1])


def test_the_objective_is_minus_the_correlation_of_whitened_features() -> None:
    one = draws(400, 3)
    assert (
        disagreement(one, one @ torch.diag(torch.tensor([2.0, 0.5, 3.0], dtype=torch.float64)), 0.0) < -0.99
    )
    assert disagreement(one, -one, 0.0) == pytest.approx(1)
    assert abs(disagreement(one, draws(400, 3, seed=1))) < 0.1
    # Features that are copies of one another are not three agreeing ones: whitening takes them apart.
    copies = one[:, :1].expand(-1, 3) + 1e-3 * one
    noisy = one[:, :1].expand(-1, 3) + 1e-3 * draws(400, 3, seed=2)
    assert disagreement(copies, noisy, 1e-9) > -0.5
    other = draws(400, 3, seed=1).requires_grad_()
    first = one.clone().requires_grad_()
    disagreement(first, other).backward()
    assert first.grad is None
    assert other.grad is not None


def test_the_nearest_level_gives_the_fit_and_samples_do_not_mix() -> None:
    network = spectrum()
    network.table.copy_(draws(*network.table.shape).float())
    x, t = draws(3, 3, 32, 32).float(), torch.tensor([10, 400, 990])
    with torch.no_grad():
        every, phi = network(x, t), network.phi(x, t).pooled
        alone = network(x[1:2], t[1:2])
    for row, number in enumerate((0, 1, 2)):
        table = network.table[number]
        torch.testing.assert_close(every.pooled[row], phi[row] @ table[:-1] + table[-1])
    torch.testing.assert_close(alone.pooled[0], every.pooled[1])
    with torch.no_grad():
        torch.testing.assert_close(network(x, t[:1]).pooled[0], every.pooled[0])


class Shown(nn.Module):
    """Mean colours, in place of CLIP's embedding."""

    def encode_image(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))[:, :2] + 1


def training(features: int = 3) -> SpectralTraining:
    clip: Any = Shown()
    return SpectralTraining(spectrum(features), clip, NoiseSchedule.linear(), Optimisation(1e-3))


def test_the_latest_batches_of_a_level_are_fitted_and_an_unseen_level_has_its_neighbours_fit() -> None:
    module = training()
    batches = [(draws(8, 3, 32, 32, seed=s).float(), draws(8, 3, seed=9 + s).float()) for s in range(2)]
    for images, features in batches:
        module._note(images, features, torch.tensor([480]))
    z = [torch.cat([torch.ones(8, 1), phi, Shown().encode_image(images)], dim=1) for images, phi in batches]
    moments = MEMORY * z[0].mT @ z[0] + z[1].mT @ z[1]
    exported: Any = module.exported()
    torch.testing.assert_close(exported.table[1], fitted((moments / moments[0, 0]).double(), 3).float())
    torch.testing.assert_close(exported.table[0], exported.table[1])
    torch.testing.assert_close(exported.table[2], exported.table[1])
    assert module.exported_notes() == {"schedule": str(NoiseSchedule.linear())}


def test_a_batch_that_cannot_whiten_is_told() -> None:
    with pytest.raises(
        SDGError, match=r"a batch of 3 pictures cannot whiten 3 features: use data\.batch_size=12"
    ):
        training().training_step({"image": draws(3, 3, 32, 32).float(), "step": 0}, 0)
    with pytest.raises(SDGError, match=r"give encoder\.network\.levels some"):
        Spectrum([], 3, 2, image_size=32, **SIZES)


def test_the_configured_one_is_small() -> None:
    network = build(configure("sample", ["encoder=toyfaces_spectral"]).encoder.network)
    weights = sum(each.numel() for each in network.state_dict().values())
    assert 2 * weights < 2**20  # bytes, as stored
    assert network.table.shape == (11, 49, 128)
