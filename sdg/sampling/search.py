"""StyleGAN+CLIP as a sampling method: searches a latent of the generator for each sample."""

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from sdg.baselines.latent import LatentSearch
from sdg.guidance.targets import TextTargets
from sdg.pixels import to_bytes
from sdg.sampling.method import Method, Sample, View
from sdg.sampling.plan import PlanEntry


class LatentSampling(Method):
    """One latent per sample; the unguided picture beside it shows the first starting latent.

    Args:
        search: finds the latents; its CLIP also encodes the prompts.
        trace: whether records include the loss of every step.
    """

    def __init__(self, search: LatentSearch, group: int = 4, trace: bool = True):
        super().__init__(search.space.generator.image_size, search.steps, 1.0, group)
        self.search, self.texts, self.trace = search.eval(), TextTargets(search.loss.clip), trace

    def waiting(self, kind: str) -> dict[str, str]:
        """Needs prompts, nothing else."""
        return {"StyleGAN+CLIP": "choose method=sdg"} if kind == "prompt" else {}

    def check(self, prompts: Sequence[str], references: Sequence[str]) -> None:
        """Raises SDGError if prompts are missing or cannot be encoded, or if references are given."""
        super().check(prompts, references)
        self.texts(prompts)

    def unknown_words(self, prompt: str) -> list[str]:
        """Words of a prompt that CLIP's tokenizer does not know."""
        return self.texts.unknown_words(prompt)

    def chain(self, entries: Sequence[PlanEntry]) -> Generator[View, None, list[Sample]]:
        """Draw one group, step by step. Unguided samples show their starting latents, without a search."""
        keys = [entry.key for entry in entries]
        free = torch.tensor([not entry.aimed for entry in entries], device=self.device)[:, None, None, None]
        target, losses = self.texts([entry.prompt for entry in entries]), []
        still = self.search.untouched(keys) if free.any() else None

        def shown(images: Tensor) -> Tensor:
            return images if still is None else torch.where(free, still, images)

        if still is not None and free.all():
            images = still
            for number in range(1, self.steps + 1):
                yield View(number, self.steps - number, still)
        else:
            found = self.search.walk(target, keys)
            now = next(found)
            for number, after in enumerate(found, 1):
                assert now.losses is not None  # only the last, the result, is not measured
                losses.append(now.losses)
                yield View(number, self.steps - number, shown(after.images), {"text": -now.losses})
                now = after
            images = shown(now.images)
        return self._finish(entries, images, target, losses)

    def _finish(
        self, entries: Sequence[PlanEntry], images: Tensor, target: Tensor, losses: Sequence[Tensor]
    ) -> list[Sample]:
        pixels, finite = to_bytes(images).cpu(), images.isfinite().flatten(1).all(dim=1).tolist()
        cosines = (self.texts.clip.encode_image(images.clamp(-1, 1)) * target).sum(dim=1).tolist()
        curves = torch.stack(list(losses), dim=1).tolist() if losses else [[] for _ in entries]
        samples = []
        for i, entry in enumerate(entries):
            record = {
                "scores": {"text": round(cosines[i], 4)} if entry.aimed else {},
                "trace": {"loss": [float(f"{loss:.4g}") for loss in curves[i]]}
                if self.trace and entry.aimed
                else None,
            }
            samples.append(Sample(entry, pixels[i], record, None if finite[i] else self.steps))
        return samples
