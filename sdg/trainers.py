"""Trainers, and the processes that they start or that others have started for them."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch.distributed as dist
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities import rank_zero_only

from sdg.errors import SDGError
from sdg.processes import set_rank
from sdg.stopping import be_quiet, end_together, started_by_first


def make_trainer(
    make: Callable[..., pl.Trainer], several: str, nodes: int = 1, plugins: Sequence[Any] = ()
) -> pl.Trainer:
    """A trainer of one process, whatever a batch system says, or of several, started by it or by others.

    Args:
        make: makes it, given ``plugins``.
        several: the setting for several processes, for messages.
        nodes: machines, as set.

    Raises:
        SDGError: others have started another number of processes than the trainer expects.
    """
    trainer, others = make(plugins=[*plugins, _OwnProcesses(nodes)]), _others()
    wanted = trainer.world_size
    if others is not None and (wanted > 1 or others.program == "torchrun"):
        if others.processes != wanted:
            if others.rank:
                raise SystemExit(1)  # the first says why
            raise SDGError(
                f"{others.program} has started {others.processes} processes, and the trainer expects "
                f"{wanted}: give {several} trainer.devices=N, where N is their number on each machine"
            )
        trainer = make(plugins=list(plugins))  # Lightning finds out who has started them
    # Lightning takes the environment's word for it until a strategy of several processes knows better.
    rank_zero_only.rank = trainer.global_rank  # type: ignore[attr-defined]
    set_rank(trainer.global_rank)
    if trainer.global_rank:
        be_quiet()
    return trainer


def together(trainer: pl.Trainer) -> AbstractContextManager[None]:
    """The context in which a trainer starts its processes: they end no later than this one."""
    return end_together(lambda: getattr(trainer.strategy.launcher, "procs", []))


def wait_for_all(trainer: pl.Trainer) -> None:
    """Wait until every process of the run is here. Meanwhile this one can still be told to end.

    Raises:
        SDGError: one of them has died.
    """
    if trainer.world_size == 1 or not dist.is_initialized():
        return
    try:
        here = dist.barrier(async_op=True)
        while not here.is_completed():
            time.sleep(0.05)  # a blocking wait would answer no signal
        here.wait()
    except RuntimeError as error:
        raise SDGError(
            "a process of this run has died: give the same command again, it draws what is left"
        ) from error


class _OwnProcesses(LightningEnvironment):
    """Processes that the trainer starts itself; a variable that stands around does not make this one of them.

    With several machines, the command is given on each, with its number in NODE_RANK.
    """

    def __init__(self, nodes: int):
        super().__init__()
        self.nodes = nodes

    @property
    def creates_processes_externally(self) -> bool:
        return started_by_first()

    def local_rank(self) -> int:
        return super().local_rank() if started_by_first() else 0

    def node_rank(self) -> int:
        return super().node_rank() if self.nodes > 1 else 0


class _Others(NamedTuple):
    program: str
    processes: int
    rank: int


def _others() -> _Others | None:
    """Who has started several processes for this run, of which this is one, if anyone has.

    Slurm's variables say it for a single process, too: only a trainer of several may believe them.
    """
    names = {"torchrun": ("WORLD_SIZE", "RANK"), "Slurm": ("SLURM_NTASKS", "SLURM_PROCID")}
    program = "torchrun" if "TORCHELASTIC_RUN_ID" in os.environ else "Slurm"
    count, rank = (os.environ.get(name, "") for name in names[program])
    by_hand = program == "Slurm" and os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    if started_by_first() or by_hand or not (count.isdecimal() and rank.isdecimal()) or int(count) < 2:
        return None
    return _Others(program, int(count), int(rank))
