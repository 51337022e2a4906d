"""The typed top level of each command's configuration; constructors check the groups below it."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore


@dataclass
class TrainConfig:
    """``train.py``: see conf/train.yaml for what the settings mean."""

    paths: Any = None
    data: Any = None
    prior: Any = None
    encoder: Any = None
    judge: Any = None
    model: Any = None
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
    group: int = 4
    dtype: str = "float32"
    channels_last: bool = False
    compile: bool = False
    snapshots: int = 0
    trace: bool = True
    output_dir: str = "outputs/sample"


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


def register() -> None:
    """Make the schemas known to Hydra as ``train_schema``, ``sample_schema`` and ``evaluate_schema``."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="sample_schema", node=SampleConfig)
    store.store(name="evaluate_schema", node=EvaluateConfig)
