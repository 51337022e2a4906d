"""Downloads from a server on this machine: asked for or not made, resumed, checked, whole."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from sdg.checkpoints import locate, read_state
from sdg.checkpoints.download import fetch
from sdg.checkpoints.places import find_file
from sdg.errors import SDGError


class Server(ThreadingHTTPServer):
    """Serves one file; can break off, ignore ranges, or answer with an error."""

    content: bytes
    cut: int | None = None
    ranges = True
    status: int | None = None
    etag: str | None = '"first"'
    date: str | None = None

    def __init__(self, content: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.asked = content, list[str | None]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/models/weights.pt?download=true"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.server.status is not None:
            self.send_error(self.server.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if self.headers.get("If-Range") not in (self.server.etag, self.server.date):
            start = 0
        if start >= len(self.server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(self.server.content)}")
            self.identify()
            self.end_headers()
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.identify()
        self.end_headers()
        self.wfile.write(body if self.server.cut is None else body[: self.server.cut])

    def identify(self) -> None:
        if self.server.etag is not None:
            self.send_header("ETag", self.server.etag)
        if self.server.date is not None:
            self.send_header("Last-Modified", self.server.date)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SDG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    torch.save({"w": torch.arange(5000.0)}, tmp_path / "source.pt")
    server = Server((tmp_path / "source.pt").read_bytes())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_nothing_is_fetched_unless_asked(cache: Path, server: Server) -> None:
    with pytest.raises(SDGError, match=r"add prior\.download=true to fetch http"):
        locate("nowhere.pt", server.url)
    assert server.asked == []
    assert not cache.exists()


def test_what_is_there_is_never_fetched(
    tmp_path: Path, cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # where open_clip has nothing
    here = tmp_path / "source.pt"
    assert locate(here, server.url, download=True) == here
    with pytest.raises(SDGError, match="cache does not hold RN50/openai"):
        locate("open_clip:RN50/openai", server.url, download=True)
    assert server.asked == []


def test_the_setting_that_gives_the_path_is_named(tmp_path: Path) -> None:
    for path, where in ((tmp_path / "w.pt", f"at {tmp_path / 'w.pt'}: train it, or"), (None, "is named:")):
        with pytest.raises(SDGError, match=rf"no checkpoint {where} give encoder\.checkpoint=PATH"):
            locate(path, setting="encoder.checkpoint")


def test_a_file_is_fetched_once(
    cache: Path,
    server: Server,
) -> None:
    file = locate("nowhere.pt", server.url, sha256(server.content), download=True)
    assert file == cache / "weights.pt"
    assert torch.equal(read_state(file)["w"], torch.arange(5000.0))
    assert locate("nowhere.pt", server.url) == file
    assert server.asked == [None]
    assert [path.name for path in cache.iterdir()] == ["weights.pt"]


def test_a_cut_connection_is_resumed(cache: Path, server: Server) -> None:
    server.cut = 7000
    with pytest.raises(SDGError, match=r"broke after 7,000 of .* it goes on from there"):
        locate("nowhere.pt", server.url, download=True)
    assert sorted(path.name for path in cache.iterdir()) == ["weights.pt.part", "weights.pt.part.mark"]
    server.cut = None
    file = locate("nowhere.pt", server.url, sha256(server.content), download=True)
    assert server.asked == [None, "bytes=7000-"]
    assert Path(file).read_bytes() == server.content


@pytest.mark.parametrize("identity", ["etag", "date", "weak", "nothing"])
@pytest.mark.parametrize("changed", [True, False])
def test_two_files_are_never_mixed(cache: Path, server: Server, identity: str, changed: bool) -> None:
    """Between two attempts the file at the address may have become another, of the same size."""
    dates = "Mon, 01 Jan 2024 00:00:00 GMT", "Tue, 02 Jan 2024 00:00:00 GMT"
    server.etag = {"etag": '"first"', "weak": 'W/"same"'}.get(identity)
    server.date = dates[0] if identity == "date" else None
    server.cut = 7000
    with pytest.raises(SDGError, match="broke after 7,000"):
        fetch(server.url, cache / "w.pt")
    server.cut = None
    if changed:
        content = bytearray(server.content)
        content[4000:9000] = server.content[4000:9000][::-1]
        server.content = bytes(content)
        server.etag = {"etag": '"second"', "weak": 'W/"same"'}.get(identity)
        server.date = dates[1] if identity == "date" else None
    assert fetch(server.url, cache / "w.pt").read_bytes() == server.content
    assert server.asked == [None, "bytes=7000-" if identity in ("etag", "date") else None]
    assert [path.name for path in cache.iterdir()] == ["w.pt"]


def test_a_part_of_unknown_origin_is_begun_anew(cache: Path, server: Server) -> None:
    cache.mkdir()
    (cache / "w.pt.part").write_bytes(b"another file")
    assert fetch(server.url, cache / "w.pt").read_bytes() == server.content
    assert server.asked == [None]


def test_a_server_that_knows_no_ranges_starts_anew(cache: Path, server: Server) -> None:
    server.cut, server.ranges = 7000, False
    with pytest.raises(SDGError):
        fetch(server.url, cache / "w.pt")
    server.cut = None
    assert fetch(server.url, cache / "w.pt").read_bytes() == server.content


def test_a_part_that_is_whole_already_is_taken(cache: Path, server: Server) -> None:
    cache.mkdir()
    (cache / "w.pt.part").write_bytes(server.content)
    (cache / "w.pt.part.mark").write_text('"first"')
    assert fetch(server.url, cache / "w.pt").read_bytes() == server.content


def test_a_part_that_is_too_long_is_thrown_away(cache: Path, server: Server) -> None:
    cache.mkdir()
    (cache / "w.pt.part").write_bytes(server.content + b"x")
    (cache / "w.pt.part.mark").write_text('"first"')
    with pytest.raises(SDGError):
        fetch(server.url, cache / "w.pt")
    assert fetch(server.url, cache / "w.pt").read_bytes() == server.content


def test_another_hash_is_refused_and_nothing_stays(cache: Path, server: Server) -> None:
    with pytest.raises(SDGError, match="does not have the known file's SHA-256"):
        locate("nowhere.pt", server.url, "0" * 64, download=True)
    assert not cache.exists()


def test_a_web_page_is_refused_and_nothing_stays(cache: Path, server: Server) -> None:
    server.content = b"<html>please sign in</html>"
    with pytest.raises(SDGError, match="fetch it by browser"):
        locate("nowhere.pt", server.url, download=True)
    assert not cache.exists()


@pytest.mark.parametrize("status", [404, 503])
def test_what_the_server_says_is_passed_on(cache: Path, server: Server, status: int) -> None:
    server.status = status
    with pytest.raises(SDGError, match=rf"cannot fetch http.*{status}|cannot fetch http.*\("):
        locate("nowhere.pt", server.url, download=True)


def test_a_cache_that_cannot_be(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDG_CACHE", str(tmp_path / "source.pt"))
    with pytest.raises(SDGError, match="set SDG_CACHE"):
        locate(None, server.url, download=True)


def test_no_server_and_no_address(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(SDGError, match="cannot fetch"):
        fetch("http://127.0.0.1:9/w.pt", cache / "w.pt")
    with pytest.raises(SDGError, match="starts with https"):
        fetch((tmp_path / "w.pt").as_uri(), cache / "w.pt")


def test_open_clips_cache_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    missing = rf"fetch https://.*/RN50x16\.pt to {tmp_path}/\.cache/clip, or give x\.y=PATH"
    with pytest.raises(SDGError, match=missing):
        find_file("open_clip:RN50x16/openai", "x.y")
    file = tmp_path / ".cache" / "clip" / "RN50x16.pt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert find_file("open_clip:RN50x16/openai") == find_file("open_clip:RN50x16-quickgelu/openai") == file
    with pytest.raises(SDGError, match=r"no weights 'nobody' for RN50: choose among openai, yfcc15m"):
        find_file("open_clip:RN50/nobody")
