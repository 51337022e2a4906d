"""Runs that use the prior's inner features again: the same however drawn, recorded, or refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.errors import InstantiationException

from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.reuse import Reuse
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.networks.split import Split
from sdg.networks.unet import ADMUNet
from sdg.pixels import to_bytes
from sdg.sampling.chains import GuidedSampling
from sdg.sampling.plan import PlanEntry
from tests.golden.fill import fill_state_dict
from tests.sampling.test_controls import pictures, records, run
from tests.tiny import make_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return make_weights(tmp_path_factory.mktemp("weights"))


def prior() -> Denoiser:
    unet = ADMUNet(32, 1, (1, 2), (2,), head_channels=32, out_channels=3)
    unet.load_state_dict(fill_state_dict(unet.state_dict()))
    return Denoiser(unet.eval().requires_grad_(False), NoiseSchedule.linear(), 8)


def drawn(denoiser: Denoiser, timeline: Timeline, reuse: Reuse | None, group: int = 3, **more: Any) -> list:
    method = GuidedSampling(denoiser, DDPM(), timeline, group=group, reuse=reuse, **more)
    return method.draw([PlanEntry(i, None, None, 0, i, 0.0) for i in range(3)])


def test_a_chain_asks_for_the_whole_prior_at_the_steps_of_its_reuse_alone() -> None:
    """Held against the loop itself, around a prior that is told by hand which call is whole."""
    denoiser = prior()
    timeline = Timeline(denoiser.schedule, 5)
    split, order = Split(denoiser.network, 2), iter([True, False, True, False, True])
    split.register_forward_pre_hook(lambda network, asked: setattr(network, "fresh", next(order)))
    wanted = generate(denoiser.around(split), DDPM(), timeline, NoiseSource([(0, i) for i in range(3)]))
    samples = drawn(denoiser, timeline, Reuse(2, blocks=2))
    assert torch.equal(torch.stack([sample.image for sample in samples]), to_bytes(wanted))
    plain = drawn(denoiser, timeline, None)
    assert not torch.equal(samples[0].image, plain[0].image)
    assert samples[0].record["trace"]["reused"] == [749, 250]
    assert "reused" not in plain[0].record["trace"]


def test_a_picture_alone_is_the_one_among_three() -> None:
    denoiser = prior()
    timeline = Timeline(denoiser.schedule, 4)
    three, one = (drawn(denoiser, timeline, Reuse(2), group) for group in (3, 1))
    for a, b in zip(three, one, strict=True):
        torch.testing.assert_close(a.image.float(), b.image.float(), atol=1, rtol=0)


def test_estimators_that_go_back_through_the_prior_are_refused(weights: list[str], tmp_path: Path) -> None:
    refused = {
        ("estimator=dps",): r"DPS takes gradients through the prior.*sampler\.reuse=none",
        ("sampler.reuse=5",): r"sampler\.reuse=5 is more than the chain's 4 steps",
        ("sampler.reuse_blocks=9",): r"sampler\.reuse_blocks=9: this UNet has 4 blocks",
        ("compile=true",): r"compile=true compiles the prior whole: use sampler\.reuse=none",
    }
    for more, line in refused.items():
        with pytest.raises(InstantiationException, match=line):
            run(weights, tmp_path / "run", "prompts=[a face]", "sampler.reuse=2", *more)
        assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_that_reuses_features_depends_on_neither_batch_nor_interruption(
    weights: list[str], tmp_path: Path
) -> None:
    common = ["prompts=[a face]", "sampler=dpmpp_2m_sde", "sampler.steps=4"]
    run(weights, tmp_path / "plain", *common)
    again = [*common, "sampler.reuse=2"]
    run(weights, tmp_path / "whole", *again)
    run(weights, tmp_path / "ones", *again, "batch_size=1")
    (tmp_path / "ones" / "samples" / "000003.png").unlink()
    run(weights, tmp_path / "ones", *again, "batch_size=1")
    plain, whole = pictures(tmp_path / "plain"), pictures(tmp_path / "whole")
    assert pictures(tmp_path / "ones") == whole
    assert not any(plain[name] == whole[name] for name in plain)
    assert yaml.safe_load((tmp_path / "whole" / "config.yaml").read_text())["sampler"]["reuse"] == 2
    assert all(record["trace"]["reused"] == [666, 0] for record in records(tmp_path / "whole"))
    run(weights, tmp_path / "none", *common, "sampler.reuse=none")
    assert pictures(tmp_path / "none") == plain
