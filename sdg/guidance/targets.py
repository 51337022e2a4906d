"""What a group of samples is guided towards: words, encoded once, and pictures, noised anew at every step."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.timeline import Level
from sdg.guidance.prompt import weighted_sentences
from sdg.networks.time_encoder import Features

if TYPE_CHECKING:  # it imports open_clip, which takes seconds
    from sdg.networks.clip import CLIP


class TextTargets(nn.Module):
    """Prompts -> their embeddings by CLIP's original text encoder; each sentence is encoded only once.

    Args:
        clip: frozen here.
    """

    def __init__(self, clip: "CLIP"):
        super().__init__()
        self.clip = clip.eval().requires_grad_(False)
        self.embeddings: dict[str, Tensor] = {}

    @torch.no_grad()
    def forward(self, prompts: Sequence[str | None]) -> Tensor:
        """(B, D): unit vectors; for a weighted prompt, the weighted sum of such vectors; without a prompt,
        zeros, which have no effect.

        Raises:
            SDGError: a prompt has an empty part or is too long for the tokenizer.
        """
        return torch.stack([self._embedding(prompt) for prompt in prompts])

    def unknown_words(self, prompt: str) -> list[str]:
        """Words of a prompt that the tokenizer does not know."""
        sentences = [sentence for sentence, _ in weighted_sentences(prompt)]
        return [word for sentence in sentences for word in self.clip.tokenizer.unknown_words(sentence)]

    def _embedding(self, prompt: str | None) -> Tensor:
        total = torch.zeros(self.clip.embed_dim, device=self.clip.device)
        for sentence, weight in weighted_sentences(prompt) if prompt is not None else ():
            if sentence not in self.embeddings:
                # One at a time: rounding depends on how many rows a matrix has.
                self.embeddings[sentence] = self.clip.encode_text([sentence])[0]
            # The module may have moved to another device since the sentence was encoded.
            total = total + weight * self.embeddings[sentence].to(self.clip.device)
        return total


Encode = Callable[[Tensor, Level], Features]
"""(images (B, C, H, W), their noise level) -> the encoder's features."""


class Reference:
    """Clean pictures x'_0, noised to the level of x_t whenever their features are asked for.

    Args:
        clean: (B, C, H, W) in [-1, 1], one for each sample; with ``rows``, only the distinct pictures.
        noise: a generator for each sample; with ``rows``, a single one.
        fixed: whether the first noise is kept for the whole chain; by default it is fresh at every step,
            as in the paper's code.
        rows: (B,) int64, the index of each sample's picture in ``clean``: samples with the same picture then
            share one noised copy and one forward of the encoder.
    """

    def __init__(self, clean: Tensor, noise: NoiseSource, fixed: bool = False, rows: Tensor | None = None):
        self.clean, self.noise, self.fixed, self.rows = clean, noise, fixed, rows
        self.drawn: Tensor | None = None

    def features(self, encode: Encode, level: Level) -> Features:
        """E'_I(x'_t, t), a row for each sample."""
        if self.drawn is None or not self.fixed:
            self.drawn = self.noise.normal(self.clean.shape[1:], self.clean.device)
        noised = level.diffuse(self.clean, self.drawn)
        if self.rows is None:
            return encode(noised, level)
        # One at a time: rounding depends on the batch size, and a sample must not depend on its neighbours.
        each = [encode(picture[None], level) for picture in noised]
        stages = [torch.cat(maps)[self.rows] for maps in zip(*(one.stages for one in each), strict=True)]
        return Features(tuple(stages), torch.cat([one.pooled for one in each])[self.rows])


class Aim:
    """The targets of every term for one group of samples.

    Args:
        encode: gives the features of noised references.
        constant: by term, targets that do not depend on the noise level.
        references: by term; terms given the same object share its noise and forward.
    """

    def __init__(self, encode: Encode, constant: Mapping[str, Tensor], references: Mapping[str, Reference]):
        self.encode, self.constant, self.references = encode, constant, references

    def at(self, level: Level) -> dict[str, Tensor | Features]:
        """The target of every term for states of noise level ``level``."""
        # Ask each object only once: a second call would draw new noise.
        distinct = {id(reference): reference for reference in self.references.values()}
        features = {key: reference.features(self.encode, level) for key, reference in distinct.items()}
        return {**self.constant, **{name: features[id(ref)] for name, ref in self.references.items()}}
