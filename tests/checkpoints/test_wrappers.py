"""What trainings put around weights: averages are preferred and told, a word chooses, prefixes go."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from sdg.checkpoints import load_weights, locate, open_checkpoint, read_state, save_weights
from sdg.checkpoints.inspect import inspect
from sdg.errors import SDGError
from sdg.networks.unet import ADMUNet

SIZES = (32, 1, (1, 2), (2,), 64)
KEYS = ("body.weight", "body.bias", "head.weight")


def weights(value: float, prefix: str = "") -> dict[str, Tensor]:
    return {f"{prefix}{key}": torch.full((2,), value) for key in KEYS}


RAW, MEAN = weights(1.0), weights(2.0)
LUCID = {"step": torch.tensor(7), **weights(1.0, "online_model."), **weights(2.0, "ema_model.")}
TWINS: list[Any] = [
    {"model": RAW, "ema": MEAN},
    {"model": RAW, "model_ema": MEAN, "epoch": 3},
    {"state_dict": RAW, "state_dict_ema": MEAN},
    {"state_dict": RAW, "ema_state_dict": MEAN, "optimizer": {"exp_avg": RAW}},
    {"params": RAW, "params_ema": MEAN},
    {"g": RAW, "d": weights(9.0), "g_ema": MEAN},
    {"model": RAW, "ema": {"decay": 0.999, "shadow": MEAN}},
    {"model": RAW, "ema": LUCID},
    {"model": RAW, "ema": {"n_averaged": torch.tensor(7), **weights(2.0, "module.")}},
    {"state_dict": weights(1.0, "denoiser.network.") | weights(2.0, "average.module.")},
    weights(1.0, "model.") | weights(2.0, "model_ema.") | {"model_ema.num_updates": torch.tensor(7)},
    {"model": weights(1.0, "module."), "ema": weights(2.0, "module.")},
]


@pytest.mark.parametrize("content", TWINS)
def test_the_average_is_taken_and_told(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pt")
    checkpoint = open_checkpoint(tmp_path / "w.pt")
    state = dict(checkpoint.tensors())
    assert state.keys() == set(KEYS)
    assert {float(x[0]) for x in state.values()} == {2.0}
    assert "the average (" in str(checkpoint.note)
    assert f"{tmp_path / 'w.pt'}@raw takes" in str(checkpoint.note)


@pytest.mark.parametrize("content", [x for x in TWINS if "g" not in x])
def test_a_word_takes_the_other(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pt")
    for word, value in (("raw", 1.0), ("average", 2.0)):
        checkpoint = open_checkpoint(f"{tmp_path / 'w.pt'}@{word}")
        assert checkpoint.note is None
        state = dict(checkpoint.tensors())
        assert state.keys() == set(KEYS)
        assert {float(x[0]) for x in state.values()} == {value}


@pytest.mark.parametrize("entry, value", [("g", 1.0), ("d", 9.0), ("g_ema", 2.0)])
def test_an_entry_is_chosen_by_its_name(tmp_path: Path, entry: str, value: float) -> None:
    torch.save({"g": RAW, "d": weights(9.0), "g_ema": MEAN}, tmp_path / "w.pt")
    assert float(read_state(f"{tmp_path / 'w.pt'}@{entry}")["head.weight"][0]) == value


def test_what_is_not_there_or_not_clear_is_named(tmp_path: Path) -> None:
    torch.save({"g": RAW, "d": weights(9.0)}, tmp_path / "w.pt")
    for path, reason in (
        ("w.pt", r"several networks \(\['g', 'd'\]\): choose one by its name, as in .*w\.pt@g"),
        ("w.pt@average", r"w\.pt@average is not there: it holds \['g', 'd'\]"),
        ("w.pt@h", r"w\.pt@h is not there"),
    ):
        with pytest.raises(SDGError, match=reason):
            open_checkpoint(tmp_path / path)


def test_the_usual_entries_come_in_an_order(tmp_path: Path) -> None:
    torch.save({"model": weights(1.0), "state_dict": weights(2.0), "net": weights(3.0)}, tmp_path / "w.pt")
    checkpoint = open_checkpoint(tmp_path / "w.pt")
    assert (checkpoint.opened, checkpoint.note) == (("state_dict",), None)
    torch.save({"net": weights(3.0), "model": weights(1.0), "x": weights(4.0)}, tmp_path / "w.pt")
    assert open_checkpoint(tmp_path / "w.pt").opened == ("model",)


def test_a_file_whose_name_has_an_at_is_itself(tmp_path: Path) -> None:
    torch.save({"model": RAW, "ema": MEAN}, tmp_path / "w@raw")
    assert float(read_state(tmp_path / "w@raw")["head.weight"][0]) == 2.0
    assert float(read_state(f"{tmp_path / 'w@raw'}@raw")["head.weight"][0]) == 1.0


def test_the_choice_goes_through_locate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(
        {"model": {"weight": torch.ones(1, 1)}, "ema": {"weight": torch.zeros(1, 1)}}, tmp_path / "w.pt"
    )
    network = nn.Linear(1, 1, bias=False)
    path = f"{tmp_path / 'w.pt'}@raw"
    for url in (None, "https://example.org/w.pt"):
        assert load_weights(network, locate(path, url)).weight.item() == 1.0
    assert capsys.readouterr().out == ""
    assert load_weights(network, locate(tmp_path / "w.pt")).weight.item() == 0.0
    assert "note: of" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {f"module.{key}": x for key, x in state.items()},
        lambda state: {f"net.{key}": x for key, x in state.items()},
        lambda state: {f"_orig_mod.module.{key}": x for key, x in state.items()},
        lambda state: {"state_dict": {f"model.{key}": x for key, x in state.items()}, "epoch": 3},
        lambda state: {"whatever": {f"my.own.network.{key}": x for key, x in state.items()}},
        lambda state: {f"model.{key}": x for key, x in state.items()} | {"criterion.weight": torch.ones(3)},
    ],
)
def test_a_prefix_of_all_names_is_stripped(tmp_path: Path, wrap: Any) -> None:
    network = ADMUNet(*SIZES)
    torch.save(wrap(network.state_dict()), tmp_path / "w.pt")
    load_weights(ADMUNet(*SIZES), tmp_path / "w.pt")
    facts = dict(inspect(tmp_path / "w.pt"))
    assert facts["fits"].startswith("prior=adm ")
    assert facts["missing"] == facts["left over"] == "none"


@pytest.mark.parametrize("save", ["model.body.", "", "net."])
@pytest.mark.parametrize("load", ["model.body.", ""])
def test_a_module_may_have_a_prefix_of_its_own(tmp_path: Path, save: str, load: str) -> None:
    def module(prefix: str, value: float) -> nn.Module:
        made: nn.Module = nn.Linear(1, 2)
        nn.init.constant_(made.weight, value)
        for name in reversed(prefix.split(".")[:-1]):
            outer = nn.Module()
            outer.add_module(name, made)
            made = outer
        return made

    save_weights(tmp_path / "w.safetensors", module(save, 3.0))
    target = load_weights(module(load, 0.0), tmp_path / "w.safetensors")
    assert float(target.state_dict()[f"{load}weight"][0]) == 3.0


def test_one_network_of_several_is_taken_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in a checkpoint of CLIP's pretraining, which has the words' loss beside CLIP."""
    layer = nn.Linear(1, 2)
    state = {f"clip.{key}": x for key, x in layer.state_dict().items()}
    torch.save({"state_dict": state | {"words.table": torch.ones(3)}}, tmp_path / "last.ckpt")
    target = load_weights(nn.Linear(1, 2), tmp_path / "last.ckpt")
    assert torch.equal(target.weight, layer.weight)
    assert "1 tensors of" in capsys.readouterr().out
    torch.save(state | {f"teacher.{key}": x for key, x in layer.state_dict().items()}, tmp_path / "two.ckpt")
    with pytest.raises(SDGError, match=r"this network as clip, teacher: choose one, as in FILE@clip"):
        load_weights(nn.Linear(1, 2), tmp_path / "two.ckpt")
    assert torch.equal(load_weights(nn.Linear(1, 2), f"{tmp_path / 'two.ckpt'}@teacher").bias, layer.bias)


