"""Odd and hostile files: read exactly as torch and safetensors read them, or refused in one line, at once."""

import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
from torch import Tensor, nn

from sdg.checkpoints import open_checkpoint, read_state
from sdg.errors import SDGError
from tests.checkpoints.files import save_legacy, save_script

SECONDS = 5.0
"""Of computing, whatever a file holds; each takes milliseconds."""


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


def rewrite(source: Path, change: Callable[[str, bytes], list[tuple[str, bytes]]]) -> None:
    """Write an archive anew, with records changed, left out or added."""
    with zipfile.ZipFile(source) as archive:
        records = [
            record for info in archive.infolist() for record in change(info.filename, archive.read(info))
        ]
    with zipfile.ZipFile(source, "w") as archive:
        for name, content in records:
            archive.writestr(name, content)


def replace(end: str, content: Callable[[bytes], bytes]) -> Callable[[str, bytes], list[tuple[str, bytes]]]:
    return lambda name, old: [(name, content(old) if name.endswith(end) else old)]


@pytest.mark.parametrize("save", [torch.save, save_script], ids=["torch.save", "TorchScript"])
class TestArchives:
    @pytest.fixture
    def path(self, tmp_path: Path, save: Any) -> Path:
        save({"a": torch.arange(4.0), "b": torch.arange(4.0) + 10}, tmp_path / "w.pt")
        return tmp_path / "w.pt"

    def test_written_anew(self, path: Path) -> None:
        rewrite(path, lambda name, content: [(name, content)])
        assert read_state(path)["b"].tolist() == [10, 11, 12, 13]

    @pytest.mark.parametrize("lost", [1, 4, 16])
    @pytest.mark.parametrize("record", ["data/0", "data/1"])
    def test_a_storage_longer_than_its_record(self, path: Path, record: str, lost: int) -> None:
        rewrite(path, replace(record, lambda content: content[:-lost]))
        with pytest.raises(SDGError, match="truncated or no checkpoint"):
            read_state(path)

    def test_a_storage_shorter_than_its_record(self, path: Path) -> None:
        rewrite(path, replace("data/0", lambda content: content + bytes(3)))
        assert read_state(path)["a"].tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize("first", [True, False])
    def test_a_second_folder(self, path: Path, first: bool) -> None:
        other = [("x/data/0", bytes(16)), ("x/data.pkl", b"N.")]
        rewrite(
            path,
            lambda name, content: (other if first and name.endswith("data.pkl") else []) + [(name, content)],
        )
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("y/data/0", bytes(16))
        with pytest.raises(SDGError, match="two checkpoints"):
            read_state(path)

    def test_a_record_twice(self, path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            name = next(info.filename for info in archive.infolist() if info.filename.endswith("data/0"))
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr(name, bytes(16))
        with pytest.raises(SDGError, match="a record twice"):
            read_state(path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.float64])
def test_a_file_of_a_big_endian_machine(tmp_path: Path, dtype: torch.dtype) -> None:
    expected = torch.tensor([1.5, -2.0, 1024.0]).to(dtype)
    torch.save({"w": expected}, tmp_path / "w.pt")

    def swap(content: bytes) -> bytes:
        size = dtype.itemsize
        return b"".join(content[i : i + size][::-1] for i in range(0, len(content), size))

    rewrite(tmp_path / "w.pt", replace("data/0", swap))
    rewrite(tmp_path / "w.pt", replace("byteorder", lambda _: b"big"))
    assert torch.equal(read_state(tmp_path / "w.pt")["w"], expected)


def test_a_dictionary_that_holds_itself(tmp_path: Path) -> None:
    content: dict[str, Any] = {"step": 3}
    content["model"] = content
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(SDGError, match="not a flat state dict"):
        open_checkpoint(tmp_path / "w.pt")
    content["ema"] = {"w": torch.ones(2), "model": content}
    content["ema"].pop("model")
    torch.save(content, tmp_path / "w.pt")
    assert read_state(tmp_path / "w.pt")["w"].tolist() == [1, 1]


@pytest.mark.parametrize("save", [torch.save, save_legacy], ids=["archive", "old"])
@pytest.mark.parametrize("way", ["memo", "dup"])
def test_a_tuple_whose_hash_would_never_end(tmp_path: Path, save: Any, way: str) -> None:
    """Two to the power of sixty visits, in a few hundred bytes."""
    nested: tuple[Any, ...] = ()
    for _ in range(60):
        nested = (nested, nested)
    save({"w": torch.ones(2), "deep": [nested]}, tmp_path / "w.pt")
    if way == "dup" and save is torch.save:
        content = b"\x80\x02}" + b")" + b"2\x86" * 60 + b"K\x01s."
        rewrite(tmp_path / "w.pt", replace("data.pkl", lambda _: content))
    with pytest.raises(SDGError, match="truncated or no checkpoint"):
        open_checkpoint(tmp_path / "w.pt")


