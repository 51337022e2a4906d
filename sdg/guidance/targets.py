"""What a group of samples is guided towards: words, encoded once, and pictures, noised anew at every step."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.errors import SDGError
from sdg.guidance.held import Held, SeenHeld, hold
from sdg.guidance.prompt import weighted_sentences
from sdg.guidance.sight import Curve, Part, SeenWords, Sight
from sdg.networks.time_encoder import Features

if TYPE_CHECKING:  # it imports open_clip, which takes seconds
    from sdg.networks.clip import CLIP


class Opposites(NamedTuple):
    """A contrast that each part of a sentence has of its own: what it was told from."""

    sight: Sight
    sharpness: float
    """How much more of it is what a picture looks like; see :class:`~sdg.guidance.held.Held`."""


Contrast = str | Tensor | Opposites
"""What sentences are contrasted with: the sentence or (D,) e_0, or each part's opposites."""


class TextTargets(nn.Module):
    """Prompts -> their embeddings by CLIP's original text encoder; each sentence is encoded only once.

    With a contrast e_0, each sentence's embedding e becomes e - c e_0. As the score is linear in it, that is
    F = cos(E', e) - c cos(E', e_0): what any picture of that noise level would score cancels.

    Args:
        clip: frozen here.
        contrast: e_0, (D,), or the sentence whose embedding it is; None for no contrast. With opposites, each
            part of a sentence is contrasted with its own; what is left beside the parts is subtracted. A
            sentence of which nothing is known is contrasted with the mean of sentences.
        contrast_weight: c.
    """

    def __init__(self, clip: "CLIP", contrast: Contrast | None = None, contrast_weight: float = 1.0):
        super().__init__()
        self.clip = clip.eval().requires_grad_(False)
        self.contrast, self.contrast_weight = contrast, contrast_weight
        self.embeddings: dict[str, Tensor] = {}

    @property
    def device(self) -> torch.device:
        """Where CLIP's weights are."""
        return next((parameter.device for parameter in self.clip.parameters()), torch.device("cpu"))

    def against(self, contrast: Contrast | None, weight: float = 1.0) -> "TextTargets":
        """The same with another contrast; the two share CLIP and the sentences that it has read."""
        other = TextTargets(self.clip, contrast, weight)
        other.embeddings = self.embeddings
        return other

    @torch.no_grad()
    def forward(self, prompts: Sequence[str | None]) -> Tensor | Held:
        """(B, D): unit vectors, less the contrast; for a weighted prompt, the weighted sum of such vectors;
        without a prompt, zeros, which have no effect. With opposites, words that are held against them.

        Raises:
            SDGError: a prompt has an empty part, is too long for the tokenizer, or is the contrast itself.
        """
        if isinstance(self.contrast, Opposites):
            return self._held(prompts, self.contrast)[0]
        return torch.stack([self._target(prompt) for prompt in prompts])

    @torch.no_grad()
    def seen(self, prompts: Sequence[str | None], sight: Sight) -> SeenWords | SeenHeld:
        """The same targets, with the parts of sentences that ``sight`` knows weighted by their visibility.

        Raises:
            SDGError: as :meth:`forward`.
        """
        if isinstance(self.contrast, Opposites):
            held, parts = self._held(prompts, self.contrast)
            left = 1 - self.contrast_weight
            words = [[(left * weight * part.vector, part.curve) for weight, part in row] for row in parts]
            return SeenHeld(held, SeenWords(held.rest, words))
        words = [
            [(weight * part.vector, part.curve) for text, weight in _sentences(prompt)
             for part in sight.parts(self.embedding(text))]
            for prompt in prompts
        ]  # fmt: skip
        return SeenWords(torch.stack([self._target(prompt) for prompt in prompts]), words)

    def unknown_words(self, prompt: str) -> list[str]:
        """Words of a prompt, and of the sentence it is contrasted with, that the tokenizer does not know."""
        sentences = [sentence for sentence, _ in weighted_sentences(prompt)]
        sentences += [self.contrast] if isinstance(self.contrast, str) else []
        tell = getattr(getattr(self.clip, "tokenizer", None), "unknown_words", None)
        if tell is None:  # a CLIP of one's own need not tell
            return []
        unknown = (word for sentence in sentences for word in tell(sentence))
        return list(dict.fromkeys(unknown))

    @torch.no_grad()
    def embedding(self, sentence: str) -> Tensor:
        """(D,), of length 1."""
        if sentence not in self.embeddings:
            # One at a time: rounding depends on how many rows a matrix has.
            self.embeddings[sentence] = self.clip.encode_text([sentence])[0]
        # The module may have moved to another device since the sentence was encoded.
        return self.embeddings[sentence].to(self.device)

    def _target(self, prompt: str | None) -> Tensor:
        total = torch.zeros(self.clip.embed_dim, device=self.device)
        for sentence, weight in _sentences(prompt):
            total = total + weight * self._against(sentence)
        return total

    def _against(self, sentence: str) -> Tensor:
        embedding = self.embedding(sentence)
        if self.contrast is None:
            return embedding
        other = self.contrast
        assert not isinstance(other, Opposites)
        other = self.embedding(other) if isinstance(other, str) else other.to(embedding.device)
        if torch.equal(embedding, other):
            raise SDGError(
                f"guidance.contrast={self.contrast!r} says what {sentence!r} in a prompt says: "
                "contrast with its opposite, or with mean"
            )
        return embedding - self.contrast_weight * other

    def _held(
        self, prompts: Sequence[str | None], contrast: Opposites
    ) -> tuple[Held, list[list[tuple[float, Part]]]]:
        """The prompts held against their opposites, and their parts (weight in the prompt, part)."""
        rest = torch.zeros(len(prompts), self.clip.embed_dim, device=self.device)
        found: list[list[tuple[float, Part]]] = [[] for _ in prompts]
        for row, prompt in enumerate(prompts):
            for sentence, weight in _sentences(prompt):
                embedding = self.embedding(sentence)
                parts = contrast.sight.parts(embedding)
                other = embedding if parts else contrast.sight.mean
                rest[row] += weight * (embedding - self.contrast_weight * other)
                found[row] += [(weight, part) for part in parts]
        sized = [[(self.contrast_weight * weight, part) for weight, part in row] for row in found]
        return hold(rest, sized, *contrast), found


