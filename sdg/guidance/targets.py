"""What a batch of samples is guided towards, encoded once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sdg.networks.clip import CLIP


class TextTargets(nn.Module):
    """Prompts -> their embeddings by CLIP's original text encoder; a prompt is encoded once in its life.

    Args:
        clip: frozen here.
    """

    def __init__(self, clip: CLIP):
        super().__init__()
        self.clip = clip.eval().requires_grad_(False)
        self.embeddings: dict[str | None, Tensor] = {None: torch.zeros(clip.embed_dim)}

    @torch.no_grad()
    def forward(self, prompts: Sequence[str | None]) -> Tensor:
        """(B, D), of length 1; a row of zeros, which pulls nowhere, where there is no prompt.

        Raises:
            SDGError: a prompt is empty or too long for the tokenizer.
        """
        for prompt in prompts:
            if prompt is not None and prompt not in self.embeddings:
                # One at a time: rounding depends on how many rows a matrix has.
                self.embeddings[prompt] = self.clip.encode_text([prompt])[0]
        # The module may have moved to another device since they were encoded.
        return torch.stack([self.embeddings[prompt].to(self.clip.device) for prompt in prompts])
