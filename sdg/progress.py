"""Progress bars: on a terminal those of tqdm; elsewhere, as in a log, a line now and then."""

import sys
import time
from typing import Any

from tqdm import tqdm

EVERY = 30.0
"""Seconds between two lines."""

_LINE = (
    "{desc}: {percentage:.0f}% of {total_fmt} {unit}, {elapsed} gone, {remaining} left, {rate_fmt}{postfix}"
)
_UNKNOWN = "{desc}: {n_fmt} {unit}, {elapsed} gone, {rate_fmt}{postfix}"
"""Without a total."""


class Bar(tqdm):
    """tqdm, whose arguments it takes; where its output is no terminal, it prints lines, ``EVERY`` seconds.

    A line says how much is done, in how long, how long the rest will take, and the rate. Work that ends
    sooner prints none.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        file = kwargs.get("file") or sys.stderr
        self.lines = not file.isatty() and "ipykernel" not in sys.modules  # a notebook draws bars
        self.told = time.monotonic()
        super().__init__(*args, **kwargs | ({"leave": False} if self.lines else {}))

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Draw the bar, or print the line that is due."""
        if not self.lines:
            return super().display(msg, pos)
        if msg is None and time.monotonic() - self.told >= EVERY:
            self.told = time.monotonic()
            told = self.format_dict | {"bar_format": _UNKNOWN if self.total is None else _LINE}
            print(*self.format_meter(**told).split(), file=self.fp, flush=True)
        return False

    def clear(self, nolock: bool = False) -> None:
        """Wipe the bar; lines stay."""
        if not self.lines:
            super().clear(nolock)
