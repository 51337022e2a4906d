"""What CLIP's training asks of pictures and captions, and of siblings, pictures alike but for a detail."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.training.dtypes import full, similarities


def clip_loss(image: Tensor, text: Tensor, scale: Tensor, tokens: Tensor) -> Tensor:
    """Mean of the two cross-entropies of ``scale * image @ text.T``; identical captions share their target.

    Args:
        image, text: (B, D), of length 1.
        tokens: (B, L); equal rows are the same caption. If all rows differ, this is CLIP's loss.
    """
    logits = similarities(image, text, scale)
    same = (tokens[:, None] == tokens[None]).all(dim=-1).to(logits)
    target = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def pair_loss(logits: Tensor, bags: Tensor) -> Tensor:
    """Of two siblings, the words that only one caption has must fit its picture better: a logistic loss.

    What both captions say cancels, so the little that differs is all there is to learn from.

    Args:
        logits: (B, V), how well each word fits each picture; siblings are neighbours.
        bags: (B, V), 1 where a picture's caption has the word, else 0.
    """
    fits = (logits[::2] - logits[1::2]) * (bags[::2] - bags[1::2])
    return F.softplus(-fits.sum(dim=1)).mean()


SHARPNESS = 12.0
"""At a margin of 0.4 the loss of margins is about 1 % of what it is at none."""


def margin_loss(image: Tensor, text: Tensor) -> Tensor:
    """Of two siblings, each caption must fit its own picture better, by a margin in cosine: a logistic loss.

    The margin, cos(a, A) - cos(b, A) + cos(b, B) - cos(a, B), is what guidance towards A and away from B can
    climb. The loss stops to ask for more of it around 0.4, so the pairs that have less get all the attention.

    Args:
        image, text: (B, D), of length 1; siblings are neighbours.
    """
    image, text = full(image), full(text)
    margins = ((image[::2] - image[1::2]) * (text[::2] - text[1::2])).sum(dim=-1)
    return F.softplus(-SHARPNESS * margins).mean()


def family_loss(image: Tensor, text: Tensor, tokens: Tensor) -> Tensor:
    """CLIP's loss within each four alone, at a sharpness of 12, where identical captions share their target.

    A caption that leaves one of the two attributes open is true of two of the four: it must fit both alike.

    Args:
        image, text: (B, D), of length 1; each four are neighbours.
        tokens: (B, L), of the captions.
    """
    fours = (part.unflatten(0, (-1, 4)) for part in (full(image), full(text), tokens))
    sharpness = image.new_tensor(SHARPNESS)
    losses = [clip_loss(seen, said, sharpness, words) for seen, said, words in zip(*fours, strict=True)]
    return torch.stack(losses).mean()


def angle_loss(image: Tensor) -> Tensor:
    """Mean over fours of cos² between the two steps, each the mean of its two: 0 if at right angles.

    Two attributes whose steps lie along each other cannot be asked for apart, whatever sentences say: a
    guide that is led to a beard by what a frown has in common with it draws a frown.

    Args:
        image: (B, D); each four are neighbours: a face, its sibling, both with a second change.
    """
    face, sibling, crossed, both = full(image).unflatten(0, (-1, 4)).unbind(1)
    first, second = sibling - face + both - crossed, crossed - face + both - sibling
    return F.cosine_similarity(first, second, dim=-1).square().mean()