def test_tuples_as_trainings_write_them_are_read(tmp_path: Path) -> None:
    betas, weights = (0.9, 0.999), {"weight": torch.ones(2)}
    groups = [{"lr": 1e-3, "betas": betas, "params": [i]} for i in range(300)]
    content = {
        "model": weights,
        "optimizer": {"param_groups": groups},
        ("a", ("b", betas)): [((),) * 99] * 99,
    }
    for save in (torch.save, save_legacy):
        save(content, tmp_path / "w.pt")
        assert read_state(tmp_path / "w.pt")["weight"].tolist() == [1, 1]


@pytest.mark.parametrize(
    "content",
    [
        {"w": torch.tensor([1 + 2j, 3j])},
        {"w": torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn)},
        {"w": torch.arange(6.0)[1:5:2], "v": torch.arange(6.0).view(2, 3).T},
        {
            "model": {"w": torch.ones(2)},
            "dtype": torch.float16,
            "device": torch.device("cuda"),
            "size": torch.Size([2]),
        },
        {"w": nn.Parameter(torch.ones(2))},
    ],
    ids=["complex", "fp8", "views", "dtype", "parameter"],
)
def test_entries_that_run_nothing_are_read(tmp_path: Path, content: dict[str, Any]) -> None:
    torch.save(content, tmp_path / "w.pt")
    expected = content.get("model", content)
    state = read_state(tmp_path / "w.pt")
    assert state.keys() == expected.keys()
    for key, value in expected.items():
        assert state[key].dtype == value.dtype
        assert state[key].tolist() == value.tolist()
        assert not state[key].requires_grad


def test_tensors_that_share_memory_are_read_apart(tmp_path: Path) -> None:
    whole = torch.arange(10.0)
    torch.save({"a": whole[:6], "b": whole[4:]}, tmp_path / "w.pt")
    state = read_state(tmp_path / "w.pt")
    state["a"].zero_()
    assert state["b"].tolist() == [4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "tensor, reason",
    [
        (torch.eye(3).to_sparse(), "w of .* is not a dense tensor"),
        (torch.zeros(3, device="meta"), "w of .* is a tensor without its numbers"),
        (torch.zeros(1, 2).view([1] * 64 + [2]), "w of .* is a tensor of 65 dimensions"),
    ],
    ids=["sparse", "meta", "dimensions"],
)
def test_tensors_of_other_kinds_are_named(tmp_path: Path, tensor: Tensor, reason: str) -> None:
    torch.save({"w": tensor}, tmp_path / "w.pt")
    with pytest.raises(SDGError, match=reason):
        open_checkpoint(tmp_path / "w.pt")


def header(path: Path, text: str | bytes, data: bytes) -> Path:
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(len(content).to_bytes(8, "little") + content + data)
    return path


def entry(shape: list[int], start: int, stop: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


@pytest.mark.parametrize(
    "text, data",
    [
        (
            '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
            8,
        ),
        (json.dumps({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}), 12),
        (json.dumps({"a": entry([2], 0, 8), "b": entry([1], 4, 8)}), 8),
        (json.dumps({"a": entry([1], 0, 4)}), 8),
        (json.dumps({"a": entry([1], 0, 4)}), 3),
        (json.dumps({"a": entry([2**40, 2**40], 0, 4)}), 4),
        (json.dumps({"a": entry([-1], 0, 4)}), 4),
        (json.dumps({"a": entry([1], 0, 4, "F7")}), 4),
    ],
    ids=["duplicate", "hole", "overlap", "trailing", "short", "huge", "negative", "dtype"],
)
def test_safetensors_that_safetensors_refuses(tmp_path: Path, text: str, data: int) -> None:
    path = header(tmp_path / "w.safetensors", text, bytes(data))
    with pytest.raises(safetensors.SafetensorError), safetensors.safe_open(path, "pt"):
        pass
    with pytest.raises(SDGError, match="truncated or no checkpoint at all"):
        open_checkpoint(path)


def test_a_header_of_a_hundred_thousand_dimensions(tmp_path: Path) -> None:
    path = header(tmp_path / "w.safetensors", json.dumps({"a": entry([1] * 100_000, 0, 4)}), bytes(4))
    with pytest.raises(SDGError, match=r"a of .* is a tensor of 100,000 dimensions"):
        open_checkpoint(path)


def test_a_header_of_six_gigabytes_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.write((6 * 10**9).to_bytes(8, "little") + b"{")
        file.truncate(6 * 10**9 + 100)  # sparse: it takes no room
    with pytest.raises(SDGError, match="truncated or no checkpoint"):
        open_checkpoint(path)


@pytest.mark.parametrize("dtype, size", [("C64", 8), ("F8_E5M2", 1), ("U16", 2)])
def test_rare_numbers_in_safetensors(tmp_path: Path, dtype: str, size: int) -> None:
    path = header(tmp_path / "w.safetensors", json.dumps({"a": entry([1], 0, size, dtype)}), bytes(size))
    assert read_state(path)["a"].tolist() == [0]


def test_numbers_of_four_bits_are_named(tmp_path: Path) -> None:
    path = header(tmp_path / "w.safetensors", json.dumps({"a": entry([2], 0, 1, "F4")}), bytes(1))
    with pytest.raises(SDGError, match="numbers of 4 bits"):
        open_checkpoint(path)
