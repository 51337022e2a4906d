"""Files that hold what they change of another: read like whole ones, refused where the other changed."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdg.checkpoints import load_weights, open_checkpoint, read_state, save_weights
from sdg.checkpoints.__main__ import main
from sdg.errors import SDGError


def network() -> torch.nn.Module:
    """Names that all begin alike, as CLIP's do, and a buffer of integers."""
    return torch.nn.ModuleDict({"model": torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))})


def pair(folder: Path) -> tuple[torch.nn.Module, list[str]]:
    """A network of which one tensor differs from the base's; both files, and the one to write."""
    files = [str(folder / name) for name in ("tuned.safetensors", "base.safetensors", "part.safetensors")]
    module = network()
    save_weights(files[1], module)
    with torch.no_grad():
        module["model"][0].weight.add_(1.0)
    save_weights(files[0], module, {"command": "python train.py"})
    return module, files


def test_only_what_changed_is_kept_and_all_of_it_is_read(tmp_path: Path) -> None:
    module, files = pair(tmp_path)
    main(["changes", *files])
    assert list(load_file(files[2])) == ["model.0.weight"]
    assert {key: x.tolist() for key, x in read_state(files[2]).items()} == {
        key: x.tolist() for key, x in read_state(files[0]).items()
    }
    loaded = load_weights(network(), files[2])
    assert torch.equal(loaded["model"][0].weight, module["model"][0].weight.half().float())
    checkpoint = open_checkpoint(files[2])
    assert checkpoint.format == "safetensors, changes of base.safetensors"
    assert checkpoint.notes["command"] == "python train.py"


def test_the_base_must_be_the_one_it_was_made_from(tmp_path: Path) -> None:
    _, files = pair(tmp_path)
    main(["changes", *files])
    save_weights(files[1], network())
    with pytest.raises(SDGError, match=r"changes parts of another base\.safetensors .* fetch both anew"):
        read_state(files[2])
    Path(files[1]).unlink()
    with pytest.raises(SDGError, match=r"'base\.safetensors', which is not beside it: fetch that too"):
        read_state(files[2])


@pytest.mark.parametrize("name, shape", [("model.0.weight", (3, 1)), ("model.9.weight", (3, 2))])
def test_a_change_of_what_is_not_there_is_refused(tmp_path: Path, name: str, shape: tuple[int, int]) -> None:
    _, files = pair(tmp_path)
    main(["changes", *files])
    save_file({name: torch.zeros(shape)}, files[2], open_checkpoint(files[2]).notes)
    with pytest.raises(SDGError, match=re.escape(f"changes '{name}', which its base does not have so")):
        read_state(files[2])


def test_a_base_outside_the_folder_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pair(tmp_path)
    save_file({"w": torch.zeros(1)}, tmp_path / "in" / "w.safetensors", {"base": "../base.safetensors"})
    with pytest.raises(SDGError, match="is not beside it"):
        read_state(tmp_path / "in" / "w.safetensors")


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    _, files = pair(tmp_path)
    (tmp_path / "in").mkdir()
    other, pickled = str(tmp_path / "other.safetensors"), str(tmp_path / "base.pt")
    save_weights(other, torch.nn.ModuleDict({"model": torch.nn.Sequential(torch.nn.Linear(2, 2))}))
    torch.save(read_state(files[1]), pickled)
    for words, reason in (
        ([files[0], files[0], files[2]], "there is nothing to write"),
        ([files[0], files[1], str(tmp_path / "in" / "part.safetensors")], "beside it: name a file in"),
        ([files[0], other, files[2]], "not of one network"),
        ([files[0], pickled, files[2]], "convert both first"),
    ):
        with pytest.raises(SystemExit, match=re.escape(reason)):
            main(["changes", *words])
    assert not Path(files[2]).exists()
