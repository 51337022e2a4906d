r"""Foreign: a network by anyone as ours are called, though it counts time and scales pixels in its own way.

Its pictures are y = s x_0 + m, where [m - s, m + s] is its range of pixels, and its states y_t = a y + σ ε;
ours are

.. math:: x_t = (y_t - a m) / n = (a s / n) x_0 + (σ / n) ε, \qquad n = \sqrt{a^2 s^2 + σ^2},

the same chain with \bar α'_t = a^2 s^2 / n^2: an exact change of variables, in which nothing is clamped.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sdg.errors import SDGError

Time = Literal["index", "index+1", "fraction", "index/T"]
TIMES: tuple[Time, ...] = ("index", "index+1", "fraction", "index/T")
"""What is told of timestep i = 0 … T-1: i, i + 1, (i + 1)/T or i/T."""
SHAPES = {"": "()", "B": "(B,)", "B,1": "(B, 1)"}


class Foreign(nn.Module):
    """Maps x_t (B, C, S, S) and timesteps t (1,) or (B,) to what a Denoiser reads from ``network``.

    Args:
        network: called with states and times; of a record, a dictionary or a tuple, its first part is taken.
        alpha_bar: of the states x_t, (T,) float64; the network's own follow from ``pixel_range``.
        pixel_range: [lowest, highest] value of its pixels.
        time: how it counts: see :data:`TIMES`.
        time_shape: ``(B,)``, ``(B, 1)`` or ``()``.
        first: added to i, where its table of noise begins with entries that it has not learned.
        velocity: whether it predicts v = a ε - σ y; what comes out is then x_0, unless the ranges agree.
        pictures: whether it predicts y; what comes out is then x_0.

    Raises:
        SDGError: a range, a time or a shape that means nothing.
    """

    wraps = "network"

    def __init__(
        self,
        network: nn.Module,
        alpha_bar: Tensor,
        pixel_range: Sequence[float] = (-1, 1),
        time: Time = "index",
        time_shape: str = "(B,)",
        first: int = 0,
        velocity: bool = False,
        pictures: bool = False,
    ):
        super().__init__()
        if len(pixel_range) != 2 or not pixel_range[0] < pixel_range[1]:
            raise SDGError(f"pixel_range={list(pixel_range)} is no range: give [lowest, highest], as [0, 1]")
        if time not in TIMES:
            raise SDGError(f"time={time} is unknown: use {', '.join(TIMES)}")
        self.shape = time_shape.replace(" ", "").strip("()").rstrip(",")
        if self.shape not in SHAPES:
            raise SDGError(f"time_shape={time_shape} is unknown: use {', '.join(SHAPES.values())}")
        self.network, self.time, self.first, self.steps = network, time, first, len(alpha_bar)
        low, high = pixel_range
        self.s, self.m = (high - low) / 2, (high + low) / 2
        self.own_range = (self.s, self.m) != (1, 0)
        self.velocity, self.pictures = velocity and self.own_range, pictures
        own = own_alpha_bar(alpha_bar, pixel_range)
        # No buffer, which would be rounded with the weights.
        self.noise = 0.5 * ((1 - own) / own).log()

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        y_t = x_t
        if self.own_range:
            noise = _look_up(self.noise, t, x_t)
            a, sigma = (-2 * noise).sigmoid().sqrt(), (2 * noise).sigmoid().sqrt()
            y_t = (a**2 * self.s**2 + sigma**2).sqrt() * x_t + a * self.m
        output = _first(self.network(y_t, self._time(t, x_t)))
        if self.own_range and (self.velocity or self.pictures):
            channels = x_t.shape[1]
            y, rest = output[:, :channels], output[:, channels:]
            y = a * y_t - sigma * y if self.velocity else y
            output = torch.cat([(y - self.m) / self.s, rest], dim=1)
        return output

    def _time(self, t: Tensor, x_t: Tensor) -> Tensor:
        index = t + self.first
        told = {
            "index": index,
            "index+1": index + 1,
            "fraction": ((t + 1).float() / self.steps).to(x_t.dtype),
            "index/T": (t.float() / self.steps).to(x_t.dtype),
        }[self.time]
        if self.shape == "":
            if len(told) > 1 and (told != told[0]).any():
                raise SDGError("a network that is told one time for all cannot be trained: time_shape=(B,)")
            return told[0]
        told = told.expand(len(x_t))
        return told[:, None] if self.shape == "B,1" else told


def shifted_alpha_bar(alpha_bar: Tensor, pixel_range: Sequence[float]) -> Tensor:
    """ᾱ' of our states, from ᾱ of a network whose pixels have another range; (T,) float64."""
    scale = (pixel_range[1] - pixel_range[0]) / 2
    signal = alpha_bar * scale**2
    return alpha_bar if scale == 1 else signal / (signal + 1 - alpha_bar)  # not rounded where it is the same


def own_alpha_bar(alpha_bar: Tensor, pixel_range: Sequence[float]) -> Tensor:
    """The inverse of :func:`shifted_alpha_bar`."""
    noise = (1 - alpha_bar) * ((pixel_range[1] - pixel_range[0]) / 2) ** 2
    return alpha_bar / (alpha_bar + noise)


def _look_up(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
    """Entries t (B,) of a table, (B, 1, …, 1); between two of them, what lies between."""
    table, low = table.to(like.dtype).to(t.device), t.long()
    part = (t - low).to(like.dtype)
    found = torch.lerp(table[low], table[(low + 1).clamp(max=len(table) - 1)], part)
    return found.view(-1, *[1] * (like.ndim - 1))


def _first(output: Any) -> Tensor:
    """The prediction in whatever a network returns."""
    output = getattr(output, "sample", output)
    if isinstance(output, dict):
        output = next(iter(output.values()), None)
    if isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, Tensor):
        raise SDGError(f"the prior's network gives a {type(output).__name__}: it must give a tensor")
    return output
