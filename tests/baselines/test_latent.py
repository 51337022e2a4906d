"""Latent optimisation: it finds what CLIP asks for, from the given start, each sample by itself."""

from inspect import signature
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf
from torch import Tensor

from sdg.baselines.clip_loss import CLIPLoss
from sdg.baselines.latent import LatentSearch
from sdg.baselines.latent_space import LatentSpace
from sdg.checkpoints import save_weights
from sdg.composition import compose
from sdg.config import build
from sdg.diffusion.noise import NoiseSource
from sdg.errors import SDGError
from sdg.randomness import keyed_generator
from sdg.sampling.build import build_method
from tests.baselines.examples import make_clip, make_generator, normal
from tests.tiny import NETWORKS

KEYS = [(0, 0), (0, 1), (0, 2), (0, 3)]
SHAPES = {"z": (8,), "w": (8,), "w_plus": (6, 8)}


def make_search(space: Any = "w_plus", whiten: bool = False, crops: int = 0, **settings: Any) -> LatentSearch:
    latents = LatentSpace(make_generator(), space, whiten, settings.pop("truncation", 1.0))
    loss = CLIPLoss(make_clip(), crops=crops)
    return LatentSearch(latents, loss, **{"steps": 20, "lr": 0.05, **settings})


def target(*rows: int) -> Tensor:
    return torch.stack([normal(16, key=100 + row) for row in rows])


@pytest.mark.parametrize("space", ["z", "w", "w_plus"])
def test_the_score_rises(space: str) -> None:
    *steps, found = make_search(space).walk(target(0, 1, 2, 3), KEYS)
    history = [seen.losses for seen in steps if seen.losses is not None]
    assert len(history) == 20
    quarters = torch.stack(history).mean(dim=1).view(4, 5).mean(dim=1)
    assert (quarters.diff() < 0).all()
    assert (history[-1] < history[0]).all()
    assert found.images.shape == (4, 3, 16, 16)
    assert found.latents.shape == (4, *SHAPES[space])


@pytest.mark.parametrize("noise", ["own", "stored"])
def test_no_steps_give_the_generators_own_pictures(noise: Any) -> None:
    """From random starts, as different as the generator's pictures are."""
    found = make_search(steps=0, noise=noise)(target(0, 0, 0, 0), KEYS)
    generator = make_generator()
    z = NoiseSource(KEYS, "latent").normal((8,))
    expected = generator(z, NoiseSource(KEYS, "layers") if noise == "own" else None)
    torch.testing.assert_close(found.images, expected)


@pytest.mark.parametrize("space", ["z", "w", "w_plus"])
@pytest.mark.parametrize("start", ["mean", "zeros"])
def test_constant_starts_are_the_same_for_all(space: str, start: Any) -> None:
    found = make_search(space, start=start, steps=0, noise="stored")(target(0, 1, 2, 3), KEYS)
    assert torch.equal(found.latents[0], found.latents[3])
    if start == "zeros" or space == "z":
        assert not found.latents.any()
    else:
        mean = make_generator().mapping(normal(4096, 8)).mean(dim=0)
        torch.testing.assert_close(found.latents[0].expand(6, 8)[0], mean, atol=0.1, rtol=0)


def test_whitened_latents_are_measured_from_the_mean() -> None:
    whitened = make_search(whiten=True, start="mean", steps=0, noise="stored")(target(0), KEYS[:1])
    plain = make_search(start="mean", steps=0, noise="stored")(target(0), KEYS[:1])
    assert not whitened.latents.any()
    torch.testing.assert_close(whitened.images, plain.images)
    random = make_search(whiten=True, steps=0)(target(0), KEYS[:1])
    torch.testing.assert_close(random.images, make_search(steps=0)(target(0), KEYS[:1]).images)
    space = LatentSpace(make_generator(), "w", whiten=True)
    latents = space.random(normal(2000, 8))
    torch.testing.assert_close(latents.mean(dim=0), torch.zeros(8), atol=0.1, rtol=0)
    torch.testing.assert_close(latents.std(dim=0), torch.ones(8), atol=0.1, rtol=0)


