"""The one exception that means "your input, not our bug"."""


class SDGError(Exception):
    """A problem the user can mend. The message is a single line that says what is wrong and names the remedy.

    The entry points print it as ``error: <message>`` and exit with status 1; with ``HYDRA_FULL_ERROR=1`` the
    whole traceback is shown instead.
    """
