"""The one exception that means "your input, not our bug"."""


class SDGError(Exception):
    """A problem the user can fix. The message is a single line that says what is wrong and how to fix it.

    The entry points print it as ``error: <message>`` and exit with status 1; with ``HYDRA_FULL_ERROR=1`` they
    show the whole traceback instead.
    """
