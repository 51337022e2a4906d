"""StyleGAN+CLIP: a latent of the generator is moved until a clean-image CLIP finds the prompt in the picture.

The paper does not say which of the public programs it ran; the three known ones are presets of this class
(conf/method/). In W+ nothing keeps a latent near the generator's own latents: the method can satisfy CLIP
with pictures that no longer resemble the data.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from sdg.baselines.clip_loss import CLIPLoss
from sdg.baselines.latent_space import LatentSpace
from sdg.diffusion.noise import NoiseSource
from sdg.errors import SDGError

Keys = Sequence[tuple[int, int]]
"""(seed, index) of every sample: all its random numbers follow from it."""


class Found(NamedTuple):
    """What a search has found so far."""

    images: Tensor
    """(B, 3, S, S), about [-1, 1], not clamped."""
    latents: Tensor
    """In the space that was searched: (B, D), or (B, L, D) in W+."""
    losses: Tensor | None = None
    """Of the latents, (B,); None for the result, which is not measured."""


class LatentSearch(nn.Module):
    """AdamW on the latents of a batch; a sample's result does not depend on the other samples.

    As in sampling, always use the same batch size: rounding depends on it, and hundreds of steps amplify the
    differences.

    Args:
        start: ``random`` latents, each sample's own, the ``mean`` latent, or ``zeros``.
        candidates: number of random starts from which the best is chosen.
        noise: what the generator's layers add: ``own``, drawn once for each sample, or ``stored``, the
            checkpoint's noise maps.
        steps: 0 returns the starts themselves.
        lr: peak learning rate.
        ramp_up, ramp_down: fractions of the steps over which it rises linearly and falls along a cosine.
        pull: weight of the squared distance of a latent from its start, summed over its components.
        average: decay of the moving average of latents that gives the picture; 0 uses the last latent.

    Raises:
        SDGError: an unknown name, or a number out of range.
    """

    def __init__(
        self,
        space: LatentSpace,
        loss: CLIPLoss,
        start: Literal["random", "mean", "zeros"] = "random",
        candidates: int = 1,
        noise: Literal["own", "stored"] = "own",
        steps: int = 300,
        lr: float = 0.1,
        ramp_up: float = 0.05,
        ramp_down: float = 0.25,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        pull: float = 0.0,
        average: float = 0.0,
    ):
        super().__init__()
        if start not in ("random", "mean", "zeros"):
            raise SDGError(f"method.search.start={start} is unknown: use random, mean or zeros")
        if noise not in ("own", "stored"):
            raise SDGError(f"method.search.noise={noise} is unknown: use own or stored")
        if candidates < 1:
            raise SDGError(f"method.search.candidates={candidates} leaves no start: use 1 or more")
        if steps < 0:
            raise SDGError(f"method.search.steps={steps} is no number of steps: use 0 or more")
        if not 0 <= average < 1:
            raise SDGError(
                f"method.search.average={average} is no decay: use 0 (the last latent) or more, below 1"
            )
        self.space, self.loss, self.start, self.candidates, self.noise = space, loss, start, candidates, noise
        self.steps, self.lr, self.ramp_up, self.ramp_down = steps, lr, ramp_up, ramp_down
        self.betas, self.weight_decay = (betas[0], betas[1]), weight_decay
        self.pull, self.average = pull, average

    @torch.no_grad()
    def walk(self, target: Tensor, keys: Keys) -> Iterator[Found]:
        """Search for one latent for each sample: the latents before every step, then the result.

        Args:
            target: embeddings of the prompts (B, D).
        """
        start = self._start(target, keys)
        crops = NoiseSource(keys, "crops")
        latents, averaged = start.clone().requires_grad_(), start.clone()
        optimizer = torch.optim.AdamW([latents], betas=self.betas, weight_decay=self.weight_decay)
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = self.lr * self.ramp(step)
            with torch.enable_grad():
                images = self._picture(latents, keys)
                losses = self.loss(images, target, crops)
                distance = (latents - start).square().flatten(1).sum(dim=1)
                (latents.grad,) = torch.autograd.grad((losses + self.pull * distance).sum(), latents)
            seen = Found(images.detach(), latents.detach().clone(), losses.detach())
            optimizer.step()
            averaged.lerp_(latents, 1 - self.average)
            yield seen
        yield Found(self._picture(averaged, keys), averaged)

    def forward(self, target: Tensor, keys: Keys) -> Found:
        """The result of :meth:`walk`."""
        *_, found = self.walk(target, keys)
        return found

    @torch.no_grad()
    def untouched(self, keys: Keys) -> Tensor:
        """The pictures of the first starts, before any prompt has had an effect: (B, 3, S, S)."""
        return self._picture(self._draw_start(NoiseSource(keys, "latent")), keys)

    def ramp(self, step: int) -> float:
        """Learning rate at ``step``, relative to the peak (as in StyleCLIP, after Karras et al. 2020)."""
        t = step / self.steps
        up = min(1.0, t / self.ramp_up) if self.ramp_up else 1.0
        down = min(1.0, (1 - t) / self.ramp_down) if self.ramp_down else 1.0
        return up * (1 - math.cos(math.pi * down)) / 2

    def _start(self, target: Tensor, keys: Keys) -> Tensor:
        """The latents the search begins from: the sample's best candidate, or a constant."""
        source, crops = NoiseSource(keys, "latent"), NoiseSource(keys, "candidate crops")
        best = self._draw_start(source)
        if self.start != "random" or self.candidates == 1:
            return best
        least = self.loss(self._picture(best, keys), target, crops)
        for _ in range(self.candidates - 1):
            latents = self._draw_start(source)
            losses = self.loss(self._picture(latents, keys), target, crops)
            best[losses < least] = latents[losses < least]
            least = torch.minimum(losses, least)
        return best

    def _draw_start(self, source: NoiseSource) -> Tensor:
        """The next start for each sample, drawn from ``source``."""
        if self.start != "random":
            return self.space.constant(len(source.generators), self.start)
        return self.space.random(source.normal((self.space.generator.latent_dim,), self.space.mean.device))

    def _picture(self, latents: Tensor, keys: Keys) -> Tensor:
        # A new source for each call, so that each gets the same numbers.
        noise = NoiseSource(keys, "layers") if self.noise == "own" else None
        return self.space.generator.synthesis(self.space.to_w(latents), noise)
