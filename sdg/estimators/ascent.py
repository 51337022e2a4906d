"""Adam, per element and uphill, for the inner steps of estimators."""

import torch
from torch import Tensor


class Adam:
    """Kingma & Ba 2015, without weight decay; remembers its moments over the calls. Elementwise, so that no
    sample's steps depend on another's."""

    def __init__(self, rate: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8):
        self.rate, self.betas, self.eps = rate, betas, eps
        self.first: Tensor | float = 0.0
        self.second: Tensor | float = 0.0
        self.calls = 0

    def __call__(self, gradient: Tensor) -> Tensor:
        """The step uphill along a gradient, of its shape; where that is 0 from the first, no step."""
        self.calls += 1
        b1, b2 = self.betas
        self.first = b1 * self.first + (1 - b1) * gradient
        self.second = b2 * self.second + (1 - b2) * gradient.square()
        mean, square = self.first / (1 - b1**self.calls), self.second / (1 - b2**self.calls)
        return self.rate * mean / (torch.as_tensor(square).sqrt() + self.eps)
