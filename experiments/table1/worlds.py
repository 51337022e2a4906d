"""What a data set defines: settings of ``sample.py``, and the metrics that its samples are measured with."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.baselines.contenders import PROMPTS, REFERENCES
from experiments.running import configuration, usable
from experiments.table1.prompts import POOL
from sdg.config import build
from sdg.errors import SDGError


class World(NamedTuple):
    """The metrics and features of one kind of data, by their names in ``conf``."""

    settings: tuple[str, ...]
    """For ``sample.py``."""
    distance: str
    diversity: str
    found: dict[str, str]
    """Kind of target -> the metric that retrieves it."""
    features: dict[str, str]
    """Metric -> the features that it reads."""
    held_out: str
    """Features for retrieving prompts, from a network that guided nothing."""
    width: int
    """Width of the distance's features; it needs more pictures than that."""
    judged: bool
    """Whether the judge of toy faces reads attributes."""
    prompts: Path | None = None
    """Default prompts to aim at."""


def _toyfaces() -> World:
    found = {PROMPTS: "retrieval_judge", REFERENCES: "reference_retrieval_judge"}
    features = {found[PROMPTS]: "judge_answers", found[REFERENCES]: "judge"}
    features |= {"fd_judge_reference": "judge", "diversity_judge": "judge"}
    return World(
        (), "fd_judge_reference", "diversity_judge", found, features, "judge_answers", 128, True, POOL
    )


def _public(prior: str, prompts: Path | None = None) -> World:
    encoder = f"outputs/train/{prior}_clip/{prior}_clip.safetensors"
    networks = (f"prior={prior}", "encoder=rn50x16", "generator=stylegan2_256")
    found = {PROMPTS: "retrieval_clip_vit_b_32", REFERENCES: "reference_retrieval_clip_vit_b_32"}
    features = dict.fromkeys(found.values(), "clip_vit_b_32")
    features |= {"fid_inception_tf": "inception_tf", "lpips_alex": "lpips_alex"}
    settings = (*networks, f"encoder.checkpoint={encoder}")
    return World(
        settings, "fid_inception_tf", "lpips_alex", found, features, "clip_vit_b_32", 2048, False, prompts
    )


DATA = {"toyfaces": _toyfaces(), "ffhq": _public("ffhq", POOL.with_name("faces.txt"))} | {
    name: _public(name) for name in ("lsun_bedroom", "lsun_cat", "lsun_horse")
}


def measurable(world: World, settings: Sequence[str], pictures: int, against: str | None) -> list[str]:
    """The metrics of a world whose weights are there; prints a line about each of the others.

    Args:
        settings: of ``evaluate.py``.
        pictures: number of them in a row.
        against: what samples are compared with, if anything.
    """
    config = configuration("evaluate", settings)
    width = config.judge.network.get("features", world.width) if world.judged else world.width

    def check(metric: str) -> None:
        if metric == world.distance and pictures <= width:
            raise SDGError(f"it takes more than {width} pictures of a row: use more --samples")
        if metric == world.distance and against is None:
            raise SDGError("it takes pictures to hold samples against: give them with --against")
        build(config.features[world.features[metric]])

    otherwise = "nothing can be measured: give the weights of an instrument with --evaluate"
    return usable(world.features, check, otherwise)
