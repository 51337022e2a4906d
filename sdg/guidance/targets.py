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
        self.embeddings: dict[str, Tensor] = {}

    @torch.no_grad()
    def forward(self, prompts: Sequence[str | None]) -> Tensor:
        """(B, D), of length 1; a row of zeros, which pulls nowhere, where there is no prompt.

        Raises:
            SDGError: a prompt is empty or too long for the tokenizer.
        """
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt is not None and prompt not in self.embeddings]
        if new:
            self.embeddings.update(zip(new, self.clip.encode_text(new), strict=True))
        nothing = torch.zeros(self.clip.embed_dim, device=self.clip.device)
        return torch.stack([nothing if prompt is None else self.embeddings[prompt] for prompt in prompts])
