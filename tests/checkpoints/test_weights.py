"""Weights come back as they were saved, and nothing else is taken for weights."""

import pickle
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

from sdg.checkpoints import load_weights, read_state, save_weights, unfilled
from sdg.checkpoints.weights import save_state
from sdg.errors import SDGError
from sdg.networks.unet import ADMUNet
from tests.golden.fill import fill_state_dict


def network(out: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(2, out), nn.BatchNorm1d(out))


def test_round_trip_in_half_precision(tmp_path: Path):
    source, target = network(), network()
    save_weights(tmp_path / "w.safetensors", source, {"command": "train"})
    load_weights(target, tmp_path / "w.safetensors")
    for key, value in target.state_dict().items():
        assert value.dtype == source.state_dict()[key].dtype
        torch.testing.assert_close(value, source.state_dict()[key], atol=1e-3, rtol=1e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_what_half_precision_cannot_hold_is_stored_in_float32_with_a_word(tmp_path: Path, capsys):
    large, small = torch.tensor([1e5, -2.0]), torch.tensor([65504.0])
    save_state(tmp_path / "w.safetensors", {"large": large, "small": small})
    stored = read_state(tmp_path / "w.safetensors")
    assert torch.equal(stored["large"], large)
    assert stored["small"].dtype == torch.float16
    output = capsys.readouterr().out
    assert output.count("warning") == 1
    assert "warning: large is too large for torch.float16: stored as float32" in output


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused_and_the_file_before_stays(tmp_path: Path, value: float):
    path = tmp_path / "w.safetensors"
    save_state(path, {"a": torch.ones(2)})
    with pytest.raises(SDGError, match=r"a is not finite, so .*w\.safetensors was not written"):
        save_state(path, {"a": torch.tensor([1.0, value])})
    assert torch.equal(read_state(path)["a"], torch.ones(2).half())


def test_pt_files_of_tensors_load(tmp_path: Path):
    source = network()
    torch.save(source.state_dict(), tmp_path / "w.pt")
    target = load_weights(network(), tmp_path / "w.pt")
    assert torch.equal(target[0].weight, source[0].weight)


def test_what_does_not_fit_is_named(tmp_path: Path):
    save_weights(tmp_path / "w.safetensors", network(4))
    with pytest.raises(SDGError, match=r"does not fit Sequential: 0.bias is \(4,\) where \(3,\) is needed"):
        load_weights(network(), tmp_path / "w.safetensors")
    save_weights(tmp_path / "part.safetensors", nn.Sequential(nn.Linear(2, 3)))
    with pytest.raises(SDGError, match=r"1\.bias is missing"):
        load_weights(network(), tmp_path / "part.safetensors")
    with pytest.raises(SDGError, match=r"1\.bias is left over"):
        load_weights(nn.Sequential(nn.Linear(2, 3)), _saved(tmp_path, network()))


class _Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x00" * 64, pickle.dumps({"a": 1})])
def test_files_that_are_no_checkpoints(tmp_path: Path, suffix: str, content: bytes):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(SDGError, match="w"):
        read_state(path)


def test_truncated_files(tmp_path: Path):
    path = _saved(tmp_path, network())
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SDGError, match="truncated"):
        read_state(path)


def test_code_in_a_pickle_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"w": _Bomb()}, "w.pt")
    with pytest.raises(SDGError, match="may run code"):
        read_state("w.pt")
    assert not Path("exploded").exists()


def _saved(folder: Path, module: nn.Module) -> Path:
    save_weights(folder / "saved.safetensors", module)
    return folder / "saved.safetensors"


def test_unfilled_modules_take_memory_when_they_are_loaded(tmp_path: Path):
    with unfilled():
        target = network()
    assert all(parameter.is_meta for parameter in target.parameters())
    assert not any(buffer.is_meta for buffer in target.buffers())
    assert not nn.Linear(2, 3).weight.is_meta
    source = network()
    torch.save(source.state_dict(), tmp_path / "w.pt")
    load_weights(target.requires_grad_(False), tmp_path / "w.pt")
    for key, value in target.state_dict().items():
        assert torch.equal(value, source.state_dict()[key])
    assert not any(parameter.requires_grad for parameter in target.parameters())


@pytest.mark.parametrize("empty", [True, False])
def test_half_precision_in_memory(tmp_path: Path, empty: bool):
    save_weights(tmp_path / "w.safetensors", network())
    with unfilled() if empty else nullcontext():
        target = network()
    load_weights(target, tmp_path / "w.safetensors", torch.bfloat16)
    assert {value.dtype for value in target.state_dict().values()} == {torch.bfloat16, torch.int64}


@torch.no_grad()
def test_half_precision_in_memory_draws_the_same_picture_under_autocast(tmp_path: Path):
    unet = ADMUNet(32, 1, (1, 2), (2,), 32)
    unet.load_state_dict(fill_state_dict(unet.state_dict()))
    save_weights(tmp_path / "w.safetensors", unet)
    with unfilled():
        half = ADMUNet(32, 1, (1, 2), (2,), 32)
    load_weights(half, tmp_path / "w.safetensors", torch.bfloat16)
    x_t, t = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([500])
    expected = unet(x_t, t)
    with torch.autocast("cpu", torch.bfloat16):
        actual = half(x_t, t).float()
    assert (actual - expected).norm() / expected.norm() < 0.03


def test_nothing_is_loaded_where_something_does_not_fit(tmp_path: Path):
    target = network()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    save_weights(tmp_path / "w.safetensors", nn.Sequential(nn.Linear(2, 3)))
    with pytest.raises(SDGError):
        load_weights(target, tmp_path / "w.safetensors")
    assert all(torch.equal(value, before[key]) for key, value in target.state_dict().items())


def test_a_failed_write_leaves_the_old_file(tmp_path: Path):
    path = _saved(tmp_path, network())
    before = path.read_bytes()
    shared = torch.zeros(3)
    with pytest.raises(RuntimeError, match="share memory"):
        save_state(path, {"a": shared, "b": shared}, dtype=torch.float32)
    assert path.read_bytes() == before
