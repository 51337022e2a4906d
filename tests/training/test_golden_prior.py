"""A few steps of training a prior and the judge are what a few lines in float64 say they are."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from sdg.data.toyfaces import NUISANCES
from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.schedule import NoiseSchedule
from sdg.networks.judge import Judge
from sdg.randomness import keyed_generator
from sdg.training.emphasis import Spot
from sdg.training.judge import JudgeTraining
from sdg.training.optimisation import Optimisation
from sdg.training.prior import PriorTraining
from tests.training.by_hand import (
    BETAS,
    DECAY,
    FINAL,
    LR,
    RATES,
    STEPS,
    WARMUP,
    Average,
    ByHand,
    cross_entropy,
    double,
    fit,
    same,
)

SEED, ROWS = 3, 4
ALPHA_BAR = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)


def optimisation() -> Optimisation:
    return Optimisation(LR, weight_decay=DECAY, betas=BETAS, warmup=WARMUP, final=FINAL)


class Tiny(nn.Module):
    """A convolution whose bias moves with t."""

    def __init__(self, out: int):
        super().__init__()
        self.conv, self.time = nn.Conv2d(3, out, 3, padding=1), nn.Linear(1, out)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.conv(x) + self.time(t.view(-1, 1).to(x) / 1000)[..., None, None]


def pictures(step: int, size: int) -> Tensor:
    return torch.rand(ROWS, 3, size, size, generator=keyed_generator("golden", step)).double() * 2 - 1


def drawn(step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x0, noise, x_t and t of a step: one t from each of ROWS strata, all shifted by one number."""
    generator = keyed_generator("prior", SEED, step)
    u = (torch.arange(ROWS) / ROWS + torch.rand((), generator=generator)) % 1
    t = (u * 1000).floor().long()
    x0, noise = pictures(step, 8), torch.randn(ROWS, 3, 8, 8, generator=generator).double()
    a = ALPHA_BAR[t].view(-1, 1, 1, 1)
    return x0, noise, a.sqrt() * x0 + (1 - a).sqrt() * noise, t


def learned_variance(network: nn.Module, step: int) -> Tensor:
    """L_simple + L_vlb of a network that predicts ε and a variance (Nichol & Dhariwal 2021)."""
    x0, noise, x_t, t = drawn(step)
    a = ALPHA_BAR[t].view(-1, 1, 1, 1)
    before = ALPHA_BAR[t - 1].view(-1, 1, 1, 1)
    beta = 1 - a / before
    tilde = beta * (1 - before) / (1 - a)
    eps, v = network(x_t, t).chunk(2, dim=1)
    x0_hat = ((x_t - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-1, 1).detach()
    variance = (((v + 1) * beta.log() + (1 - v) * tilde.log()) / 2).exp()

    def mean(x: Tensor) -> Tensor:
        return before.sqrt() * beta / (1 - a) * x + (a / before).sqrt() * (1 - before) / (1 - a) * x_t

    kl = kl_divergence(Normal(mean(x0), tilde.sqrt()), Normal(mean(x0_hat), variance.sqrt()))
    return ((eps - noise) ** 2).mean() + 0.001 * 1000 * kl.mean() / math.log(2)


def emphasised(network: nn.Module, step: int) -> Tensor:
    """The error of x0, where the mouth counts more and almost clean pictures at most 9 times."""
    x0, _, x_t, t = drawn(step)
    weight = (1 / (1 - ALPHA_BAR[t])).clamp(max=9).view(-1, 1, 1, 1)
    spot = Spot(0.5, 0.5, 0.2, 0.2, 4.0)(x0)
    return (weight * spot * (network(x_t, t) - x0) ** 2).mean()


@pytest.mark.parametrize(
    "parameterisation, channels, loss, options",
    [
        ("eps", 6, learned_variance, {}),
        ("x0", 3, emphasised, {"emphasis": Spot(0.5, 0.5, 0.2, 0.2, 4.0), "max_weight": 9.0}),
    ],
)
@pytest.mark.parametrize("clip", [None, 0.25])
def test_prior(parameterisation, channels, loss, options, clip: float | None):
    network = double(lambda: Tiny(channels))
    denoiser = Denoiser(
        copy.deepcopy(network).float(), NoiseSchedule.linear(), 8, parameterisation=parameterisation
    )
    network.load_state_dict(denoiser.network.state_dict())
    module = PriorTraining(denoiser, optimisation(), ema_decay=0.3, seed=SEED, **options)
    record = fit(module, [{"image": pictures(step, 8), "step": step} for step in range(STEPS)], clip)

    hand, average, losses = ByHand(network.parameters(), clip or math.inf), Average(network, 0.3), []
    for step in range(STEPS):
        value = loss(network, step)
        losses.append(float(value.detach()))
        hand.step(value)
        average.update()
    assert record.losses == pytest.approx(losses, rel=1e-6)
    assert record.rates == pytest.approx(RATES)
    assert record.norms == pytest.approx(hand.norms, rel=1e-6)
    assert min(record.norms) > 0.25  # so the limit is felt at every step
    same(module.trained(), network)
    same(module.exported(), average.values)
    assert max(int(drawn(step)[3].max()) for step in range(STEPS)) > 900


def test_judge():
    attributes = {"hair": 3, "hat": 2}
    judge = double(lambda: Judge(attributes, len(NUISANCES), 16, channels=[8], features=8))
    module = JudgeTraining(copy.deepcopy(judge), optimisation(), noise=0.2, blur=0.4, seed=SEED)
    low, high = torch.tensor(list(NUISANCES.values()), dtype=torch.float64).unbind(1)
    batches = []
    for step in range(STEPS):
        generator = keyed_generator("labels", step)
        labels = [torch.randint(n, (ROWS,), generator=generator) for n in attributes.values()]
        at = torch.rand(ROWS, len(NUISANCES), generator=generator).double()
        batch = {"image": pictures(step, 16), "step": step, "attributes": torch.stack(labels, 1)}
        batches.append(batch | {"nuisances": low + at * (high - low), "at": at})
    record = fit(module, batches)

    hand, losses, blurred = ByHand(judge.parameters()), [], 0
    for step, batch in enumerate(batches):
        generator = keyed_generator("judge", SEED, step)
        blur, level = torch.rand(2, ROWS, generator=generator)
        noise = torch.randn(ROWS, 3, 16, 16, generator=generator)
        images = []
        for i, image in enumerate(batch["image"]):
            small = F.interpolate(F.avg_pool2d(image[None], 2), scale_factor=2, mode="bilinear")[0]
            spoiled = small if blur[i] < 0.4 else image
            blurred += int(blur[i] < 0.4)
            images.append(spoiled + (torch.tensor(0.2) * level[i] * noise[i]).double())
        judgement = judge(torch.stack(images))
        loss = 10 * ((judgement.nuisances - (2 * batch["at"] - 1)) ** 2).mean()
        for logits, labels in zip(judgement.attributes.values(), batch["attributes"].T, strict=True):
            loss = loss + cross_entropy(logits, F.one_hot(labels, logits.shape[1]).double())
        losses.append(float(loss.detach()))
        hand.step(loss)
    assert record.losses == pytest.approx(losses, rel=1e-6)
    same(module.exported(), judge)
    assert 0 < blurred < STEPS * ROWS
