"""Samplers, spacings and schedules by name on the command line, and what an encoder says of its noise."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdg.checkpoints import load_weights, save_weights
from sdg.config import build, one_line
from sdg.diffusion.schedule import Flow, VarianceExploding
from sdg.sampling.build import build_method
from sdg.sampling.chains import GuidedSampling
from sdg.sampling.networks import Networks
from sdg.sampling.plan import PlanEntry
from tests.tiny import configure, make_weights

COSINE = "prior.denoiser.schedule._target_=sdg.diffusion.schedule.NoiseSchedule.cosine"


NETWORKS = Networks()
"""Loaded once."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


def method(weights: list[str], *words: str) -> GuidedSampling:
    made = build_method(configure("sample", [*weights, "group=1", *words]), NETWORKS)
    assert isinstance(made, GuidedSampling)
    return made


def drawn(weights: list[str], *words: str) -> Tensor:
    made = method(weights, *words)
    (sample,) = made.draw([PlanEntry(0, "a smiling face", None, 0, 0, made.scale)])
    return sample.image.float()


def test_samplers_by_name_lay_their_chains_as_they_say(weights: list[str]) -> None:
    heun, euler = method(weights, "sampler=heun", "sampler.steps=4"), method(weights, "sampler=euler")
    assert (heun.steps, heun.timeline.corrected) == (7, True)
    karras = method(weights, "sampler=ddim", "sampler/spacing=karras", "sampler.steps=4").timeline
    assert (
        karras.timesteps == heun.timeline.timesteps != method(weights, "sampler=ddim").timeline.timesteps[:4]
    )
    assert isinstance(euler.timeline.schedule, Flow)
    assert euler.timeline.start.log_snr == pytest.approx(heun.timeline.start.log_snr)
    other = method(weights, "sampler=ddpm", "sampler/schedule=exploding").timeline
    assert isinstance(other.schedule, VarianceExploding)
    assert other.steps[0].level.log_snr == pytest.approx(heun.denoiser.schedule.clearest.log_snr)
    assert heun.aims is not None
    assert not any(
        heun.aims.guidance.clamps(step.level) for step in [*heun.timeline, *euler.timeline, *other]
    )


def test_levels_that_the_encoder_does_not_know_are_told_once(
    weights: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    method(weights, "sampler.steps=5")
    assert "note" not in capsys.readouterr().out
    drawn(weights, "sampler.steps=5", COSINE)
    (line,) = capsys.readouterr().out.splitlines()
    assert "knows -5.06 to 4.61: at 2 of 5 steps it is shown the nearest" in line


def test_weights_say_on_which_schedule_they_learned(weights: list[str], tmp_path: Path) -> None:
    config = configure("sample", weights)
    network = load_weights(build(config.encoder.network), config.encoder.checkpoint)
    schedule = build(config.encoder.schedule)
    assert str(schedule) == "1000 timesteps with λ from 4.605 through -1.231 to -5.059"
    save_weights(tmp_path / "own.safetensors", network, {"schedule": str(schedule)}, torch.float32)
    own = f"encoder.checkpoint={tmp_path / 'own.safetensors'}"
    assert method(weights, own).aims is not None
    with pytest.raises(
        Exception, match=r"own\.safetensors has learned noise on 1000 timesteps .*: give that of"
    ):
        method(weights, own, "encoder.schedule.steps=500")


@pytest.mark.parametrize("words, remedy", [
    (["encoder.schedule=null"], r"does not say on which schedule .*: give encoder\.schedule, for example"),
    (["sampler=euler", "sampler/spacing=adm"], "counts timesteps, and a Flow has none"),
    (["sampler=heun", "sampler.rule.churn=-1"], r"use 0 \(deterministic\)"),
    (["sampler=heun", "sampler.rule.churn=9", "estimator=dsg"], "not at every step: choose sampler=ddpm"),
    (["sampler=heun", "sampler.rule.churn=9", "population=fk", "group=4"], "choose sampler=ddpm or balanced"),
    (["prior.denoiser.parameterisation=flow"], "flow is defined on a Flow, not on a NoiseSchedule: choose"),
])  # fmt: skip
def test_what_does_not_fit_is_one_line(weights: list[str], words: list[str], remedy: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (the message is what counts)
        method(weights, *words)
    assert re.search(remedy, one_line(caught.value)), one_line(caught.value)
