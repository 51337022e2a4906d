"""The typed top level of each command's configuration; constructors check the groups below it."""

from dataclasses import dataclass, field, fields
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


@dataclass
class TrainConfig:
    """``train.py``: see conf/train.yaml for what the settings mean."""

    paths: Any = None
    data: Any = None
    prior: Any = None
    encoder: Any = None
    judge: Any = None
    model: Any = None
    distillation: Any = None
    trainer: Any = None
    callbacks: Any = None
    logger: Any = None
    name: str = "run"
    seed: int = 0
    output_dir: str = "outputs/train"
    compile: bool = False
    resume: Any = "auto"
    warm_start: str | None = None


@dataclass
class SampleConfig:
    """``sample.py``: see conf/sample.yaml for what the settings mean."""

    paths: Any = None
    prior: Any = None
    encoder: Any = None
    generator: Any = None
    guidance: Any = None
    estimator: Any = None
    population: Any = None
    sampler: Any = None
    constraint: Any = None
    method: Any = None
    trainer: Any = None
    logger: Any = None
    prompts: list[str] = field(default_factory=list)
    prompts_file: str | None = None
    references: list[str] = field(default_factory=list)
    reference_noise: str = "fresh"
    share_reference: bool = False
    start: Any = None
    samples_per_prompt: int = 4
    unguided: bool = True
    seed: int = 0
    batch_size: int = 8
    group: int | None = None
    side_by_side: bool | None = None
    dtype: str | None = "float32"
    channels_last: bool | None = False
    compile: bool = False
    snapshots: int = 0
    trace: bool = True
    output_dir: str = "outputs/sample"
    again: str | None = None


@dataclass
class EvaluateConfig:
    """``evaluate.py``: see conf/evaluate.yaml for what the settings mean."""

    paths: Any = None
    judge: Any = None
    encoder: Any = None
    features: Any = None
    metrics: Any = None
    samples: str | None = None
    reference: str | None = None
    preparation: str | None = None
    mentions: str | None = None
    batch_size: int = 256
    device: str | None = None
    cache: str | None = None
    output_dir: str | None = None


@dataclass
class PrepareConfig:
    """``python -m sdg.data prepare``: see conf/prepare.yaml for what the settings mean."""

    paths: Any = None
    data: Any = None
    size: Any = None


@dataclass
class SweepConfig:
    """``python -m sdg.sweep``: see conf/sweep.yaml for what the settings mean."""

    paths: Any = None
    name: str = MISSING
    trials: int = 20
    seed: int = 0
    output_dir: str = "outputs/sweep"
    space: Any = MISSING
    commands: Any = MISSING
    objective: str = MISSING
    direction: str = "maximize"
    keep: Any = None


COMMANDS: dict[str, Any] = {
    "train": TrainConfig,
    "sample": SampleConfig,
    "evaluate": EvaluateConfig,
    "prepare": PrepareConfig,
    "sweep": SweepConfig,
}


def top_level(command: str) -> list[str]:
    """The names at the top level of a command's configuration."""
    return [field.name for field in fields(COMMANDS[command])]


def register() -> None:
    """Make the schemas known to Hydra: ``train_schema``, ``sample_schema`` and so on."""
    store = ConfigStore.instance()
    for command, schema in COMMANDS.items():
        store.store(name=f"{command}_schema", node=schema)
