"""Which of the processes of a run this one is."""

from dataclasses import dataclass


@dataclass
class _State:
    rank: int = 0


_state = _State()


def first_process() -> bool:
    """Whether this process logs and writes for the others: it does, unless its trainer says otherwise."""
    return _state.rank == 0


def set_rank(rank: int) -> None:
    """Note what the trainer says (``make_trainer``). Variables like RANK or SLURM_PROCID say nothing:
    a batch system sets them for a run of one process too."""
    _state.rank = rank
