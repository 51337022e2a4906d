"""A few steps of training a generator against a discriminator are what a few lines say."""

import copy
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from sdg.diffusion.noise import NoiseSource
from sdg.randomness import keyed_generator
from sdg.training.stylegan import StyleGANTraining
from tests.training.by_hand import RATES, STEPS, Average, ByHand, double, fit, same
from tests.training.test_golden_prior import optimisation

SEED, ROWS, LATENT, LAYERS, SIDE = 7, 3, 2, 2, 4


class Generator(nn.Module):
    """z -> w -> pictures with a little noise, neither of them linear."""

    latent_dim, layers = LATENT, LAYERS

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(LATENT, LATENT), nn.Linear(LAYERS * LATENT, 3 * SIDE**2)

    def mapping(self, z: Tensor) -> Tensor:
        return self.first(z).tanh()

    def synthesis(self, w: Tensor, noise: NoiseSource) -> Tensor:
        w = w if w.ndim == 3 else w[:, None].expand(-1, LAYERS, -1)
        pictures = (self.second(w.flatten(1)) + w.sum(dim=(1, 2))[:, None] ** 2).view(-1, 3, SIDE, SIDE)
        return pictures + 0.1 * noise.normal((1, SIDE, SIDE)).double()

    def forward(self, z: Tensor, noise: NoiseSource) -> Tensor:
        return self.synthesis(self.mapping(z), noise)


class Discriminator(nn.Module):
    """Pictures to logits (B,), not linear, so that its gradient has one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3 * SIDE**2, 4), nn.Linear(4, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.first(images.flatten(1)).tanh()).squeeze(1)


class Drawn:
    """The numbers of a step's pictures, one generator each."""

    def __init__(self, step: int):
        keys = range(step * ROWS, (step + 1) * ROWS)
        self.generators = [keyed_generator("stylegan", SEED, key) for key in keys]

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        return torch.stack([torch.randn(shape, generator=generator) for generator in self.generators])


def real(step: int) -> Tensor:
    return torch.rand(ROWS, 3, SIDE, SIDE, generator=keyed_generator("real", step)).double() * 2 - 1


def slope(discriminator: nn.Module, images: Tensor) -> Tensor:
    """Mean over images of the squared norm of the gradient of the logit, one picture at a time."""
    squares = []
    for image in images:
        image = image[None].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(image)[0], image, create_graph=True)
        squares.append((gradient * gradient).sum())
    return torch.stack(squares).mean()


def lengths(generator: Generator, noise: Drawn) -> Tensor:
    """‖Jᵀy‖ of each picture, its squares averaged over the layers."""
    w = generator.mapping(noise.normal((LATENT,)).double())[:, None].expand(-1, LAYERS, -1)
    images = generator.synthesis(w, noise)
    y = noise.normal((3, SIDE, SIDE)).double()
    (gradient,) = torch.autograd.grad((images * y).sum() / SIDE, w, create_graph=True)
    return (gradient * gradient).sum(dim=(1, 2)).div(LAYERS).sqrt()


def by_hand(generator: Generator, discriminator: Discriminator, average: Average) -> Iterator[float]:
    """The sum of both losses at every step; R1 at every second, path lengths at every third."""
    of_d, of_g, mean = ByHand(discriminator.parameters()), ByHand(generator.parameters()), 0.0
    for step in range(STEPS):
        noise = Drawn(step)
        fake = generator(noise.normal((LATENT,)).double(), noise)
        on_real, on_fake = discriminator(real(step)), discriminator(fake.detach())
        loss_d = -(on_real.sigmoid().log() + (1 - on_fake.sigmoid()).log()).mean()
        if step in (1, 3):
            loss_d = loss_d + 0.6 / 2 * 2 * slope(discriminator, real(step))
        of_d.step(loss_d)
        loss_g = -discriminator(fake).sigmoid().log().mean()
        if step == 2:
            found = lengths(generator, noise)
            mean = mean + 0.01 * (float(found.mean().detach()) - mean)
            loss_g = loss_g + 0.5 * 3 * ((found - mean) ** 2).mean()
        of_g.step(loss_g)
        average.update()
        yield float((loss_d + loss_g).detach())
    yield mean


def test_both_networks():
    generator, discriminator = double(Generator), double(Discriminator)
    assert isinstance(generator, Generator)
    assert isinstance(discriminator, Discriminator)
    module = StyleGANTraining(
        copy.deepcopy(generator),  # type: ignore[arg-type]  # all that the training asks of a StyleGAN2
        copy.deepcopy(discriminator),  # type: ignore[arg-type]
        optimisation(),
        r1=0.6,
        r1_every=2,
        path_length=0.5,
        path_length_every=3,
        ema_decay=0.3,
        seed=SEED,
    )
    record = fit(module, [{"image": real(step), "step": step} for step in range(STEPS)])
    average = Average(generator, 0.3)
    *losses, mean = by_hand(generator, discriminator, average)
    assert record.losses == pytest.approx(losses, rel=1e-6)
    assert record.rates == pytest.approx(RATES)
    same(module.trained(), generator)
    same(module.discriminator, discriminator)
    same(module.exported(), average.values)
    assert math.isclose(float(module.path_mean), mean, rel_tol=1e-8)
    assert mean > 0
