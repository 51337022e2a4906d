"""Weights come back as they were saved, and nothing else is taken for weights."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from sdg.checkpoints import load_weights, read_state, save_weights
from sdg.errors import SDGError


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