def test_the_mean_latent_is_that_of_4096_and_is_kept_in_no_file() -> None:
    generator = make_generator()
    w = generator.mapping(torch.randn(4096, 8, generator=keyed_generator("mean latent")))
    space = LatentSpace(generator, "w")
    torch.testing.assert_close(space.mean, w.mean(dim=0))
    torch.testing.assert_close(space.deviation, w.std(dim=0))
    assert space.state_dict().keys() == {f"generator.{name}" for name in generator.state_dict()}


def test_a_search_trains_neither_the_generator_nor_clip() -> None:
    """Both are frozen and in eval mode, as CLIP's batch norms must be for samples not to interact."""
    generator, clip = make_generator().train(), make_clip().train()
    LatentSpace(generator)
    CLIPLoss(clip)
    for network in (generator, clip):
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert not any(module.training for module in network.modules())


@pytest.mark.parametrize("space", ["z", "w", "w_plus"])
def test_truncation_to_nothing_leaves_the_mean_picture(space: str) -> None:
    found = make_search(space, truncation=0.0, steps=0, noise="stored")(target(0, 1), KEYS[:2])
    mean = make_search(start="mean", steps=0, noise="stored")(target(0), KEYS[:1])
    torch.testing.assert_close(found.images[1], mean.images[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"crops": 2, "candidates": 3, "average": 0.5, "pull": 0.01}])
def test_samples_do_not_depend_on_their_company(settings: dict) -> None:
    search = make_search(**settings)
    together = search(target(0, 1, 2, 3), KEYS).images
    others = search(target(7, 2, 8, 9), [(1, 5), (0, 2), (1, 6), (1, 7)]).images
    assert torch.equal(others[1], together[2])
    assert (others[0] - together[0]).abs().max() > 1e-2


def test_the_best_of_the_candidates_is_chosen() -> None:
    first = list[Tensor]()
    for candidates in (1, 8):
        search = make_search(candidates=candidates, steps=1)
        begin = next(iter(search.walk(target(0, 1, 2, 3), KEYS)))
        assert begin.losses is not None
        first.append(begin.losses)
    assert (first[1] <= first[0]).all()
    assert first[1].mean() < first[0].mean() - 0.01
    search, source = make_search(), NoiseSource(KEYS, "latent")
    images = [search.space.generator(source.normal((8,)), NoiseSource(KEYS, "layers")) for _ in range(8)]
    every = torch.stack([search.loss(picture, target(0, 1, 2, 3), NoiseSource([])) for picture in images])
    torch.testing.assert_close(first[1], every.min(dim=0).values, rtol=1e-4, atol=1e-6)


def test_a_pull_keeps_latents_near_their_start() -> None:
    start = make_search(steps=0)(target(0, 1), KEYS[:2]).latents
    free = make_search()(target(0, 1), KEYS[:2]).latents
    held = make_search(pull=10.0)(target(0, 1), KEYS[:2]).latents
    assert (held - start).norm() < 0.5 * (free - start).norm()


def test_the_picture_is_made_of_averaged_latents() -> None:
    last, averaged = make_search()(target(0), KEYS[:1]), make_search(average=0.99)(target(0), KEYS[:1])
    start = make_search(steps=0)(target(0), KEYS[:1]).latents
    assert (averaged.latents - start).norm() < 0.5 * (last.latents - start).norm()


