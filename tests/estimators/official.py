"""Chains of the estimators' official programs, and ours on the same stand-ins, noise and settings.

``tests/golden/estimators.safetensors`` holds numbers only: what these programs gave on a CPU in float64, with
tiny stand-ins for the prior, the guide and the autoencoder, for two samples each drawn alone: TFG f8d17f3,
DPS effbde7, FreeDoM 1394b1d, Universal-Guided-Diffusion ff82f88, mpgd_pytorch 9f94b38, DSG2024 b217c7a,
spectralguidance 4a1f266, oc-guidance 1d20e30 (NDTM), Fk-Diffusion-Steering 9413005 and
twisted_diffusion_sampler 5b6af53, under torch 2.15.0. Of every chain there are its timesteps, noises, first
and last state. Here each stand-in is written anew.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from sdg.diffusion.denoiser import Denoiser, Prediction
from sdg.diffusion.level import Level
from sdg.diffusion.look import Look
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.pilot import Pilot, Push
from sdg.diffusion.process import walk
from sdg.diffusion.sampler import Sampler, Taken, correct_score
from sdg.diffusion.schedule import NoiseSchedule
from sdg.diffusion.timeline import Step, Timeline
from sdg.estimators.estimator import Estimator
from sdg.estimators.steer import Steer
from sdg.guidance.score import OfFunction

FILE = Path(__file__).parent.parent / "golden" / "estimators.safetensors"
SCHEDULE = NoiseSchedule.linear()


@cache
def arrays() -> Mapping[str, Tensor]:
    return load_file(FILE)


def stand_in(name: str) -> Tensor:
    return arrays()[f"stand_ins.{name}"].double()


class Prior(nn.Module):
    """Predicts ε, and a variance if it is to have learned one."""

    def __init__(self, learned: bool = False):
        super().__init__()
        self.learned = learned
        self.forwards = 0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.forwards += 1
        alpha_bar = SCHEDULE.alpha_bar[t].view(-1, 1, 1, 1)
        bias = stand_in("eps.a1") + t.double() / 1000 * stand_in("eps.a2")
        h = torch.tanh(F.conv2d(x, stand_in("eps.A1"), padding=1) + bias[None, :, None, None])
        eps = (1 - alpha_bar).sqrt() * x - alpha_bar.sqrt() * F.conv2d(h, stand_in("eps.A2"), padding=1)
        return torch.cat([eps, torch.tanh(F.conv2d(h, stand_in("eps.A3")))], 1) if self.learned else eps


def embedded(x: Tensor) -> Tensor:
    """The guide: five numbers of a picture."""
    q = F.conv2d(x, stand_in("enc.E1"), stride=2, padding=1)
    return (q / (1 + q.square()).sqrt()).flatten(1) @ stand_in("enc.E2").T


class Codes:
    """The autoencoder."""

    def encode(self, x0: Tensor) -> Tensor:
        r = F.conv2d(x0, stand_in("ae.D1"), stride=2, padding=1)
        return r / (1 + r.square()).sqrt()

    def decode(self, code: Tensor) -> Tensor:
        larger = code.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return F.conv2d(larger, stand_in("ae.D2"), padding=1)


def logp(x: Tensor) -> Tensor:
    return (3 * embedded(x)).log_softmax(1).gather(1, arrays()["stand_ins.classes"][: len(x), None])[:, 0]


def distance(x: Tensor) -> Tensor:
    return -(stand_in("y")[: len(x)] - embedded(x)).norm(dim=1)


def square(x: Tensor) -> Tensor:
    return -(stand_in("y")[: len(x)] - embedded(x)).square().sum(1)


def spectrum(x: Tensor, t: int) -> Tensor:
    """c · φ/‖φ‖ of the whitened features φ of a noisy picture."""
    p = ((1 + t / 1000) * embedded(x) - stand_in("phi.mu")) @ stand_in("phi.W") / stand_in("phi.norm")
    phi = torch.cat([p, torch.ones_like(p[:, :1])], 1)
    return phi @ stand_in("coefficients") / phi.norm(dim=1)


class FaceDDIM(Sampler):
    """The rule of FreeDoM's and MPGD's face scripts: the noise is η √(1-ᾱ_s), also at the last step."""

    def guide(self, prediction: Prediction, gradient: Tensor, step: Step) -> Prediction:
        return correct_score(prediction, gradient, step)

    def step(
        self, x_t: Tensor, prediction: Prediction, step: Step, noise: Tensor, previous: Taken | None = None
    ) -> Tensor:
        mixed = 0.5 * noise + 0.75**0.5 * prediction.eps(x_t, step)
        return step.alpha_bar_s**0.5 * prediction.x0 + (1 - step.alpha_bar_s) ** 0.5 * mixed


class Visiting(Timeline):
    """A chain over any timesteps, the noisiest first."""

    def __init__(self, timesteps: Sequence[int]):
        kept = sorted(timesteps)
        alpha_bars = [1.0, *SCHEDULE.alpha_bar[kept].tolist()]
        tildes = [(1 - a / b) * (1 - b) / (1 - a) for b, a in pairwise(alpha_bars)]
        tildes[0] = tildes[1]
        levels = [Level.vp(t, a, 1 - t / 999) for t, a in zip((0, *kept), alpha_bars, strict=True)]
        self.schedule, self.timesteps = SCHEDULE, tuple(kept)
        logs = torch.tensor(tildes, dtype=torch.float64).log().tolist()
        self.steps = tuple(Step(i, levels[i + 1], levels[i], logs[i]) for i in range(len(kept)))


class Scripted(NoiseSource):
    """Noise from an array: of every stream, its own list of draws."""

    def __init__(self, streams: Mapping[str, list[Tensor]], stream: str = "x_t"):
        self.streams, self.drawn = streams, streams[stream]

    def other(self, stream: str) -> "Scripted":
        return Scripted(self.streams, stream)

    def normal(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        return self.drawn.pop(0).double()


class Switching(Pilot):
    """Another estimator for each step; None: no guidance there."""

    def __init__(self, choose: Callable[[Step], Steer | None], turns: Callable[[Step], int]):
        self.choose, self.count = choose, turns

    def pulls(self, step: Step) -> bool:
        steer = self.choose(step)
        return steer is not None and steer.pulls(step)

    def turns(self, step: Step) -> int:
        return self.count(step)

    def __call__(self, look: Look, sampler: Sampler, noise: Tensor) -> Push | None:
        steer = self.choose(look.step)
        return None if steer is None else steer(look, sampler, noise)


def deal(
    noise: Tensor,
    x_T: Tensor,
    timeline: Timeline,
    sampler: Sampler,
    layout: str,
    turns: Callable[[Step], int],
    count: int,
) -> dict[str, list[Tensor]]:
    """The draws of a chain for our streams.

    Args:
        noise: (samples, draws, C, H, W); x_T is (samples, C, H, W).
        layout: what each turn of a step draws, in order: z of the step, b to go back, m of an estimate, u
            unused; Z is not drawn at the last step, and B not in the last turn of a step.
    """
    noise = noise[:count]
    streams: dict[str, list[Tensor]] = {"x_t": [x_T[:count]], "recurrence": [], "estimate": []}
    number = 0
    for step in timeline:
        for left in reversed(range(turns(step))):
            for kind in layout:
                if (kind == "Z" and step.last) or (kind == "B" and not left):
                    continue
                drawn = noise[:, number] if number < noise.shape[1] else torch.zeros_like(noise[:, 0])
                number += 1
                if kind in "zZ" and sampler.stochastic and not step.last:
                    streams["recurrence" if left else "x_t"].append(drawn)
                elif kind in "bB" and left:
                    streams["recurrence"].append(drawn)
                elif kind == "m":
                    streams["estimate"].append(drawn)
    assert number >= noise.shape[1], (number, noise.shape)
    return streams


def walked(
    chain: str,
    make: Callable[[Step], Estimator | None] | Estimator,
    score: Callable[..., Tensor],
    sampler: Sampler,
    *,
    layout: str = "z",
    turns: Callable[[Step], int] = lambda step: 1,
    count: int = 2,
    clip: bool = True,
    learned: bool = False,
    noisy: bool = False,
    noise: Tensor | None = None,
) -> tuple[list[Tensor], Prior]:
    """Our states after every step, and the prior with its count of forwards."""
    timeline = Visiting(arrays()[f"{chain}.timesteps"].tolist())
    given, start = arrays()[f"{chain}.noise"] if noise is None else noise, arrays()[f"{chain}.x_T"]
    source, prior = Scripted(deal(given, start, timeline, sampler, layout, turns, count)), Prior(learned)
    steers: dict[int, Steer] = {}

    def asked(x: Tensor, level: Level) -> Tensor:
        return score(x, level.t) if noisy else score(x)

    def choose(step: Step) -> Steer | None:
        estimator = make if isinstance(make, Estimator) else make(step)
        if estimator is None:
            return None
        if id(estimator) not in steers:
            estimator.fit(sampler, timeline)
            steers[id(estimator)] = Steer(estimator, OfFunction(asked), source.other("estimate"))
        return steers[id(estimator)]

    denoiser = Denoiser(prior, SCHEDULE, 8, clip=clip)
    moments = walk(denoiser, sampler, timeline, source, Switching(choose, turns))
    return [moment.x_s for moment in moments], prior


def error(got: Tensor, want: Tensor) -> float:
    return float(((got - want).abs() / (1 + want.abs())).max())
