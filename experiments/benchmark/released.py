"""Our own loop with the habits of the code released with the paper, for comparison.

At every step the schedule's numbers come from the host, table by table, the prompt passes through the text
encoder, each sample noises and encodes a reference of its own and has its own t, and the encoder's weights
are not frozen. Networks and arithmetic are those of :mod:`sdg`.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.diffusion.denoiser import Denoiser
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.timeline import Timeline
from sdg.networks.clip import CLIP
from sdg.networks.time_encoder import TimeEncoder


class ReleasedLoop:
    """Ancestral sampling guided by a prompt or by a reference, with Σ = β̃ where it is not learned.

    Args:
        encoder: the time-dependent image encoder; its weights require gradients while the loop runs.
        clip: its text encoder runs at every step.
    """

    def __init__(self, denoiser: Denoiser, encoder: TimeEncoder, clip: CLIP, timeline: Timeline):
        self.denoiser, self.encoder, self.clip = denoiser, encoder, clip
        self.dtype = next(encoder.parameters()).dtype
        steps = timeline.steps
        rows = [[step.alpha_bar, step.alpha_bar_s, step.beta, step.log_beta_tilde] for step in steps]
        now, after, beta, self.log_beta_tilde = torch.tensor(rows, dtype=torch.float64).T
        self.timesteps = torch.tensor([step.t for step in steps])
        self.a, self.sigma = now.sqrt(), (1 - now).sqrt()
        self.c1 = beta * after.sqrt() / (1 - now)
        self.c2 = (1 - after) * (1 - beta).sqrt() / (1 - now)
        self.log_beta = beta.log()

    def __call__(
        self,
        noise: NoiseSource,
        scale: float = 0.0,
        prompts: Sequence[str] = (),
        reference: Tensor | None = None,
        reference_noise: NoiseSource | None = None,
    ) -> Tensor:
        """The finished images (B, C, S, S), guided by ``prompts`` or ``reference`` (B, C, S, S) if given."""
        device = next(self.denoiser.parameters()).device
        shape = (self.denoiser.channels, self.denoiser.image_size, self.denoiser.image_size)
        self.encoder.requires_grad_(True)
        x = noise.normal(shape, device)
        for i in reversed(range(len(self.timesteps))):
            index = torch.tensor([i] * len(x), device=device)
            t = self.timesteps.to(device)[index]
            with torch.no_grad():
                mean, variance = self._moments(x, t, index)
            if prompts or reference is not None:
                gradient = self._gradient(x, t, index, scale, prompts, reference, reference_noise)
                mean = mean + variance * gradient
            awake = (index != 0).float()[:, None, None, None]
            x = mean + awake * variance.sqrt() * noise.normal(shape, device)
        self.encoder.requires_grad_(False)
        return x

    def _moments(self, x: Tensor, t: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        output = self.denoiser.network(x.to(self.dtype), t).to(x.dtype)
        prediction = self.denoiser.interpret(output, x, _take(self.a, index), _take(self.sigma, index))
        fraction = 0.0 if prediction.variance_fraction is None else prediction.variance_fraction
        low, high = _take(self.log_beta_tilde, index), _take(self.log_beta, index)
        variance = (fraction * high + (1 - fraction) * low).exp()
        return _take(self.c1, index) * prediction.x0 + _take(self.c2, index) * x, variance

    def _gradient(
        self,
        x: Tensor,
        t: Tensor,
        index: Tensor,
        scale: float,
        prompts: Sequence[str],
        reference: Tensor | None,
        reference_noise: NoiseSource | None,
    ) -> Tensor:
        with torch.no_grad():
            if reference is None or reference_noise is None:
                target = self.clip.encode_text(prompts)
            else:
                noise = reference_noise.normal(reference.shape[1:], x.device)
                noised = _take(self.a, index) * reference + _take(self.sigma, index) * noise
                target = self.encoder(noised.to(self.dtype), t).pooled.to(x.dtype)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            pooled = self.encoder(x.to(self.dtype), t).pooled.to(x.dtype)
            score = F.cosine_similarity(pooled, target, dim=-1)
            return torch.autograd.grad((scale * score).sum(), x)[0]


def _take(table: Tensor, index: Tensor) -> Tensor:
    """Entries of a float64 table on the host, as (B, 1, 1, 1) float32 on the device of ``index``."""
    return table.to(index.device)[index].float()[:, None, None, None]
