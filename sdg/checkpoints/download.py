"""Public files downloaded to a cache on request: resumed, checked, and named once complete."""

import json
import os
import shutil
import urllib.error
import urllib.request
from email.message import Message
from functools import cache
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlparse

from sdg.checkpoints.catalogue import checklist_of
from sdg.checkpoints.places import OPEN_CLIP, cache_folder, chosen, find_file
from sdg.errors import SDGError
from sdg.files import file_hash, write_whole
from sdg.locks import locked
from sdg.progress import Bar

_CHUNK = 1 << 20
_TIMEOUT = 60
"""Seconds to wait for an answer before giving up on a server."""


def locate(
    path: str | Path | None,
    url: str | None = None,
    sha256: str | None = None,
    download: bool = False,
    setting: str = "prior.checkpoint",
) -> Path:
    """The weight file: at ``path``, else in the cache, into which ``download`` fetches it from ``url``.

    Without ``download`` no connection is ever made.

    Args:
        path: see :func:`open_checkpoint`.
        sha256: hash that a fetched file must have, in hexadecimal, or its beginning; None if unknown.
        setting: the command-line setting that gives ``path``, for messages.

    Raises:
        SDGError: the file is in neither place, or could not be fetched.
    """
    if url is None or str(path).startswith(OPEN_CLIP) or _is_there(path):
        file, (_, entry) = find_file(path, setting), chosen(path)
        return file if entry is None else file.with_name(f"{file.name}@{entry}")
    cached = cache_folder() / Path(urlparse(url).path).name
    if cached.is_file():
        note_cached(path, cached)
        return cached
    if not download:
        raise SDGError(
            f"there is no checkpoint at {path}: give {setting}=PATH, or add "
            f"{setting.replace('checkpoint', 'download')}=true to fetch {url} to {cached.parent} "
            f"({checklist_of(path)} lists what is needed)"
        )
    return fetch(url, cached, sha256)


@cache
def note_cached(path: str | Path | None, cached: Path) -> None:
    """Once in a process, however often the file is looked for."""
    print(f"note: there is no file at {path}, so {cached} is taken")


def _is_there(path: str | Path | None) -> bool:
    place = chosen(path)[0]
    return bool(place) and os.path.exists(os.path.expanduser(str(place)))


def fetch(url: str, target: Path, sha256: str | None = None) -> Path:
    """Fetch ``url`` to ``target``, continuing an earlier attempt's ``target.part``; returns ``target``.

    Of several processes, one fetches and the others wait for it.

    Raises:
        SDGError: no or a broken connection, a wrong hash, not a checkpoint, or no room on the disk.
    """
    if urlparse(url).scheme not in ("http", "https"):
        raise SDGError(f"{url} is not an address to fetch from: give one that starts with https://")
    part = target.with_name(target.name + ".part")
    with locked(target.with_name(target.name + ".lock"), target, "set SDG_CACHE", wait=True):
        if not target.is_file():
            _fetch(url, part, sha256)
            part.replace(target)
            _discard(part)
    return target


def _fetch(url: str, part: Path, sha256: str | None) -> None:
    """Complete ``part`` and check it."""
    try:
        _receive(url, part)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise SDGError(
            f"cannot fetch {url} ({reason}): give the command again, it goes on from there"
        ) from error
    if sha256 is not None and not file_hash(part).startswith(sha256.lower()):
        _discard(part)
        raise SDGError(
            f"what {url} gave does not have the known file's SHA-256, so it was removed: try again, "
            f"or fetch it elsewhere and give its path"
        )
    from sdg.checkpoints.checkpoint import open_checkpoint  # imports torch

    try:
        if Path(urlparse(url).path).suffix == ".json":
            json.loads(part.read_text(encoding="utf-8"))
        else:
            open_checkpoint(part)
    except (SDGError, ValueError) as error:
        _discard(part)
        raise SDGError(
            f"what {url} gave is not a checkpoint, so it was removed: fetch it by browser"
        ) from error


def _receive(url: str, part: Path) -> None:
    """Append to ``part`` what it still lacks of ``url``.

    Beside it lies the validator (ETag or date) of the file that it is a part of. Only a server that confirms
    it continues: a part without one, or of another file, is begun anew.
    """
    mark = _mark_of(part)
    validator = mark.read_text(encoding="utf-8") if mark.exists() and part.exists() else ""
    have = part.stat().st_size if validator else 0
    ranges = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity", **ranges})
    try:
        response: HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # of what is there nothing is missing, or it is of another file
            if (
                _validator(error.headers) == validator
                and error.headers.get("Content-Range") == f"bytes */{have}"
            ):
                return
            _discard(part)
        raise
    with response:
        begins = f"bytes {have}-"
        if response.status != 206:
            have = 0  # the server sends the whole file
        elif not response.headers.get("Content-Range", begins).startswith(begins):
            raise ConnectionError("the server sent another part than it was asked for")
        missing = int(response.headers.get("Content-Length") or 0)
        if missing > shutil.disk_usage(part.parent).free:
            raise SDGError(
                f"{part.parent} has no room for another {missing:,} bytes: free some, or set SDG_CACHE"
            )
        if not have:
            part.unlink(missing_ok=True)  # before the mark, which would otherwise speak for an older part
            write_whole(mark, _validator(response.headers))
        progress = Bar(total=have + missing or None, initial=have, unit="B", unit_scale=True, desc=part.stem)
        with part.open("ab" if have else "wb") as file, progress:
            received = 0
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                received += len(chunk)
                progress.update(len(chunk))
    if received < missing:
        raise ConnectionError(f"the connection broke after {have + received:,} of {have + missing:,} bytes")


def _mark_of(part: Path) -> Path:
    return part.with_name(part.name + ".mark")


def _discard(part: Path) -> None:
    for file in (part, _mark_of(part)):
        file.unlink(missing_ok=True)


def _validator(headers: Message) -> str:
    """What identifies the file that a server sends: its strong ETag, else its date, else nothing."""
    etag = headers.get("ETag") or ""
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified") or ""
