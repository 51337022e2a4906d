"""A step does nothing twice and waits for nothing: forwards, copies, reads and recompiles, counted.

On the meta device a number that Python reads is an error: that the loop runs there at all says that the host
never waits. What a step adds is the difference between a chain of three steps and one of two.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from experiments.benchmark.counters import Counts, Saved
from sdg.baselines.ilvr import ILVR
from sdg.diffusion.ddim import DDIM
from sdg.diffusion.ddpm import DDPM
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.dpmpp import DPMSolverPP2M
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Timeline
from sdg.estimators.universal import Universal
from sdg.guidance.content import Content
from sdg.guidance.guidance import Guidance
from sdg.guidance.structure import Structure
from sdg.guidance.style import Style
from sdg.guidance.targets import TextTargets
from sdg.guidance.term import Term
from sdg.guidance.text import Text
from sdg.guidance.weight import Window
from sdg.networks.clip import small_clip
from sdg.networks.fast import quicken
from sdg.networks.time_clip import TimeResNet
from sdg.networks.unet import ADMUNet
from sdg.sampling.aims import Aims
from sdg.sampling.chains import GuidedSampling
from sdg.sampling.constraints import Constraints
from sdg.sampling.plan import PlanEntry
from sdg.sampling.start import Start
from tests.golden.fill import fill_state_dict

GROUP = 3


def rare(sampler: Sampler) -> Any:
    """A parameter of the slow tests alone."""
    return pytest.param(sampler, marks=pytest.mark.slow)


def everything() -> dict[str, Term]:
    """A term of every kind."""
    stages = {"layer2": 1.0, "layer3": 1.0}
    return {"text": Text(), "content": Content(), "structure": Structure(stages), "style": Style(weight=1e-9)}


def make(
    steps: int = 2,
    terms: dict[str, Term] | None = None,
    sampler: Sampler | None = None,
    share: bool = False,
    every: int = 1,
    device: str = "meta",
    constraints: Constraints | None = None,
    clean: bool = False,
) -> GuidedSampling:
    """The method of the product around tiny networks."""
    unet = ADMUNet(32, 1, (1, 2), (2,), head_channels=32, patch=2)
    encoder = TimeResNet((1, 1, 1, 1), 8, 4, 16, image_size=32, sinusoid_dim=16, time_dim=24)
    clip = small_clip(
        ["a", "face", "hat"],
        image_size=32,
        embed_dim=16,
        vision={"layers": [1, 1, 1, 1], "width": 4, "head_width": 32},
        text={"context_length": 8, "width": 16, "heads": 2, "layers": 1},
    )
    for network in (unet, encoder, clip):
        network.load_state_dict(fill_state_dict(network.state_dict()))
    schedule = NoiseSchedule.linear()
    denoiser = Denoiser(unet, schedule, 32)
    guidance = Guidance(encoder, terms or {"text": Text()}, scale=100.0, every=every)
    return GuidedSampling(
        denoiser,
        sampler or DDPM(),
        Timeline(schedule, steps),
        Aims(guidance, TextTargets(clip), 32, share_reference=share, clean=clean),
        constraints=constraints,
        estimator=Universal(clamp=False, clamped=True) if clean else None,
        group=GROUP,
        snapshots=2,
    ).to(device)


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (32, 32), color=(200, 40 * len(name), 0)).save(tmp_path / name)
    return [str(tmp_path / name) for name in ("a.png", "b.png")]


def entries(pictures: Sequence[str] = (), count: int = GROUP) -> list[PlanEntry]:
    """A group; its references, if any, in turns."""
    paths = [pictures[i % len(pictures)] if pictures else None for i in range(count)]
    return [PlanEntry(i, ("a face", "a hat")[i % 2], paths[i], 0, i, 100.0) for i in range(count)]


@pytest.fixture
def unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes the pictures to the host, once they are drawn."""
    monkeypatch.setattr(GuidedSampling, "_finish", lambda *arguments: [])


def calls(module: nn.Module) -> list[int]:
    """A list that fills with the batch size of every forward of ``module``."""
    sizes: list[int] = []

    def note(network: nn.Module, arguments: tuple[Any, ...]) -> None:
        sizes.append(len(arguments[0]))

    module.register_forward_pre_hook(note)
    return sizes


def draw(method: GuidedSampling, group: list[PlanEntry]) -> None:
    method.draw(group)


def counted(steps: int, group: list[PlanEntry], **settings: Any) -> Counts:
    method = make(steps, **settings)
    with Counts() as counts:
        draw(method, group)
    return counts


# --- what crosses from the host to the device, and what it waits for


@pytest.mark.usefixtures("unfinished")
@pytest.mark.parametrize(
    "sampler",
    [DDPM(), DPMSolverPP2M(), *(rare(each) for each in (DDPM(gradient_at="mean"), DDIM(0.5)))],
)
def test_noise_alone_crosses_to_the_device_and_is_not_waited_for(sampler: Sampler) -> None:
    """It is drawn on the host, so that it is the same for every device; nothing else is."""
    step = counted(3, entries(), sampler=sampler).minus(counted(2, entries(), sampler=sampler))
    assert step.queued == ({"aten._to_copy": 1} if sampler.stochastic else {})
    assert not step.crossings
    assert not step.reads