def test_a_search_is_adamw_on_loss_and_pull_at_the_ramps_rate_and_gives_the_average() -> None:
    """Four steps written out, at 0, ½, 1 and ½ of the peak rate."""
    settings = {"lr": 0.05, "ramp_up": 0.5, "ramp_down": 0.5, "betas": (0.5, 0.9), "weight_decay": 0.1}
    search = make_search("w", steps=4, pull=0.3, average=0.6, **settings)
    wanted, keys = target(0, 1), KEYS[:2]
    start = make_search("w", steps=0)(wanted, keys).latents
    x, averaged, first, second = start, start, torch.zeros_like(start), torch.zeros_like(start)
    for step, share in enumerate((0.0, 0.5, 1.0, 0.5)):
        x = x.detach().requires_grad_()
        picture = search.space.generator.synthesis(x, NoiseSource(keys, "layers"))
        loss = 1 - F.cosine_similarity(search.loss.clip.encode_image(picture), wanted, dim=-1)
        (g,) = torch.autograd.grad((loss + 0.3 * (x - start).square().sum(dim=1)).sum(), x)
        first, second = 0.5 * first + 0.5 * g, 0.9 * second + 0.1 * g.square()
        unbiased = first / (1 - 0.5 ** (step + 1)), second / (1 - 0.9 ** (step + 1))
        x = x - 0.05 * share * (0.1 * x + unbiased[0] / (unbiased[1].sqrt() + 1e-8))
        averaged = 0.6 * averaged + 0.4 * x
    found = search(wanted, keys)
    torch.testing.assert_close(found.latents, averaged.detach(), rtol=1e-4, atol=1e-6)
    expected = search.space.generator.synthesis(averaged.detach(), NoiseSource(keys, "layers"))
    torch.testing.assert_close(found.images, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("part, made", [("", LatentSearch), ("space", LatentSpace), ("loss", CLIPLoss)])
def test_what_is_left_out_is_as_in_the_preset(part: str, made: type) -> None:
    """The defaults in Python are those of conf/method/stylegan_clip.yaml."""
    preset = compose("sample", ["method=stylegan_clip"]).method.search
    node = OmegaConf.to_container(preset[part] if part else preset)
    assert isinstance(node, dict)
    defaults = {
        name: list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        for name, parameter in signature(made).parameters.items()
        if parameter.default is not parameter.empty
    }
    assert defaults == {name: node[name] for name in defaults}


def test_the_learning_rate_rises_and_falls() -> None:
    search = make_search(steps=100, ramp_up=0.05, ramp_down=0.25)
    ramp = [search.ramp(step) for step in range(100)]
    assert ramp[0] == 0
    assert ramp[4] == pytest.approx(0.8)
    assert ramp[5:76] == [1.0] * 71
    assert ramp[88] == pytest.approx(0.47, abs=0.01)
    assert ramp[99] < 0.01
    constant = make_search(steps=10, ramp_up=0.0, ramp_down=0.0)
    assert [constant.ramp(step) for step in range(10)] == [1.0] * 10


@pytest.mark.parametrize(
    "wrong, remedy",
    [
        ({"space": "s"}, "space=s is unknown: use z, w or w_plus"),
        ({"space": "z", "whiten": True}, "use space=w or w_plus"),
        ({"start": "here"}, "start=here is unknown"),
        ({"noise": "none"}, "noise=none is unknown"),
        ({"candidates": 0}, "candidates=0 leaves no start"),
        ({"steps": -1}, "steps=-1 is no number of steps"),
        ({"average": 1.0}, "average=1.0 is no decay"),
    ],
)
def test_settings_that_do_not_exist_are_refused(wrong: dict, remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        make_search(**wrong)


@pytest.mark.parametrize(
    "preset, like",
    [
        ("stylegan_clip", {"start": "random", "noise": "own", "lr": 0.1}),
        ("stylegan_clip_styleclip", {"start": "mean", "noise": "stored", "lr": 0.1, "steps": 300}),
        ("stylegan_clip_vipermu", {"start": "zeros", "noise": "stored", "lr": 0.01}),
        ("stylegan_clip_notebook", {"candidates": 32, "lr": 0.03, "betas": (0.0, 0.999), "average": 0.9}),
    ],
)
def test_every_preset_searches(preset: str, like: dict, tmp_path: Any) -> None:
    tiny = ["latent_dim=8", "mapping_layers=2", "channel_max=8", "image_size=32"]
    overrides = [override for override in NETWORKS if override.startswith("encoder")]
    overrides += [f"generator.network.{override}" for override in tiny]
    overrides += [f"generator.checkpoint={tmp_path}/generator.safetensors"]
    overrides += [f"encoder.clip_checkpoint={tmp_path}/clip.safetensors"]
    config = compose("sample", [f"method={preset}", *overrides])
    save_weights(tmp_path / "generator.safetensors", build(config.generator.network))
    save_weights(tmp_path / "clip.safetensors", build(config.encoder.clip))
    search = build_method(config).search
    assert {name: getattr(search, name) for name in like} == like
    search.steps = 2
    assert search(torch.ones(2, 16), KEYS[:2]).images.isfinite().all()
