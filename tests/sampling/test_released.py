"""The released settings have names, and differ from ours in nothing but what the names say."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from sdg.baselines.ilvr import ILVR
from sdg.config import build
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from tests.tiny import configure


def differences(ours: list[str], released: list[str], script: str = "sample") -> dict[str, tuple[Any, Any]]:
    """By dotted name, the settings in which two command lines differ."""
    leaves = [flat(OmegaConf.to_container(configure(script, words))) for words in (ours, released)]
    names = leaves[0].keys() | leaves[1].keys()
    return {name: (a, b) for name in names if (a := leaves[0].get(name)) != (b := leaves[1].get(name))}


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict) or not node:
        return {prefix: node}
    return {
        name: leaf for key, child in node.items() for name, leaf in flat(child, f"{prefix}.{key}").items()
    }


@pytest.mark.parametrize("guidance", ["style", "mix"])
def test_released_guidance_does_not_limit_the_gradient(guidance: str) -> None:
    changed = differences([f"guidance={guidance}"], [f"guidance={guidance}_released"])
    assert {name.removeprefix(".method"): change for name, change in changed.items()} == {
        ".guidance.clamp": (0.5, None)
    }


def test_released_ilvr_has_a_factor_of_32_at_256_pixels_and_the_level_before_the_step() -> None:
    changed = differences(
        ["method=ilvr", "prior=ffhq"], ["method=ilvr", "constraint=ilvr_released", "prior=ffhq"]
    )
    assert {name.removeprefix(".method"): change for name, change in changed.items()} == {
        ".constraint.factor": (8, 32),
        ".constraint.level": ("s", "t"),
    }
    config = configure("sample", ["method=ilvr", "constraint=ilvr_released", "prior=ffhq"])
    constraint = build(config.constraint)
    assert isinstance(constraint, ILVR)
    assert constraint.low_pass.shrink.shape == (8, 256)


def test_released_fine_tuning_starts_at_random_and_has_a_constant_rate() -> None:
    changed = differences(["model=time_clip"], ["model=time_clip_released"], "train")
    assert changed.keys() == {
        *(".model.encoder.positional", ".model.encoder.modulation"),
        *(f".model.optimisation.{name}" for name in ("lr", "warmup", "final")),
    }
    # The experiment has a warm-up of its own.
    words = ["+experiment=ffhq_clip", "model=time_clip_released", "model.optimisation.warmup=0"]
    config = configure("train", words)
    assert (config.model.encoder.positional, config.model.encoder.modulation) == ("random", "default")
    optimisation = build(config.model.optimisation)
    assert (optimisation.lr, optimisation.weight_decay, optimisation.betas) == (1e-4, 0.0, (0.9, 0.999))
    assert [optimisation.factor(step, 500_000) for step in (0, 1, 250_000, 499_999)] == [1.0] * 4


def test_sections_of_steps_can_be_typed() -> None:
    steps = configure("sample", ['sampler.steps="10,10,20"']).sampler.steps
    timeline = Timeline(NoiseSchedule.linear(), steps)
    assert (len(timeline), timeline.timesteps[10], timeline.timesteps[20]) == (40, 334, 667)
