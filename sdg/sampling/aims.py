"""Turns plan entries into guidance targets: prompts into embeddings, paths into pictures."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from sdg.data.picture import read_picture
from sdg.diffusion.codec import Codec, Pixels
from sdg.diffusion.noise import NoiseSource
from sdg.errors import SDGError
from sdg.guidance.guidance import Guidance
from sdg.guidance.held import Held, SeenHeld
from sdg.guidance.score import Aimed
from sdg.guidance.sight import Curve, SeenWords, Sight
from sdg.guidance.targets import Aim, Reference, TextTargets
from sdg.guidance.term import Term
from sdg.guidance.weight import Visible
from sdg.sampling.plan import PlanEntry


class Aims(nn.Module):
    """Makes F for a group of samples. A term's own target overrides that of an entry.

    Args:
        texts: embeds the prompts.
        size: side of the prior's pictures, in pixels.
        reference_noise: ``"fresh"`` at every step, as in the paper's code, or ``"fixed"`` for the whole
            chain.
        share_reference: whether samples of a run with the same reference also share its noise, so that a
            group encodes each distinct reference only once. By default each sample has its own reference
            noise.
        sight: what the encoder sees at each noise level; needed by terms whose weight is ``visible``, unless
            it is shown pictures without noise.
        clean: whether the encoder is shown predicted pictures instead of states.
        codec: between pictures and the prior's states, which references become.

    Raises:
        SDGError: an unknown ``reference_noise``, or a weight that follows the sight of an encoder without.
    """

    def __init__(
        self,
        guidance: Guidance,
        texts: TextTargets,
        size: int,
        reference_noise: Literal["fresh", "fixed"] = "fresh",
        share_reference: bool = False,
        sight: Sight | None = None,
        clean: bool = False,
        codec: Codec | None = None,
    ):
        super().__init__()
        if reference_noise not in ("fresh", "fixed"):
            raise SDGError(f"reference_noise={reference_noise} is unknown: use fresh or fixed")
        if (
            sight is None
            and not clean
            and (blind := [n for n, t in guidance.terms.items() if isinstance(t.weight, Visible)])
        ):
            raise SDGError(f"the weight of {blind[0]} follows what the encoder sees, which is not known here")
        self.guidance, self.texts, self.size, self.sight = guidance, texts, size, sight
        self.fixed, self.share, self.clean = reference_noise == "fixed", share_reference, clean
        self.codec = codec or Pixels()

    def waiting(self, kind: str) -> dict[str, str]:
        """Terms that need this kind of target from the plan, in words, and how to leave each out."""
        return {
            f"the term {name}": f"leave it out with ~guidance.terms.{name}"
            for name, term in self._reading(kind).items()
            if term.target is None
        }

    def check(self, prompts: Sequence[str]) -> None:
        """Raises SDGError if a prompt, of the plan or of a term, cannot be encoded."""
        for prompt in [*prompts, *(term.target for term in self._reading("prompt").values())]:
            self.texts([prompt])

    def pictures(self, references: Sequence[str]) -> list[str]:
        """The paths of ``references`` and of the terms' own references, each once."""
        own = [term.target for term in self._reading("reference").values() if term.target is not None]
        return list(dict.fromkeys([*references, *own]))

    def forward(self, entries: Sequence[PlanEntry]) -> Aimed:
        """F for the samples of ``entries``, each towards its own targets."""
        prompts: dict[str, Tensor | Held] = {}
        seen: dict[str, SeenWords | SeenHeld] = {}
        for name, term in self._reading("prompt").items():
            texts = [term.target or entry.prompt for entry in entries]
            if self.sight and isinstance(term.weight, Visible):
                seen[name] = self.texts.seen(texts, self.sight)
            else:
                prompts[name] = self.texts(texts)
        # Terms that read the same pictures share them, and thus also the noise and the encoder's forward.
        shared: dict[tuple[str | None, ...], Reference] = {}
        references: dict[str, Reference] = {}
        curves: dict[str, Curve] = {}
        for name, term in self._reading("reference").items():
            paths = tuple(term.target or entry.reference for entry in entries)
            if paths not in shared:
                shared[paths] = self._reference(paths, entries)
            references[name] = shared[paths]
            if self.sight and isinstance(term.weight, Visible):
                curves[name] = self.sight.whole
        scale = torch.tensor([entry.scale for entry in entries], device=self.texts.device)
        aim = Aim(self.guidance.encode, prompts, references, seen, curves)
        return Aimed(self.guidance, aim, scale, self.clean)

    def _reading(self, kind: str) -> dict[str, Term]:
        return {name: term for name, term in self.guidance.terms.items() if term.reads == kind}

    def _reference(self, paths: Sequence[str | None], entries: Sequence[PlanEntry]) -> Reference:
        device = self.texts.device
        if not self.share:
            noise = NoiseSource([entry.key for entry in entries], stream="reference")
            return Reference(self._states(paths), noise, self.fixed)
        distinct = list(dict.fromkeys(paths))
        rows = torch.tensor([distinct.index(path) for path in paths], device=device)
        noise = NoiseSource([(entries[0].seed, 0)], stream="shared reference")
        return Reference(self._states(distinct), noise, self.fixed, rows)

    def _states(self, paths: Sequence[str | None]) -> Tensor:
        """(N, C, s, s); grey where a path is None, as for unguided samples."""
        grey = torch.zeros(3, self.size, self.size)
        pictures = [grey if path is None else read_picture(path, self.size) for path in paths]
        return self.codec.encode(torch.stack(pictures).to(self.texts.device))
