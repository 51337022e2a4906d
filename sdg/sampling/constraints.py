"""What every state of a group must satisfy, whatever guides it: ILVR's references, a masked picture."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sdg.baselines.ilvr import ILVR
from sdg.data.picture import read_mask, read_picture
from sdg.diffusion.constraint import KnownRegion
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import Constraint
from sdg.diffusion.timeline import Step
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

    def forward(self, entries: Sequence[PlanEntry], size: int, device: torch.device) -> Constraint | None:
        """The constraint on the samples of ``entries``; None if there is none."""
        made = [self._hold(entries, size, device), self._keep(entries, size, device)]
        constraints = [constraint for constraint in made if constraint is not None]
        if not constraints:
            return None

        def all_of_them(x_s: Tensor, step: Step) -> Tensor:
            for constraint in constraints:  # the mask comes last: what it keeps is exact
                x_s = constraint(x_s, step)
            return x_s

        return all_of_them

    def _hold(self, entries: Sequence[PlanEntry], size: int, device: torch.device) -> Constraint | None:
        ilvr = self.ilvr
        if ilvr is None or not any(entry.reference for entry in entries):
            return None
        free = torch.zeros(3, size, size)
        pictures = [read_picture(entry.reference, size) if entry.reference else free for entry in entries]
        references, noise = torch.stack(pictures).to(device), NoiseSource([e.key for e in entries], "ilvr")
        held = torch.tensor([entry.reference is not None for entry in entries], device=device)

        def hold(x_s: Tensor, step: Step) -> Tensor:
            return torch.where(held[:, None, None, None], ilvr(x_s, step, references, noise), x_s)

        return hold

    def _keep(self, entries: Sequence[PlanEntry], size: int, device: torch.device) -> Constraint | None:
        picture, mask = self.start.picture(size, device), self.start.mask
        if picture is None or mask is None:
            return None
        keys = [entry.key for entry in entries]
        return KnownRegion(picture, read_mask(Path(mask), size)[None].to(device), NoiseSource(keys, "known"))
