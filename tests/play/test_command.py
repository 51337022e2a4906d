"""What can be told before a page is served."""

import socket
import sys

import pytest

from sdg.commands.main import main


def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=rf"error: cannot serve at 127\.0\.0\.1:{port} .*in use.*--port"):
            main(["play", "--port", str(port)])


@pytest.mark.parametrize(
    "words, message",
    [
        (["--host", "nowhere.invalid"], "cannot serve at nowhere.invalid"),
        (["--port", "99999"], "99999 is no port"),
    ],
)
def test_an_address_that_is_none_is_told(words: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main(["play", *words])


def test_without_gradio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")  # and back, whatever the command sets
    monkeypatch.setitem(sys.modules, "gradio", None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SystemExit, match=r"needs gradio.*pip install 'sdg\[play\]'"):
        main(["play", "--port", str(port)])
