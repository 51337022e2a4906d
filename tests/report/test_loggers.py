"""No logger ends a run: what fails is told once, and W&B goes offline where wandb itself would wait."""

import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image
from pytorch_lightning.loggers import CSVLogger

from sdg.errors import SDGError
from sdg.report import loggers
from sdg.report.loggers import open_loggers, show_pictures, wandb_logger


class Failing(CSVLogger):
    """Takes the settings, and fails from the second number on."""

    def __init__(self, folder: Path):
        super().__init__(str(folder), name="logs")
        self.calls = 0

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.calls += 1
        if self.calls > 1:
            raise OSError("No space left\non device")


def refused() -> CSVLogger:
    raise SDGError("wandb is not installed: pip install 'sdg[wandb]'")


def test_one_that_fails_is_told_once_and_takes_nothing_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    makers = {"wandb": refused, "failing": lambda: Failing(tmp_path), "none": lambda: None}
    (logger,) = open_loggers(makers, {"seed": 3})
    for number in range(4):
        logger.log_metrics({"loss": 1.0}, number)
    logger.save()
    logger.finalize("success")
    assert logger.calls == 2
    assert capsys.readouterr().out.splitlines() == [
        "warning: there is no wandb log (wandb is not installed: pip install 'sdg[wandb]'): "
        "the run goes on without it",
        "warning: Failing has failed (OSError: No space left on device): the run goes on without",
    ]


def test_a_signal_is_no_failure_of_a_logger(tmp_path: Path):
    def told() -> CSVLogger:
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        open_loggers({"csv": told}, {})


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    package = pytest.importorskip("wandb", reason="there is no wandb: '.[dev]' brings it")
    package.teardown()  # what it has read of the environment before
    return package


def hang(**_: Any) -> bool:
    time.sleep(2)
    return True


def bad_key(**_: Any) -> bool:
    raise ValueError("Failed to authenticate with the server: bad key")


@pytest.mark.parametrize(
    "login, why",
    [
        (lambda **_: True, None),
        (lambda **_: False, "no account found"),
        (bad_key, "ValueError: Failed to authenticate with the server: bad key"),
        (hang, "its server did not answer within 0 s"),
    ],
)
@pytest.mark.filterwarnings("default")  # wandb's own
def test_wandb_is_online_if_it_finds_an_account_that_its_server_accepts(
    wandb: Any, monkeypatch: pytest.MonkeyPatch, login: Any, why: str | None
):
    monkeypatch.setattr(wandb, "login", login)
    if login is hang:
        monkeypatch.setattr(loggers, "_PATIENCE", 0.2)
    assert loggers._why_not_online() == why


def test_disabled_it_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_logger("sdg", "a", str(tmp_path / "run")) is None
    assert list(tmp_path.iterdir()) == []


class Made:
    """In place of a W&B logger: keeps what it was made with; its run starts unless the server refuses it."""

    every: ClassVar[list[dict[str, Any]]] = []
    refuses = False

    def __init__(self, **settings: Any):
        self.settings = settings
        Made.every.append(settings)

    @property
    def experiment(self) -> None:
        if Made.refuses:
            raise ValueError("the server says no")


@pytest.mark.parametrize(
    "why_not, refuses, modes",
    [(None, False, [None]), (None, True, [None, "offline"]), ("no account found", False, ["offline"])],
)
def test_wandb_is_offline_only_if_it_must_be(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    why_not: str | None,
    refuses: bool,
    modes: list[str | None],
) -> None:
    monkeypatch.setattr(loggers, "WandbLogger", Made)
    monkeypatch.setattr(loggers, "_why_not_online", lambda: why_not)
    monkeypatch.setattr(Made, "every", [])
    monkeypatch.setattr(Made, "refuses", refuses)
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    logger = wandb_logger("project", "name", str(tmp_path))
    assert isinstance(logger, Made)
    assert [made.get("mode") for made in Made.every] == modes
    told = capsys.readouterr().out
    assert ("W&B is offline" in told) == (modes[-1] == "offline")
    # A resumed training continues its run.
    (run,) = {made["id"] for made in Made.every}
    wandb_logger("project", "name", str(tmp_path))
    assert Made.every[-1]["id"] == run == (tmp_path / "wandb" / "run_id").read_text()


def test_several_pictures_have_tags_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = []

    class Writer:
        def add_image(self, tag: str, picture: Any, step: int) -> None:
            tags.append((tag, tuple(picture.shape), step))

    monkeypatch.setattr(loggers.TensorBoardLogger, "experiment", Writer())
    logger = object.__new__(loggers.TensorBoardLogger)  # needs no TensorBoard so
    image = Image.new("L", (4, 2))
    show_pictures([logger], "grid", [image], [""], 3)
    show_pictures([logger], "samples", [image, image], ["a", "b"], 5)
    assert tags == [("grid", (3, 2, 4), 3), ("samples/0", (3, 2, 4), 5), ("samples/1", (3, 2, 4), 5)]