@pytest.mark.usefixtures("unfinished")
@pytest.mark.parametrize("share", [False, True])
def test_a_reference_adds_its_own_noise_and_nothing_else(pictures: list[str], share: bool) -> None:
    settings: dict[str, Any] = {"share": share}
    two = counted(2, entries(pictures), terms=everything(), **settings)
    step = counted(3, entries(pictures), terms=everything(), **settings).minus(two)
    assert step.queued == {"aten._to_copy": 2}
    assert not step.crossings
    assert not step.reads


@pytest.mark.usefixtures("unfinished")
@pytest.mark.parametrize("kind", ["ilvr", "mask", "clip_x0"])
def test_what_holds_samples_adds_its_own_noise_and_plain_clip_nothing(
    pictures: list[str], kind: str, tmp_path: Path
) -> None:
    Image.new("L", (32, 32)).save(tmp_path / "mask.png")

    def counted_with(steps: int) -> Counts:
        held = {
            "ilvr": Constraints(Start(), ILVR(32, 4, range_t=-1)),
            "mask": Constraints(Start(pictures[0], 1.0, str(tmp_path / "mask.png"))),
            "clip_x0": None,
        }
        return counted(
            steps, entries(pictures), constraints=held[kind], clean=kind == "clip_x0", terms={"text": Text()}
        )

    step = counted_with(3).minus(counted_with(2))
    assert step.queued == {"aten._to_copy": 1 if kind == "clip_x0" else 2}
    assert not step.crossings
    assert not step.reads


@pytest.mark.usefixtures("unfinished")
@pytest.mark.parametrize("limits", [{"clamp": 1.0}, {"normalise": True}])
def test_limits_of_the_gradient_are_set_on_the_device(limits: dict[str, Any]) -> None:
    def counted(steps: int) -> Counts:
        method = make(steps)
        vars(method.aims.guidance).update(limits)
        with Counts() as counts:
            draw(method, entries())
        return counts

    step = counted(3).minus(counted(2))
    assert not step.crossings
    assert not step.reads


@pytest.mark.usefixtures("unfinished")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="asks CUDA itself: runs on a machine with a GPU")
def test_a_gpu_is_never_waited_for(pictures: list[str]) -> None:
    """From the end of the first step to that of the last."""
    method, taken = make(4, everything(), device="cuda"), []

    def tick(images: int = GROUP) -> None:
        taken.append(len(taken))
        torch.cuda.set_sync_debug_mode("error" if len(taken) < 4 else "default")

    try:
        method.draw(entries(pictures), tick)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(taken) == 4


# --- what is computed once


@pytest.mark.usefixtures("unfinished")
@pytest.mark.parametrize("terms", [{"text": Text()}, everything()], ids=["one", "four"])
def test_one_forward_of_each_network_in_a_step_however_many_terms(
    pictures: list[str], terms: dict[str, Term]
) -> None:
    method = make(2, terms)
    unet, encoder = calls(method.denoiser.network), calls(method.aims.guidance.encoder)
    draw(method, entries(pictures))
    assert unet == [GROUP] * 2
    references = int(len(terms) > 1)
    # For noisy pictures, and for their references if a term reads them; at the end, for finished ones.
    assert encoder == [GROUP] * (1 + references) * 3


@pytest.mark.usefixtures("unfinished")
def test_shared_references_are_encoded_once_each(pictures: list[str]) -> None:
    method = make(2, everything(), share=True)
    encoder = calls(method.aims.guidance.encoder)
    draw(method, entries(pictures))
    assert Counter(encoder) == {GROUP: 3, 1: 3 * len(pictures)}
    method = make(2, everything(), share=True)
    encoder = calls(method.aims.guidance.encoder)
    draw(method, entries(pictures[:1]))
    assert Counter(encoder) == {GROUP: 3, 1: 3}


@pytest.mark.usefixtures("unfinished")
@pytest.mark.parametrize("steps, every, asked", [(6, 1, 6), (6, 2, 3), (6, 4, 2), (5, 2, 3), (5, 9, 1)])
def test_the_encoder_is_asked_at_every_kth_step(
    pictures: list[str], steps: int, every: int, asked: int
) -> None:
    """For noisy pictures and for their references alike; at the end, for finished ones."""
    method = make(steps, everything(), DPMSolverPP2M(), every=every)
    unet, encoder = calls(method.denoiser.network), calls(method.aims.guidance.encoder)
    draw(method, entries(pictures))
    assert unet == [GROUP] * steps
    assert encoder == [GROUP] * 2 * (asked + 1)


@pytest.mark.usefixtures("unfinished")
@pytest.mark.parametrize("window, asked", [(Window(), 5), (Window(stop=0.5), 3), (Window(1.0, 0.3, 0.8), 2)])
def test_outside_an_interval_the_encoder_is_not_asked(window: Window, asked: int) -> None:
    """Five steps, at progress 0, 0.25, 0.5, 0.75 and 1 or a little less."""
    method = make(5, {"text": Text(window)})
    encoder = calls(method.aims.guidance.encoder)
    draw(method, entries())
    assert encoder == [GROUP] * (asked + 1)


