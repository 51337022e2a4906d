"""Every format gives the same tensors; what is no checkpoint, or more than one, is refused and never run."""

import argparse
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from sdg.checkpoints import open_checkpoint, read_state
from sdg.errors import SDGError
from tests.checkpoints.files import SAVERS, Bomb, bomb, save_legacy, save_pickle, state


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ""])
@pytest.mark.parametrize("kind", SAVERS)
def test_every_format_gives_the_same_tensors_whatever_the_file_is_called(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    expected, path = state(), tmp_path / f"weights{suffix}"
    SAVERS[kind](expected, path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == kind
    outline = {
        key: (value.shape, value.dtype, value.device.type) for key, value in checkpoint.outline.items()
    }
    assert outline == {key: (value.shape, value.dtype, "meta") for key, value in expected.items()}
    actual = dict(checkpoint.tensors())
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(actual[key], value)
        assert actual[key].is_contiguous()


@pytest.mark.parametrize("kind", SAVERS)
def test_tensors_come_in_the_dtype_that_is_asked_for(tmp_path: Path, kind: str) -> None:
    """Also one so large that it is converted in several pieces, the last of them smaller."""
    large = torch.randn(5_000_001, generator=torch.Generator().manual_seed(0)).bfloat16()
    expected = state() | {"large": large}
    SAVERS[kind](expected, tmp_path / "w")
    actual = dict(open_checkpoint(tmp_path / "w").tensors(dict.fromkeys(expected, torch.float64)))
    for key, value in expected.items():
        assert actual[key].dtype == torch.float64
        assert torch.equal(actual[key], value.double())


@pytest.mark.parametrize("save", [torch.save, save_legacy])
@pytest.mark.parametrize(
    "wrap, opened",
    [
        (lambda weights: {"state_dict": weights, "step": 3}, ("state_dict",)),
        (lambda weights: {"model": weights, "optimizer": {"lr": [0.1]}}, ("model",)),
        (lambda weights: {"g": {}, "g_ema": weights, "latent": torch.zeros(2)}, ("g_ema",)),
        (lambda weights: {f"module.{key}": value for key, value in weights.items()}, ("module.",)),
        (
            lambda weights: {"model": {"state_dict": {f"module.{k}": v for k, v in weights.items()}}},
            ("model", "state_dict", "module."),
        ),
    ],
)
def test_known_wrappers_are_opened(tmp_path: Path, save: Any, wrap: Any, opened: tuple[str, ...]) -> None:
    save(wrap(state()), tmp_path / "w.pt")
    checkpoint = open_checkpoint(tmp_path / "w.pt")
    assert checkpoint.opened == opened
    assert torch.equal(dict(checkpoint.tensors())["rows.weight"], state()["rows.weight"])


def test_options_of_a_training_beside_the_weights_are_passed_over(tmp_path: Path) -> None:
    torch.save({"g_ema": state(), "args": argparse.Namespace(lr=0.1)}, tmp_path / "w.pt")
    assert open_checkpoint(tmp_path / "w.pt").outline.keys() == state().keys()


@pytest.mark.parametrize(
    "content, reason",
    [
        ([torch.zeros(2)], "not a flat state dict"),
        (torch.zeros(2), "not a flat state dict"),
        ({"step": 3}, "not a flat state dict"),
        ({"ema": [torch.zeros(2)], "step": 3}, r"not a flat state dict but holds \['ema', 'step'\]"),
        ({0: torch.zeros(2)}, "not a flat state dict"),
        ({}, "holds no tensors"),
    ],
)
def test_other_objects_are_refused(tmp_path: Path, content: Any, reason: str) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(SDGError, match=reason):
        open_checkpoint(tmp_path / "w.pt")


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"\n<!DOCTYPE html><html>Sign in</html>", "web page.*by browser"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x1f\x8b\x08\x00\x00", "unpack"),
        (b"", "truncated or no checkpoint"),
        (b"just some words", "truncated or no checkpoint"),
        (b"PK\x05\x06" + bytes(18), "archive without a checkpoint"),
        (b"\xff" * 8 + b"{", "truncated or no checkpoint"),
        ((2).to_bytes(8, "little") + b"{}", "holds no tensors"),
    ],
)
def test_what_is_no_checkpoint_is_called_what_it_is(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(SDGError, match=reason) as error:
        open_checkpoint(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "path", ["w.pt", "~/nowhere/w.pt", "w" * 5000, "w\0.pt", "/dev/null", "w.pt/x", "é.pt"]
)
def test_missing_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SDGError, match="there is no checkpoint at"):
        open_checkpoint(path)


def test_no_file_and_other_folders(tmp_path: Path) -> None:
    for nothing in (None, ""):
        with pytest.raises(SDGError, match="no checkpoint is named"):
            open_checkpoint(nothing)
    with pytest.raises(SDGError, match="folder without diffusion_pytorch_model"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("kind", SAVERS)
def test_truncated_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.pt"
    SAVERS[kind](state(), path)
    whole = path.read_bytes()
    for length in (10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:length])
        with pytest.raises(SDGError, match="truncated"):
            read_state(path)


