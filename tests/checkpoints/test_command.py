"""python -m sdg.checkpoints: what it prints, what it writes, and how it refuses."""

import re
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.model import CLIP as OpenCLIP

from sdg.checkpoints import open_checkpoint, read_state, save_weights
from sdg.checkpoints.__main__ import main
from sdg.checkpoints.catalogue import CATALOGUE
from sdg.checkpoints.inspect import inspect
from sdg.checkpoints.weights import save_state
from sdg.composition import ROOT
from sdg.networks.unet import ADMUNet
from tests.checkpoints.files import save_script

SIZES = (32, 1, (1, 2), (2,), 64)


def test_inspect_says_what_a_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, unet = tmp_path / "unet.pt", ADMUNet(*SIZES)
    state = {f"module.{key}": value for key, value in unet.half().state_dict().items()}
    state["module.extra"] = state.pop("module.out.2.bias")
    torch.save({"state_dict": state}, path)
    main(["check", str(path)])
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "  " in line)
    assert printed["format"] == "torch.save"
    assert printed["opened"] == "state_dict > module."
    assert printed["architecture"] == "UNet of ADM"
    assert "fits" not in printed
    assert printed["nearest"] == f"prior=adm prior.checkpoint={path}, which it does not fit: see below"
    assert (
        "base_channels=32, res_blocks=1, channel_mult=[1, 2], attention_factors=[2]" in printed["arguments"]
    )
    assert printed["parameters"] == f"{sum(parameter.numel() for parameter in unet.parameters()):,}"
    assert printed["dtype"] == "float16"
    assert len(printed["sha256"]) == 64
    assert printed["missing"] == "out.2.bias"
    assert printed["left"] == "over     extra"


@pytest.mark.slow
def test_inspect_of_openais_clip_misses_nothing(tmp_path: Path) -> None:
    state = {
        key: value.half()
        for key, value in OpenCLIP(**open_clip.get_model_config("RN50")).state_dict().items()
    }
    save_script(state | {"input_resolution": torch.tensor(224)}, tmp_path / "RN50.pt")
    facts = dict(inspect(tmp_path / "RN50.pt"))
    assert facts["format"] == "TorchScript archive"
    assert facts["architecture"] == "CLIP (RN50 or RN50-quickgelu)"
    assert facts["fits"] == f"encoder=rn50 encoder.clip_checkpoint={tmp_path / 'RN50.pt'}"
    assert facts["parameters"] == "102,007,137"
    assert (facts["missing"], facts["left over"], facts["other shapes"]) == ("none", "none", "none")


def test_inspect_of_unknown_weights_lists_their_names(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", torch.nn.Linear(2, 3), {"command": "python train.py"})
    facts = dict(inspect(tmp_path / "w.safetensors"))
    assert facts["command"] == "python train.py"
    assert facts["tensors"] == "2 of 9 numbers"
    assert facts["architecture"] == "none known here; its first names: bias, weight"


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_convert_writes_ours(tmp_path: Path, dtype: str) -> None:
    out = tmp_path / "folder" / "out.safetensors"
    expected = {"w": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), "n": torch.tensor(3)}
    torch.save({"model": expected}, tmp_path / "w.pt")
    main(["convert", str(tmp_path / "w.pt"), str(out), "--dtype", dtype])
    state = read_state(out)
    assert torch.equal(state["w"], expected["w"].to(getattr(torch, dtype)))
    assert torch.equal(state["n"], expected["n"])
    assert open_checkpoint(out).notes["source"] == "w.pt"
    assert [path.name for path in out.parent.iterdir()] == ["out.safetensors"]


def test_convert_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    path, out = tmp_path / "w.pt", tmp_path / "out.safetensors"
    torch.save({"w": torch.tensor([1e6])}, path)
    cases = [
        ([str(path), str(out)], "numbers too large for torch.float16: use --dtype float32"),
        ([str(path), str(tmp_path / "out.pt")], "does not end in .safetensors"),
        ([str(path), str(path / "out.safetensors"), "--dtype", "float32"], "choose another place"),
        ([str(tmp_path / "nowhere.pt"), str(out)], "there is no checkpoint"),
    ]
    for arguments, reason in cases:
        with pytest.raises(SystemExit) as stop:
            main(["convert", *arguments])
        assert str(stop.value).startswith("error: ")
        assert reason in str(stop.value)
    assert not out.exists()


def test_convert_may_write_over_what_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, torch.nn.Linear(2, 3), dtype=torch.float32)
    main(["convert", str(path), str(path)])
    assert {value.dtype for value in read_state(path).values()} == {torch.float16}


def test_average_lies_between_two_files(tmp_path: Path) -> None:
    first, second, out = tmp_path / "a.pt", tmp_path / "b.safetensors", tmp_path / "out.safetensors"
    torch.save({"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)}, first)
    save_state(second, {"w": torch.tensor([5.0, -2.0]), "n": torch.tensor(7)})
    main(["average", str(first), str(second), str(out), "--share", "0.25", "--dtype", "float32"])
    state = read_state(out)
    assert state["w"].tolist() == [2.0, 1.0]
    assert state["n"] == 3
    assert open_checkpoint(out).notes["average"] == "0.75 of a.pt, 0.25 of b.safetensors"


@pytest.mark.parametrize(
    "state, share, reason",
    [
        ({"w": torch.ones(3)}, "0.5", "not of one network: w is (3,)"),
        ({"w": torch.ones(2)}, "2", "from 0 to 1"),
    ],
)
def test_average_refuses_what_it_cannot_do(
    tmp_path: Path, state: dict[str, torch.Tensor], share: str, reason: str
) -> None:
    files = [str(tmp_path / name) for name in ("a.safetensors", "b.safetensors", "out.safetensors")]
    save_state(files[0], {"w": torch.ones(2)})
    save_state(files[1], state)
    with pytest.raises(SystemExit, match=re.escape(reason)):
        main(["average", *files, "--share", share])
    assert not Path(files[2]).exists()


@pytest.mark.slow
def test_as_a_command(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_text("<html>")
    command = [sys.executable, "-m", "sdg.checkpoints", "check", str(tmp_path / "w.pt")]
    broken = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr.splitlines() == [broken.stderr.rstrip("\n")]
    assert "is a web page" in broken.stderr


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for command in ("list", "show", "checklist", "get", "check", "convert", "average", "changes"):
        assert f"\n    {command} " in printed


def test_a_file_with_a_known_hash_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_weights(tmp_path / "w.safetensors", torch.nn.Linear(2, 3))
    assert "known as" not in dict(inspect(tmp_path / "w.safetensors"))
    sha256 = next(card.sha256 for card in CATALOGUE if card.name == "clip_rn50x16")
    monkeypatch.setattr("sdg.checkpoints.inspect.file_hash", lambda path: sha256)
    assert dict(inspect(tmp_path / "w.safetensors"))["known as"].startswith(
        "RN50x16.pt, OpenAI's CLIP RN50x16"
    )
