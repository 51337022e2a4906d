r"""Guidance: the weighted sum of terms and its gradient.

.. math:: F(x_t, t) = \sum_k w_k(t) F_k(E'_I(x_t, t), y_k), \qquad g = \nabla_{x_t} F

One forward of the encoder serves every term and one backward gives the gradient; a time-dependent encoder
needs no gradient through the diffusion network. The weights are inside the differentiated function, as in
the released code.
"""

import math
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from sdg.diffusion.level import CLEAN, Level
from sdg.diffusion.parameterisation import Conditioning
from sdg.diffusion.rescaling import Rescaling
from sdg.diffusion.schedule import Schedule
from sdg.errors import SDGError
from sdg.guidance.held import Held
from sdg.guidance.targets import Target
from sdg.guidance.term import Term
from sdg.guidance.weight import Window, number
from sdg.networks.time_encoder import Features


class Ascent(NamedTuple):
    """F at one x, and where it rises."""

    value: Tensor
    """s F, (B,)."""
    gradient: Tensor
    """s ∇F, (B, C, H, W), or ∇F if its length is to be normalised; each sample's from its own F and scale."""
    scores: dict[str, Tensor]
    """F_k of every term, unweighted, (B,) each."""


class Steering(NamedTuple):
    """The result of guidance at one x_t."""

    gradient: Tensor
    """s ∇F, (B, C, H, W), limited; each sample's from its own F and scale; 0 where not finite."""
    scores: dict[str, Tensor]
    """F_k of every term, unweighted, (B,) each."""
    rms: Tensor
    """Root mean square of the gradient before limiting, (B,); not finite for a sample that is lost."""


