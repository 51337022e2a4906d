"""The configurations of the entry points, with networks small enough for tests."""

from functools import cache
from pathlib import Path

import hydra
import torch
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from PIL import Image

from sdg.checkpoints import save_weights
from sdg.composition import CONF, compose
from sdg.config import build
from sdg.randomness import keyed_generator

SIZES = [
    "prior.denoiser.image_size=32",
    "prior.denoiser.network.unet.base_channels=32",
    "prior.denoiser.network.unet.head_channels=32",
    "prior.denoiser.network.width=8",
    "encoder.clip.image_size=32",
    "encoder.clip.embed_dim=16",
    "encoder.clip.vision={layers: [1, 1, 1, 1], width: 4, head_width: 32}",
    "encoder.clip.text={context_length: 32, width: 16, heads: 2, layers: 1}",
    "encoder.network={_target_: sdg.networks.time_clip.TimeResNet, layers: [1, 1, 1, 1], width: 4, heads: 4, "
    "output_dim: 16, image_size: 32, sinusoid_dim: 8, time_dim: 8}",
]
NETWORKS = ["encoder=toyfaces", *SIZES]
TRAINING = [
    *NETWORKS,
    "data.size=32",
    "data.batch_size=4",
    "data.train_count=16",
    "data.val_count=8",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.val_check_interval=3",
    "trainer.log_every_n_steps=1",
    "+trainer.enable_progress_bar=false",
    "~callbacks.bar",
    "callbacks.checkpoint.every=2",
]


GENERATOR = [
    f"generator.network.{size}"
    for size in ("latent_dim=8", "mapping_layers=2", "channel_max=8", "image_size=32")
]


def pixels(path: Path) -> bytes:
    """A picture's pixels: of its file, without what the file says of how it was made."""
    with Image.open(path) as image:
        return image.tobytes()


def pictures(folder: Path) -> dict[str, bytes]:
    """The pixels of a run's samples, by file name."""
    return {path.name: pixels(path) for path in sorted((folder / "samples").iterdir())}


def configure(name: str, overrides: list[str]) -> DictConfig:
    """What ``python <name>.py <overrides>`` would run with, as a job of one run."""
    own = tuple(word for word in overrides if word.startswith("hydra."))
    HydraConfig.instance().set_config(_hydra(own))
    return compose(name, [word for word in overrides if word not in own])


@cache
def _hydra(words: tuple[str, ...]) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("sample", list(words), return_hydra_config=True)


def make_weights(folder: Path, *chosen: str) -> list[str]:
    """Random weights for the tiny networks, as files; the overrides that make ``sample.py`` use them.

    Args:
        chosen: overrides that come before those of the tiny networks, such as ``encoder=faces64``.
    """
    networks = SIZES if any(word.startswith("encoder=") for word in chosen) else NETWORKS
    config = configure("sample", [*chosen, *networks])
    with torch.random.fork_rng():
        torch.manual_seed(0)  # whatever ran before: biases are as their layers begin
        files = {
            "prior.checkpoint": build(config.prior.denoiser).network,
            "encoder.clip_checkpoint": build(config.encoder.clip),
            "encoder.checkpoint": build(config.encoder.network),
        }
    for key, network in files.items():
        generator = keyed_generator("tiny", key)
        for parameter in network.parameters():
            if parameter.ndim > 1:  # zero-initialised layers would make every picture the same
                fan_in = parameter[0].numel()
                parameter.data.normal_(std=fan_in**-0.5, generator=generator)
        save_weights(folder / f"{key}.safetensors", network)
    return [*networks, *(f"{key}={folder / key}.safetensors" for key in files)]


def make_generator(folder: Path) -> str:
    """Random weights for a tiny StyleGAN2 (:data:`GENERATOR`), as a file; the override that names it."""
    generator = build(configure("sample", GENERATOR).generator.network)
    for parameter in generator.parameters():
        parameter.data.normal_(std=0.5, generator=keyed_generator("tiny generator", parameter.ndim))
    save_weights(folder / "generator.safetensors", generator)
    return f"generator.checkpoint={folder}/generator.safetensors"