def test_a_checkpoint_of_lightning_with_an_average_of_torch(tmp_path: Path) -> None:
    """The names of sdg's own last.ckpt for a prior."""
    network = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    average = AveragedModel(network)
    nn.init.constant_(average.module[0].bias, 5.0)
    holder = nn.Module()
    holder.add_module("denoiser", nn.ModuleDict({"network": network}))
    holder.add_module("average", average)
    content = {
        "state_dict": holder.state_dict(),
        "optimizer_states": [torch.optim.AdamW(network.parameters()).state_dict()],
    }
    torch.save(content | {"loops": {"fit": None}, "callbacks": {}}, tmp_path / "last.ckpt")
    target = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    assert load_weights(target, tmp_path / "last.ckpt")[0].bias.tolist() == [5.0, 5.0]
    load_weights(target, f"{tmp_path / 'last.ckpt'}@raw")
    assert torch.equal(target[0].bias, network[0].bias)


def test_complex_numbers_make_no_weights(tmp_path: Path) -> None:
    torch.save(
        {"weight": torch.zeros(2, 1, dtype=torch.complex64), "bias": torch.zeros(2)}, tmp_path / "w.pt"
    )
    with pytest.raises(SDGError, match="weight is complex64, which makes no weights"):
        load_weights(nn.Linear(1, 2), tmp_path / "w.pt")