class Guidance(nn.Module):
    """s F and its gradient for a batch whose samples may have different targets and scales.

    The encoder sees states of its own schedule: those of any other are rescaled to it, and the gradient is
    taken through that. Weights, but for those by progress, count noise as the encoder does.

    Args:
        encoder: E'_I, frozen here and always in eval mode: (x_t, t) -> Features.
        terms: by name, each with its weight w_k.
        scale: s, the default overall strength; each sample may have its own.
        clamp: the largest rms that a sample's gradient may have; longer gradients are scaled down to it.
        normalise: rescale every gradient to the rms s.
        every: evaluate guidance only at the first of each group of ``every`` guided steps, and reuse its
            result at the others; left to what runs along the chain (:class:`sdg.estimators.steer.Steer`).
        every_from: from which progress of the chain on that is so, 0 (pure noise) to 1; before, guidance is
            evaluated at every step.
        contrast: what every prompt is contrasted with: a sentence, ``"mean"`` for the mean of a set of
            captions, ``"opposite"`` for what each of its parts was told from, or None; left to whoever makes
            the targets (:class:`sdg.guidance.targets.TextTargets`).
        contrast_weight: c, how much of it is subtracted.
        contrast_sharpness: with opposites, how much more of what is subtracted is what a picture looks like
            (:class:`sdg.guidance.held.Held`); 0: the mean of all of a part's opposites.
        schedule: on which the encoder has learned noise; None: that of whatever it is shown.

    Raises:
        SDGError: no terms, a scale that is not finite, a clamp that is not above 0, an ``every`` that is not
            a positive integer or begins outside of the chain, or a contrast that nothing reads.
    """

    def __init__(
        self,
        encoder: nn.Module,
        terms: Mapping[str, Term],
        scale: float,
        clamp: float | None = None,
        normalise: bool = False,
        every: int = 1,
        every_from: float = 0.0,
        contrast: str | None = None,
        contrast_weight: float = 1.0,
        contrast_sharpness: float = 30.0,
        schedule: Schedule | None = None,
    ):
        super().__init__()
        if not terms:
            raise SDGError("guidance without terms steers nowhere: give it one, for example guidance=text")
        if not isinstance(scale, int | float) or not math.isfinite(scale):
            raise SDGError(f"guidance.scale={scale} is not a number: use for example 100")
        if clamp is not None and not clamp > 0:
            raise SDGError(f"guidance.clamp={clamp} leaves no gradient: use a number above 0, or null")
        if not isinstance(every, int) or every < 1:
            raise SDGError(f"guidance.every={every} is no number of steps: use 1 (every step) or more")
        if not 0 <= every_from <= 1:
            raise SDGError(
                f"guidance.every_from={every_from} is no progress: use 0 (pure noise) to 1 (the end)"
            )
        if contrast is not None and not any(term.reads == "prompt" for term in terms.values()):
            raise SDGError(
                f"guidance.contrast={contrast} is contrasted with nothing, no term reads a prompt: use null"
            )
        self.contrast, self.contrast_weight = contrast, number(contrast_weight, "guidance.contrast_weight")
        self.contrast_sharpness = number(contrast_sharpness, "guidance.contrast_sharpness")
        if self.contrast_sharpness < 0:
            raise SDGError(
                f"guidance.contrast_sharpness={contrast_sharpness} prefers what a picture doesn't look like: "
                "use 0 or more"
            )
        self.encoder = encoder.eval().requires_grad_(False)
        self.terms, self.scale, self.clamp, self.normalise = dict(terms), scale, clamp, normalise
        self.every, self.every_from = every, every_from
        self.depth = max(term.depth for term in self.terms.values())
        self.rescaled = None if schedule is None else Rescaling(schedule)

    def seen(self, level: Level) -> Level:
        """The encoder's own level of the same λ; an equal one where its schedule is that of ``level``."""
        return level if self.rescaled is None else self.rescaled.level(level)

    def clamps(self, level: Level) -> bool:
        """Whether the encoder knows no such noise, and so reads the nearest that it does."""
        return self.rescaled is not None and self.rescaled.clamped(level)

    def forward(
        self,
        x_t: Tensor,
        level: Level,
        targets: Mapping[str, Target],
        scale: Tensor,
        factors: Mapping[str, Tensor | float] | None = None,
    ) -> Steering:
        """The gradient at x_t.

        Args:
            x_t: (B, C, H, W) of noise level ``level``.
            targets: by term.
            scale: (B,).
            factors: by term, what its weight is multiplied by, (B,) or one for all; 1 for other terms.
        """
        ascent = self.ascend(x_t, level, targets, scale, factors)
        gradient, rms = self.limit(ascent.gradient, scale)
        return Steering(gradient, ascent.scores, rms)

    def ascend(
        self,
        x: Tensor,
        level: Level,
        targets: Mapping[str, Target],
        scale: Tensor,
        factors: Mapping[str, Tensor | float] | None = None,
        clean: bool = False,
    ) -> Ascent:
        """F at x and its gradient, not yet limited.

        Args:
            x: (B, C, H, W), a state of noise level ``level`` or, if ``clean``, the picture predicted from it.
            targets, scale, factors: as for :meth:`forward`.
            clean: whether the encoder is told that there is no noise; weights are those of ``level`` anyway.
        """
        factors = factors or {}
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            scores = self.scores(self._see(x, CLEAN if clean else level), targets)
            total = self._total(scores, level, factors)
            (gradient,) = torch.autograd.grad(((1 if self.normalise else scale) * total).sum(), x)
        if self.rescaled is not None and not clean and (fade := self.rescaled.fade(level)) != 1:
            gradient = fade * gradient
        found = {name: score.detach() for name, score in scores.items()}
        return Ascent(scale * total.detach(), gradient, found)

    @torch.no_grad()
    def value(
        self,
        x: Tensor,
        level: Level,
        targets: Mapping[str, Target],
        scale: Tensor,
        factors: Mapping[str, Tensor | float] | None = None,
        clean: bool = False,
    ) -> Tensor:
        """s F at x, (B,), without its gradient; arguments as for :meth:`ascend`."""
        scores = self.scores(self._see(x, CLEAN if clean else level), targets)
        return scale * self._total(scores, level, factors or {})

    @torch.no_grad()
    def encode(self, x: Tensor, level: Level) -> Features:
        """The encoder's features of images (B, C, H, W) noised to ``level``, without a gradient."""
        return self._see(x, level)

    def scores(self, features: Features, targets: Mapping[str, Target]) -> dict[str, Tensor]:
        """F_k, (B,), by term, for images with these features."""
        return {name: term(features, _readable(targets[name], term)) for name, term in self.terms.items()}

    def check(self, levels: Sequence[Level]) -> None:
        """Raise SDGError if a term has a window in which none of a chain's levels lies."""
        seen = [self.seen(level) for level in levels]
        for name, term in self.terms.items():
            weight = term.weight
            if isinstance(weight, Window) and weight.value and not any(map(weight.at, seen)):
                first, last = seen[0], seen[-1]
                raise SDGError(
                    f"no step of this chain, from t={first.t} down to {last.t}, lies in the window of "
                    f"guidance.terms.{name}.weight: widen it, or take more steps"
                )

    def rests(self, level: Level, unseen: Container[str] = ()) -> bool:
        """Whether every weight is 0 at ``level``, so that guidance need not be evaluated.

        Args:
            unseen: terms of which the encoder sees nothing there, whose weights count as 0.
        """
        seen = self.seen(level)
        return not any(term.weight_at(seen) for name, term in self.terms.items() if name not in unseen)

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode, whatever the parent's mode: batch statistics would mix the samples."""
        return super().train(False)

    def limit(self, gradient: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """A gradient of :meth:`ascend`, or what became of it on its way to x_t, normalised and clamped.

        Returns:
            The limited gradient (B, C, H, W), 0 where it is not finite; its original rms, (B,).
        """
        rms = gradient.square().mean(dim=(1, 2, 3)).sqrt()
        factor = torch.ones_like(rms)
        if self.normalise:
            factor = scale / torch.where(rms > 0, rms, 1)
        if self.clamp is not None:
            factor = factor * (self.clamp / (factor * rms).abs()).clamp(max=1)
        finite = rms.isfinite()[:, None, None, None]
        return torch.where(finite, factor[:, None, None, None] * gradient, 0), rms

    def _total(
        self, scores: Mapping[str, Tensor], level: Level, factors: Mapping[str, Tensor | float]
    ) -> Tensor:
        seen = self.seen(level)
        weighted = [
            self.terms[name].weight_at(seen) * factors.get(name, 1.0) * score
            for name, score in scores.items()
        ]
        return torch.stack(weighted).sum(dim=0)

    def _see(self, x: Tensor, level: Level) -> Features:
        """The encoder's features in the dtype of x; the encoder computes in the dtype of its weights."""
        shown = x if self.rescaled is None else self.rescaled(x, level)
        depth = [self.depth] if getattr(self.encoder, "stops", False) else []
        stages, pooled = self.encoder(shown, Conditioning().at(self.seen(level), x.device), *depth)
        return Features(tuple(stage.to(x.dtype) for stage in stages), pooled.to(x.dtype))


def _readable(target: Target, term: Term) -> Target:
    return target.vectors() if isinstance(target, Held) and not term.holds else target
