"""The command ``sdg``, and the entry points ``train``, ``sample`` and ``evaluate``."""
