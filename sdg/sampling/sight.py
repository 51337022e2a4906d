"""What guidance asks of the encoder's card: the mean caption, and what is seen at each noise level."""

from collections.abc import Mapping
from typing import Any

from sdg.checkpoints import locate
from sdg.checkpoints.card import REMEDY, Card, read_card
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.sight import Sight
from sdg.guidance.targets import Contrast, Opposites, TextTargets
from sdg.guidance.weight import Visible

MEAN = "mean"
"""A contrast that is no sentence: the mean caption on the card."""
OPPOSITE = "opposite"
"""Another: each part of a prompt with the sentences on the card that it was told from."""


def read_words(
    guidance: Guidance, texts: TextTargets, encoder: Mapping[str, Any], clean: bool
) -> tuple[TextTargets, Sight | None]:
    """The targets that ``guidance`` asks for and, if a weight follows it, the encoder's sight.

    Args:
        texts: without a contrast.
        encoder: settings of the encoder, whose card is only read if it is needed.
        clean: whether predicted pictures are read, instead of states: in these, everything is seen.

    Raises:
        SDGError: a card is needed and there is none, or it is of other weights.
    """
    follows = not clean and any(isinstance(term.weight, Visible) for term in guidance.terms.values())
    contrast: Contrast | None = guidance.contrast
    if not follows and contrast not in (MEAN, OPPOSITE):
        return texts.against(contrast, guidance.contrast_weight), None
    card = _card(encoder)
    if follows:
        card.check(encoder["card"], "encoder", locate(encoder["checkpoint"], setting="encoder.checkpoint"))
    sight = _sight(card, texts, encoder["card"]) if follows or contrast == OPPOSITE else None
    if contrast == MEAN:
        contrast = card.mean.to(texts.device)
    elif contrast == OPPOSITE and sight is not None:
        contrast = Opposites(sight, guidance.contrast_sharpness)
    return texts.against(contrast, guidance.contrast_weight), sight if follows else None


def _card(encoder: Mapping[str, Any]) -> Card:
    path = encoder.get("card")
    card = read_card(path)
    card.check(str(path), "clip", locate(encoder["clip_checkpoint"], setting="encoder.clip_checkpoint"))
    return card


def _sight(card: Card, texts: TextTargets, path: str) -> Sight:
    if not card.pairs:
        raise SDGError(f"the card {path} has no visibility: {REMEDY}")
    sentences = {sentence: texts.embedding(sentence) for a, b, _ in card.pairs for sentence in (a, b)}
    accuracies = {(a, b): accuracy for a, b, accuracy in card.pairs}
    return Sight(card.levels, accuracies, sentences, card.mean.to(texts.device))
