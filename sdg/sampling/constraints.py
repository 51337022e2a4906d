"""What every state of a group must satisfy, whatever guides it: ILVR's references, a masked picture."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sdg.baselines.ilvr import ILVR
from sdg.data.picture import read_mask, read_picture
from sdg.diffusion.codec import Codec
from sdg.diffusion.constraint import KnownRegion
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.timeline import Step
from sdg.errors import SDGError
from sdg.sampling.plan import PlanEntry
from sdg.sampling.start import Start


class Constraints(nn.Module):
    """Makes the constraint for a group of samples; its noise comes from each sample's own generators.

    Args:
        start: its mask, if any, keeps a part of its picture.
        ilvr: gives samples the low frequencies of their reference; samples without one are unconstrained.
    """

    def __init__(self, start: Start, ilvr: ILVR | None = None):
        super().__init__()
        self.start, self.ilvr = start, ilvr

    def waiting(self, kind: str) -> dict[str, str]:
        """What needs a target of this kind, in words, and how to leave each out."""
        return {"ILVR": "leave constraint=ilvr out"} if self.ilvr and kind == "reference" else {}

    def fit(self, codec: Codec) -> None:
        """Raises SDGError if a constraint on pixels meets a prior whose states are not pixels."""
        masked = "start.mask" if self.start.mask is not None else None
        if (name := "constraint=ilvr" if self.ilvr else masked) and not codec.pixels:
            raise SDGError(
                f"{name} holds pixels of noised states, and this prior's states are codes of an autoencoder: "
                "leave it out, or choose a prior of pixels"
            )

    def forward(
        self, entries: Sequence[PlanEntry], size: int, codec: Codec, device: torch.device
    ) -> "Held | None":
        """The constraint on the samples of ``entries``, from pictures of ``size``; None if there is none."""
        made = [self._hold(entries, size, codec, device), self._keep(entries, size, codec, device)]
        constraints = [constraint for constraint in made if constraint is not None]
        return Held(constraints) if constraints else None

    def _hold(
        self, entries: Sequence[PlanEntry], size: int, codec: Codec, device: torch.device
    ) -> "ByReference | None":
        if self.ilvr is None or not any(entry.reference for entry in entries):
            return None
        free = torch.zeros(3, size, size)
        pictures = [read_picture(entry.reference, size) if entry.reference else free for entry in entries]
        held = torch.tensor([entry.reference is not None for entry in entries], device=device)
        noise = NoiseSource([entry.key for entry in entries], "ilvr")
        return ByReference(self.ilvr, codec.encode(torch.stack(pictures).to(device)), held, noise)

    def _keep(
        self, entries: Sequence[PlanEntry], size: int, codec: Codec, device: torch.device
    ) -> KnownRegion | None:
        picture, mask = self.start.picture(size, device), self.start.mask
        if picture is None or mask is None:
            return None
        keys = [entry.key for entry in entries]
        free = read_mask(Path(mask), size)[None].to(device)
        around = codec.encode(free.expand(-1, 3, -1, -1))[:, :1]  # as large as states are
        return KnownRegion(codec.encode(picture), around, NoiseSource(keys, "known"))


class ByReference:
    """ILVR for those samples of a group that have a reference.

    Args:
        references: their states, (B, C, S, S) in [-1, 1].
        held: (B,) bool, which have one.
        noise: the references' own.
    """

    def __init__(self, ilvr: ILVR, references: Tensor, held: Tensor, noise: NoiseSource):
        self.ilvr, self.references, self.held, self.noise = ilvr, references, held, noise

    def __call__(self, x_s: Tensor, step: Step) -> Tensor:
        moved = self.ilvr(x_s, step, self.references, self.noise)
        return torch.where(self.held[:, None, None, None], moved, x_s)

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order."""
        self.references, self.held = self.references[rows], self.held[rows]
        self.noise = self.noise.keep(rows)


class Held:
    """Several constraints, one after the other: the mask comes last, so that what it keeps is exact."""

    def __init__(self, constraints: Sequence[ByReference | KnownRegion]):
        self.constraints = constraints

    def __call__(self, x_s: Tensor, step: Step) -> Tensor:
        for constraint in self.constraints:
            x_s = constraint(x_s, step)
        return x_s

    def keep(self, rows: Tensor) -> None:
        """Go on with these samples, (N,) int64, in this order."""
        for constraint in self.constraints:
            constraint.keep(rows)