def _sentences(prompt: str | None) -> list[tuple[str, float]]:
    return [] if prompt is None else weighted_sentences(prompt)


Target = Tensor | Held | Features
"""What a term compares a picture with, a row for each sample."""

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

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order."""
        if self.rows is not None:
            self.rows = self.rows[rows]
            return
        self.clean, self.noise = self.clean[rows], self.noise.keep(rows)
        self.drawn = None if self.drawn is None else self.drawn[rows]


class Aim:
    """The targets of every term for one group of samples; levels are the encoder's own.

    Args:
        encode: gives the features of noised references.
        constant: by term, targets that do not depend on the noise level.
        references: by term; terms given the same object share its noise and forward.
        seen: by term, words that are weighted by their visibility.
        curves: by term, the visibility that its weight follows, the same for all samples.
    """

    def __init__(
        self,
        encode: Encode,
        constant: Mapping[str, Tensor | Held],
        references: Mapping[str, Reference],
        seen: Mapping[str, SeenWords | SeenHeld] | None = None,
        curves: Mapping[str, Curve] | None = None,
    ):
        self.encode, self.constant, self.references = encode, constant, references
        self.seen, self.curves = seen or {}, curves or {}

    def steering(self, level: Level) -> tuple[dict[str, Target], dict[str, Tensor | float]]:
        """The target of every term for states of noise level ``level``, and the factors of their weights."""
        seen = {name: words.at(level) for name, words in self.seen.items()}
        targets = self.at(level) | {name: target for name, (target, _) in seen.items()}
        factors: dict[str, Tensor | float] = {name: factor for name, (_, factor) in seen.items()}
        return targets, factors | {name: curve(level.t) for name, curve in self.curves.items()}

    def at(self, level: Level) -> dict[str, Target]:
        """The target of every term at ``level``, all of it, seen or not: what a finished image is held to."""
        # Ask each object only once: a second call would draw new noise.
        distinct = {id(reference): reference for reference in self.references.values()}
        features = {key: reference.features(self.encode, level) for key, reference in distinct.items()}
        plain = {name: words.plain for name, words in self.seen.items()}
        return {
            **self.constant,
            **plain,
            **{name: features[id(ref)] for name, ref in self.references.items()},
        }

    def unseen(self, level: Level) -> set[str]:
        """Terms whose weight follows what the encoder sees, where it sees nothing at ``level``."""
        return {name for name, curve in self.curves.items() if curve(level.t) == 0}

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order."""
        self.constant = {name: target[rows] for name, target in self.constant.items()}
        for reference in {id(reference): reference for reference in self.references.values()}.values():
            reference.keep(rows)
        for words in self.seen.values():
            words.keep(rows)
