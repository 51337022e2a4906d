"""Words, names and texts are UTF-8, whatever the locale says."""

import locale
import os
import sys


def speak_utf8() -> None:
    """Begin this process anew in Python's UTF-8 mode, unless it reads and writes UTF-8 already.

    In the locale ``C`` (batch systems, small containers), Python would otherwise misread a prompt with an ö,
    and fail when it writes one.
    """
    if sys.flags.utf8_mode or {sys.getfilesystemencoding(), locale.getencoding().lower()} == {"utf-8"}:
        return
    os.environ["PYTHONUTF8"] = "1"  # for the processes that this one starts, too
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
