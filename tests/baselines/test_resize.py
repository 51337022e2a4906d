"""φ against the golden array, and what makes it a low-pass."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sdg.baselines.resize import LowPass, resize_matrix
from sdg.data.toyfaces.render import faces
from sdg.errors import SDGError

GOLDEN = load_file(Path(__file__).parents[1] / "golden" / "ilvr.safetensors")


def golden_pair(name: str) -> tuple[Tensor, Tensor]:
    if name == "64_8":
        return GOLDEN["64_8.x"], GOLDEN["64_8.ref"]
    generator = torch.Generator().manual_seed(300)
    x = torch.rand(1, 3, 256, 256, generator=generator) * 2 - 1
    return x, torch.rand(1, 3, 256, 256, generator=generator) * 2 - 1


@pytest.mark.parametrize("name", ["64_8", "256_32"])
def test_shrinking_and_enlarging_equal_the_golden_arrays(name: str) -> None:
    size, factor = map(int, name.split("_"))
    low_pass, (x, reference) = LowPass(size, factor), golden_pair(name)
    difference = low_pass.down(x) - GOLDEN[f"{name}.down"]
    assert difference.abs().max() <= 1e-6
    assert (low_pass(x)[..., ::4, ::4] - GOLDEN[f"{name}.lowpass_sub"]).abs().max() <= 1e-6
    step = x - low_pass(x) + low_pass(reference)
    assert (step[..., ::4, ::4] - GOLDEN[f"{name}.step_sub"]).abs().max() <= 1e-6


@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32, 64])
def test_flat_pictures_pass_and_weights_sum_to_one(factor: int) -> None:
    flat = torch.full((1, 3, 64, 64), 0.7)
    torch.testing.assert_close(LowPass(64, factor)(flat), flat)
    for matrix in (resize_matrix(64, 64 // factor), resize_matrix(64 // factor, 64)):
        torch.testing.assert_close(matrix.sum(dim=1), torch.ones(len(matrix), dtype=torch.float64))


@pytest.mark.parametrize("factor", [2, 4, 8, 16])
def test_it_is_nearly_idempotent(factor: int) -> None:
    """Bicubic resizing is no projection: shrinking loses a little of what enlarging made.

    A second pass changes a picture's low-pass by at most 7 %, and that of white noise, which is as rough as
    its grid allows, by at most 30 %.
    """
    low_pass = LowPass(64, factor)
    face, _ = faces(0, torch.arange(4), 64)
    noise = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    changes = []
    for x, tolerance in ((face, 0.07), (noise, 0.3)):
        once = low_pass(x)
        changes.append(float((low_pass(once) - once).norm() / once.norm()))
        assert changes[-1] <= tolerance
    assert changes[0] < changes[1]


def test_a_factor_of_one_is_the_identity() -> None:
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(LowPass(16, 1)(x), x)


def test_its_matrices_are_in_no_file() -> None:
    assert LowPass(16, 4).state_dict() == {}


def test_it_is_linear_and_treats_rows_as_columns() -> None:
    low_pass, generator = LowPass(16, 4), torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 1, 3, 16, 16, generator=generator)
    torch.testing.assert_close(low_pass(2 * x - y), 2 * low_pass(x) - low_pass(y))
    torch.testing.assert_close(low_pass(x.mT), low_pass(x).mT)
    assert torch.autograd.gradcheck(
        low_pass, torch.randn(1, 16, 16, generator=generator).double().requires_grad_()
    )


@pytest.mark.parametrize("size, factor", [(64, 3), (48, 32), (64, 128), (64, 0)])
def test_factors_that_do_not_fit_are_refused(size: int, factor: int) -> None:
    with pytest.raises(
        SDGError, match=rf"N={factor} is no power of two that divides the image size {size}: use 1, 2"
    ):
        LowPass(size, factor)
