"""The held-out judge as a measuring instrument: pictures in, readings out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sdg.data.toyfaces import ATTRIBUTES, NUISANCES, SPLITS, render, sample_attributes, sample_nuisances
from sdg.errors import SDGError
from sdg.networks.judge import Judgement
from sdg.pixels import from_bytes, to_bytes


def answers(judgement: Judgement) -> Tensor:
    """The most probable value of every attribute: (B, A) int64, columns as the judge's attributes."""
    return torch.stack([logits.argmax(dim=1) for logits in judgement.attributes.values()], dim=1)


def scale_nuisances(nuisances: Tensor) -> Tensor:
    """Map nuisances (B, K) from their own units to (B, K) with every range scaled to [-1, 1]."""
    low, high = nuisances.new_tensor(list(NUISANCES.values())).unbind(dim=1)
    return (nuisances - low) / (high - low) * 2 - 1


def unscale_nuisances(scaled: Tensor) -> Tensor:
    """Undo :func:`scale_nuisances`, and bring what is outside of its range to the end of it."""
    low, high = scaled.new_tensor(list(NUISANCES.values())).unbind(dim=1)
    return low + (scaled.clamp(-1, 1) + 1) / 2 * (high - low)


def judge_pixels(judge: nn.Module, pixels: Tensor, size: int | None) -> Tensor:
    """All that a judge says of pictures (B, 3, size, size) uint8, as numbers to be kept: (B, V + K + D).

    These are the logits of V values, K nuisances and D features, which :func:`judgement_of` takes apart.

    Raises:
        SDGError: pictures of another size, or a judge that says what is no number: of NaN, the most probable
            value would be the first.
    """
    if size is not None and pixels.shape[-2:] != (size, size):
        height, width = pixels.shape[-2:]
        raise SDGError(
            f"the judge reads pictures of {size}x{size}, these are {width}x{height}: "
            "give a judge of that size"
        )
    judgement: Judgement = judge(from_bytes(pixels))
    said = torch.cat([*judgement.attributes.values(), judgement.nuisances, judgement.features], dim=1).float()
    if not said.isfinite().all():
        raise SDGError(
            "what the judge says of some pictures is not finite: look at the pictures, and at its weights"
        )
    return said


def judgement_of(said: Tensor, attributes: Mapping[str, Sequence[str]], nuisances: int) -> Judgement:
    """Take apart what :func:`judge_pixels` gives, by the judge's values and its number of nuisances."""
    sizes = [len(values) for values in attributes.values()]
    *logits, rest = said.split([*sizes, said.shape[1] - sum(sizes)], dim=1)
    return Judgement(dict(zip(attributes, logits, strict=True)), rest[:, :nuisances], rest[:, nuisances:])


@dataclass(frozen=True)
class Judged:
    """The judge's readings of N pictures."""

    attributes: Tensor
    """(N, A) int64, columns as the judge's attributes; of toy faces, ``ATTRIBUTES``."""
    nuisances: Tensor
    """(N, K), each range scaled to [-1, 1], columns as ``NUISANCES``."""
    features: Tensor
    """(N, D)"""
    records: Sequence[dict] = field(default=())
    """The N records of the manifest; none for renders."""

    def __len__(self) -> int:
        return len(self.attributes)

    def only(self, rows: Sequence[int]) -> "Judged":
        """The pictures ``rows``, in that order; a row may occur more than once."""
        i = torch.tensor(rows, dtype=torch.int64)
        records = [self.records[row] for row in rows] if self.records else ()
        return Judged(self.attributes[i], self.nuisances[i], self.features[i], records)


class JudgeReader:
    """Reads pictures with a judge.

    Args:
        judge: pictures (B, 3, size, size) in [-1, 1] -> Judgement; frozen here.
        size: side of the pictures it was trained on; None: any.
        batch_size: pictures at a time.
        device: where it runs; results are on the CPU.
        attributes: the values that it tells apart, by attribute, in the order of its logits.
        nuisances: how many it reads.
        protocol: which judge this is, in words.

    Raises:
        SDGError: a batch size below 1.
    """

    def __init__(
        self,
        judge: nn.Module,
        size: int | None,
        batch_size: int = 256,
        device: str | torch.device = "cpu",
        attributes: Mapping[str, Sequence[str]] = ATTRIBUTES,
        nuisances: int = len(NUISANCES),
        protocol: str = "",
    ):
        if batch_size < 1:
            raise SDGError(f"batch_size={batch_size} judges nothing: use 1 or more")
        self.judge = judge.eval().requires_grad_(False).to(device)
        self.size, self.batch_size, self.device = size, batch_size, device
        self.attributes, self.nuisances, self.protocol = attributes, nuisances, protocol

    @torch.no_grad()
    def read(self, batches: Iterable[Tensor], records: Sequence[dict] = ()) -> Judged:
        """Judge batches (B, 3, size, size) uint8, at least one.

        Raises:
            SDGError: as :func:`judge_pixels`.
        """
        said = [judge_pixels(self.judge, pixels.to(self.device), self.size).cpu() for pixels in batches]
        return self.judged(torch.cat(said), records)

    def judged(self, said: Tensor, records: Sequence[dict] = ()) -> Judged:
        """What :func:`judge_pixels` gave of N pictures, (N, V + K + D), as readings."""
        judgement = judgement_of(said, self.attributes, self.nuisances)
        return Judged(answers(judgement), judgement.nuisances, judgement.features, records)

    def faces(self, numbers: Tensor, mentioned: Tensor | None = None) -> Judged:
        """Judge renders that no network was trained on.

        Args:
            numbers: (N,) int64, positions in the test split; the same number gives the same face.
            mentioned: (N, 8) int64, attribute values that replace the faces' own; -1 keeps their own.
        """
        mentioned = torch.full((len(numbers), len(ATTRIBUTES)), -1) if mentioned is None else mentioned
        chunks = zip(numbers.split(self.batch_size), mentioned.split(self.batch_size), strict=True)
        return self.read(self._render(*chunk) for chunk in chunks)

    def toyfaces_side(self) -> int:
        """The side of the toy faces that it reads; raises SDGError if it reads others."""
        if self.size is None or self.attributes != ATTRIBUTES:
            raise SDGError(
                "this compares with toy faces, and the judge reads photographs: leave this metric out, or "
                "use judge=toyfaces"
            )
        return self.size

    def _render(self, numbers: Tensor, mentioned: Tensor) -> Tensor:
        side, index = self.toyfaces_side(), _test_index(numbers)
        attributes = torch.where(mentioned < 0, sample_attributes(0, index), mentioned)
        images = render(attributes, sample_nuisances(0, index), side)
        return to_bytes(images)


def true_nuisances(numbers: Tensor) -> Tensor:
    """The nuisances (N, K), scaled to [-1, 1], that ``numbers`` (N,) of the test split were drawn with."""
    return scale_nuisances(sample_nuisances(0, _test_index(numbers)))


def _test_index(numbers: Tensor) -> Tensor:
    split = SPLITS["test"]
    if len(numbers) and int(numbers.max()) >= len(split):
        raise SDGError(f"toyfaces holds {len(split)} test faces, which is not enough: evaluate fewer samples")
    return numbers + split.start
