"""Pictures and what is said of them: a folder, an archive or an LMDB beside a table of captions or labels."""

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from sdg.data.captions import FOLDER, Captions, Words
from sdg.data.file_data import FileData
from sdg.data.table import Row, find_table, match_rows, read_table
from sdg.errors import SDGError
from sdg.files import printable


class CaptionedData(FileData):
    """``FileData`` whose batches also have B ``captions`` and ``descriptions``; see ``CLIPTraining``.

    Args:
        captions: how rows of the table become captions.
        table: its path, or its name in or beside ``root``; see ``read_table``. None: there is no table, and
            all that is known of a picture is the name of its folder, in the column "folder".
        file: the table's column with the pictures' names; see ``match_rows``.
        unmatched: what a row without a picture, or a picture without a row or with an empty one, does:
            ``fail`` ends the run, ``skip`` leaves both out and says how many.
        settings: those of ``FileData``.
    """

    def __init__(
        self,
        root: str | None,
        captions: Captions,
        table: str | None = None,
        file: str = "file",
        unmatched: Literal["skip", "fail"] = "fail",
        **settings: Any,
    ):
        super().__init__(root, **settings)
        if unmatched not in ("skip", "fail"):
            raise SDGError(f"data.unmatched={unmatched} is unknown: use skip or fail")
        source = self.source.source
        paths = [source.path_inside(index) for index in range(len(source))]
        folders = [{FOLDER: PurePosixPath(path).parent.name} for path in paths]
        rows = [[row] for row in folders]
        self.named = "its folder"
        if table is not None:
            path = find_table(table, source.place, Path(str(root)).expanduser())
            self.named = str(path)
            rows, missing = match_rows(read_table(path, file), paths)
            rows = [[folder | row for row in those] for folder, those in zip(folders, rows, strict=True)]
            self._pass_over(missing, unmatched, f"{path} names {{}} that {source.place} has not")
        contents = [self._prepare(captions, those, place) for place, those in enumerate(rows)]
        silent = [source.name(place) for place, content in enumerate(contents) if content is None]
        if len(silent) == len(contents):
            raise SDGError(
                f"{self.named} says nothing of any of {len(contents):,} pictures: look at "
                "its columns, data.file and data.captions"
            )
        self._pass_over(silent, unmatched, f"{self.named} says nothing of {{}}")
        self.words = Words(captions, contents, self.seed)
        if unsaid := captions.unsaid(content for content in contents if content is not None):
            self.notes.append(f"{self.named} tells no {' and no '.join(unsaid)}, so captions do not either")
        self._usable = [place for place, content in enumerate(contents) if content is not None]

    def fingerprint(self) -> str:
        """A hash of the pictures and of what is said of them."""
        assert self.words is not None
        text = f"{super().fingerprint()} {self.words.contents}"
        return hashlib.blake2b(text.encode(errors="backslashreplace"), digest_size=16).hexdigest()

    def usable(self) -> list[int]:
        """The places of the pictures of which something can be said."""
        return self._usable

    def _prepare(self, captions: Captions, rows: Sequence[Row], place: int) -> Any:
        try:
            return captions.prepare(rows) if rows else None
        except SDGError as error:
            raise SDGError(f"{self.named}, of {self.source.source.name(place)}: {error}") from error

    def _pass_over(self, names: Sequence[str], unmatched: str, told: str) -> None:
        """Raise SDGError for what ``told`` says of ``names``, or note it for later."""
        if not names:
            return
        count = "1 picture" if len(names) == 1 else f"{len(names):,} pictures"
        told = f"{told.format(count)}, such as {printable(names[0])}"
        if unmatched == "fail":
            raise SDGError(f"{told}: mend that, or leave them out with data.unmatched=skip")
        self.notes.append(f"skipped: {told}")