@pytest.mark.usefixtures("unfinished")
def test_pictures_without_guidance_do_not_ask_the_encoder() -> None:
    method = make(5)
    encoder = calls(method.aims.guidance.encoder)
    draw(method, [entry._replace(scale=0.0) for entry in entries()])
    assert encoder == [GROUP]  # the score of the finished ones


@pytest.mark.slow
@pytest.mark.usefixtures("unfinished")
def test_a_gradient_used_again_costs_nothing() -> None:
    """A step without a call has the operators of an unguided one plus those of the shift by Σ g."""
    reused = counted(3, entries(), every=9).minus(counted(2, entries(), every=9))
    unguided = [entry._replace(scale=0.0) for entry in entries()]
    alone = counted(3, unguided).minus(counted(2, unguided))
    assert 0 < reused.operators - alone.operators <= 8
    assert (reused.crossings, reused.queued) == (alone.crossings, alone.queued)


@pytest.mark.usefixtures("unfinished")
def test_a_prompt_is_encoded_once_in_a_run() -> None:
    method = make()
    texts = calls(method.aims.texts.clip.model.transformer)
    method.check(["a face", "a hat"], [])
    for _ in range(2):
        method.draw(entries(count=2 * GROUP))
    assert texts == [1, 1]


@pytest.mark.usefixtures("unfinished")
@pytest.mark.parametrize(
    "sampler", [DDPM(), DPMSolverPP2M(eta=1.0), *(rare(each) for each in (DDIM(0.5), DPMSolverPP2M()))]
)
def test_what_lies_between_the_networks_is_little(sampler: Sampler) -> None:
    """Operators of a guided step outside UNet and encoder: noise, x0, the score, the shift, the trace."""
    step = counted(3, entries(), sampler=sampler).minus(counted(2, entries(), sampler=sampler))
    method = make(2)
    x, t = torch.zeros(GROUP, 3, 32, 32, device="meta"), torch.zeros(1, dtype=torch.int64, device="meta")
    with torch.no_grad(), Counts() as unet:
        method.denoiser.network(x, t)
    with Counts() as encoder:
        pooled = method.aims.guidance.encoder(x.requires_grad_(), t).pooled
        torch.autograd.grad(pooled.sum(), x)
    assert step.operators - unet.operators - encoder.operators <= 80


# --- what autograd keeps


class Watched:
    """Bytes that autograd keeps in every forward of a network."""

    def __init__(self, network: nn.Module):
        self.bytes: list[int] = []
        self.saved = Saved(network)
        network.register_forward_pre_hook(self._enter)
        network.register_forward_hook(self._leave)

    def _enter(self, network: nn.Module, arguments: tuple[Any, ...]) -> None:
        self.saved = Saved(network)
        self.saved.__enter__()

    def _leave(self, network: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
        self.saved.__exit__(None, None, None)
        self.bytes.append(self.saved.bytes)


@pytest.mark.usefixtures("unfinished")
def test_no_gradient_enters_the_prior() -> None:
    method = make(2)
    unet, encoder = Watched(method.denoiser.network), Watched(method.aims.guidance.encoder)
    draw(method, entries())
    assert unet.bytes == [0] * 2
    # One backward pass a step, and none for the scores of the finished pictures.
    assert encoder.bytes == [encoder.bytes[0]] * 2 + [0]
    assert encoder.bytes[0] > 0


def test_all_weights_are_frozen() -> None:
    assert not [name for name, weight in make().named_parameters() if weight.requires_grad]


# --- what is compiled


@pytest.fixture
def dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch.compiler.set_stance("default")
    torch._dynamo.reset()


@pytest.mark.usefixtures("dynamo")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.slow
def test_nothing_is_compiled_anew_after_the_first_step(channels_last: bool) -> None:
    """Both networks, as one graph each; the eager backend, which runs it as it is, costs no time."""

    def made() -> GuidedSampling:
        method = make(4, device="cpu")
        method.denoiser.meaning.kind = "x0"  # the next state inherits the output's layout
        for network in (method.denoiser.network, method.aims.guidance.encoder):
            quicken(network, channels_last=channels_last)
        return method

    method = made()
    method.denoiser.network.compile(backend="eager", fullgraph=True)
    method.aims.guidance.encoder.compile(backend="eager", fullgraph=True)
    taken: list[int] = []

    def tick(images: int = GROUP) -> None:
        taken.append(len(taken))
        # The scores of the finished pictures need no gradient, and may be compiled anew for it.
        torch.compiler.set_stance("fail_on_recompile" if len(taken) < 4 else "default")

    compiled = method.draw(entries(), tick)
    assert len(taken) == 4
    plain = made().draw(entries())
    for one, other in zip(compiled, plain, strict=True):
        assert torch.equal(one.image, other.image)