class TestMalice:
    """Nothing runs, and nothing small becomes large."""

    @pytest.fixture(autouse=True)
    def _in_an_empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.chdir(tmp_path)
        yield
        assert not Path("exploded").exists()

    def test_code_in_an_archive(self) -> None:
        torch.save({"w": torch.zeros(2), "x": Bomb()}, "w.pt")
        with pytest.raises(
            SDGError, match=r"pathlib\.Path\.touch|pathlib.*may run code|getattr.*may run code"
        ):
            read_state("w.pt")

    def test_code_below_a_wrapper(self) -> None:
        torch.save({"state_dict": {"w": torch.zeros(2)}, "optimizer": Bomb()}, "w.pt")
        with pytest.raises(SDGError, match="may run code"):
            read_state("w.pt")

    def test_code_in_an_old_file(self) -> None:
        save_legacy({"w": Bomb()}, Path("w.pt"))
        with pytest.raises(SDGError, match="may run code"):
            read_state("w.pt")

    def test_code_in_a_bare_pickle(self) -> None:
        Path("w.pkl").write_bytes(bomb())
        with pytest.raises(SDGError, match=r"w\.pkl"):
            read_state("w.pkl")

    @pytest.mark.parametrize(
        "start",
        [
            b"\x80\x03}q\x00X\x05\x00\x00\x00G_emaq\x01ctorch_utils.persistence\n_reconstruct_persistent_obj\n",
            b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x14dnnlib.tflib.network\x94\x8c\x07Network\x94\x93\x94)",
        ],
    )
    def test_a_pickle_of_nvidias_names_the_conversion(self, start: bytes) -> None:
        Path("ffhq.pkl").write_bytes(start + bytes(1000))
        with pytest.raises(SDGError, match=r"NVIDIA's pickles, which run code .* convert_weight\.py"):
            read_state("ffhq.pkl")

    def test_code_in_torchscript(self) -> None:
        save_pickle(bomb(), Path("w.pt"), "constants.pkl", "code/__torch__.py")
        with pytest.raises(SDGError, match="holds no tensors"):
            read_state("w.pt")

    @pytest.mark.parametrize(
        "name", ["os system", "builtins eval", "builtins getattr", "torch load", "torch._utils __dict__"]
    )
    def test_any_other_name(self, name: str) -> None:
        save_pickle(f"c{name.replace(' ', chr(10))}\n.".encode(), Path("w.pt"))
        with pytest.raises(SDGError, match="may run code"):
            read_state("w.pt")

    def test_a_compressed_archive(self) -> None:
        with zipfile.ZipFile("w.pt", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", pickle.dumps({}))
            archive.writestr("archive/data/0", bytes(10**7))
        with pytest.raises(SDGError, match=r"declares 10,000,\d+ bytes, compressed into \d+,\d+,"):
            read_state("w.pt")

    def test_records_that_lie_on_one_another(self) -> None:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("archive/data/0", bytes(10**5))
            for i in range(1, 100):
                info = zipfile.ZipInfo(f"archive/data/{i}")
                info.header_offset, info.CRC, info.file_size, info.compress_size = 0, 0, 10**5, 10**5
                archive.filelist.append(info)
            archive._didModify = True
        Path("w.pt").write_bytes(content.getvalue())
        with pytest.raises(SDGError, match="declares"):
            read_state("w.pt")

    def test_a_number_repeated_without_end(self) -> None:
        torch.save({"w": torch.zeros(1).expand(10**12)}, "w.pt")
        with pytest.raises(SDGError, match="declares 4,000,000,000,000 bytes of tensors"):
            read_state("w.pt")

    def test_safetensors_that_lie_on_one_another(self) -> None:
        entry = {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}
        header = json.dumps({str(i): entry for i in range(1000)}).encode()
        Path("w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4000))
        with pytest.raises(SDGError, match="truncated or no checkpoint"):
            read_state("w.safetensors")

    def test_a_memo_number_that_would_reserve_gigabytes(self) -> None:
        save_pickle(b"\x80\x02}r\xff\xff\xff\x7f.", Path("w.pt"))
        with pytest.raises(SDGError, match="truncated or no checkpoint"):
            read_state("w.pt")

    def test_script_objects_that_hold_themselves(self) -> None:
        save_pickle(
            b"\x80\x02c__torch__\nA\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb.", Path("w.pt"), "constants.pkl"
        )
        with pytest.raises(SDGError, match="holds no tensors"):
            read_state("w.pt")


def test_a_header_whose_length_reads_as_a_tag_is_no_web_page(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(0x3C20)
    assert struct.pack("<Q", len(header)).lstrip().startswith(b"<")
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<f", 2.5))
    assert open_checkpoint(tmp_path / "w.safetensors").outline["a"].shape == (1,)
