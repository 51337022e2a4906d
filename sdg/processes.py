"""Which of the processes of a run this one is."""

import os


def first_process() -> bool:
    """Whether this process logs and writes for the others; known before they have connected."""
    names = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in names)
