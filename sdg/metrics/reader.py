"""FeatureReader: pictures to features, once per set; the features of references are kept in files."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.extractor import Extractor
from sdg.metrics.frechet import Moments
from sdg.metrics.pictures import Pictures
from sdg.metrics.statistics import load_features, load_moments, save_features, save_moments
from sdg.progress import Bar

_AT_ONCE = 32
"""Pictures in one forward pass: what Inception can take on a laptop."""
_HELD = 50_000
"""Most pictures whose features are held in memory; of more, only sums are."""

_LONG = 1000
"""Fewest pictures that get a progress bar."""


class FeatureReader:
    """Extracts features by the name of their extractor, which is built when first needed.

    Args:
        extractors: functions that build them, by name.
        cache: folder for the statistics of references.
        device: where networks run; results are on the CPU.
    """

    def __init__(
        self,
        extractors: Mapping[str, Callable[[], Extractor]],
        cache: str | Path,
        device: str | torch.device = "cpu",
    ):
        self.makers, self.cache, self.device = extractors, Path(cache), torch.device(device)
        self.built: dict[str, Extractor] = {}
        self._held: dict[tuple[str, Pictures, tuple[int, ...]], Tensor] = {}

    def extractor(self, name: str) -> Extractor:
        """The extractor called ``name``; raises SDGError if it is unknown or cannot be built."""
        if name not in self.built:
            if name not in self.makers:
                raise SDGError(f"there are no features {name}: choose {', '.join(self.makers) or 'none'}")
            self.built[name] = self.makers[name]().to(self.device)
        return self.built[name]

    def features(self, name: str, pictures: Pictures, rows: Sequence[int]) -> Tensor:
        """Features (N, D) float32 of the pictures ``rows``, at least one.

        Raises:
            SDGError: as :meth:`extractor`; also if features are not finite.
        """
        every = name, pictures, tuple(range(len(pictures)))
        if every in self._held:
            return self._held[every][list(rows)]
        key = name, pictures, tuple(rows)
        if key not in self._held:
            self._held[key] = torch.cat(list(self.batches(name, pictures, rows)))
        return self._held[key]

    @torch.no_grad()
    def batches(self, name: str, pictures: Pictures, rows: Sequence[int]) -> Iterator[Tensor]:
        """The same features in batches, which are not kept."""
        extractor, what = self.extractor(name), f"{name} of {Path(pictures.source).name}"
        bar = Bar(total=len(rows), desc=what, unit="pictures", leave=False, disable=len(rows) < _LONG)
        for batch in pictures.batches(rows, _AT_ONCE):
            features = extractor(batch.to(self.device)).float().cpu()
            if not features.isfinite().all():
                raise SDGError(
                    f"some features {name} are not finite: look at the pictures of {pictures.source}, and at "
                    "the weights that read them"
                )
            yield features
            bar.update(len(batch))
        bar.close()

    def moments(self, name: str, pictures: Pictures, rows: Sequence[int]) -> Moments:
        """Moments of the features of the pictures ``rows``, at least one; raises as :meth:`features`."""
        if len(rows) <= _HELD:
            parts: Iterator[Tensor] = iter(self.features(name, pictures, rows).split(_AT_ONCE))
        else:
            parts = self.batches(name, pictures, rows)
        first, *rest = map(Moments.of, parts)
        return sum(rest, first)

    def reference_moments(self, name: str, reference: Pictures) -> Moments:
        """Moments of a whole reference, from the cache if it has them."""
        path = self._cached(name, reference, "moments")
        if (found := load_moments(path)) is None:
            found = self.moments(name, reference, range(len(reference)))
            save_moments(path, found, self._origin(name, reference))
        return found

    def reference_features(self, name: str, reference: Pictures, most: int) -> Tensor:
        """Features (M, D) of at most ``most`` pictures of a reference, from the cache if it has them."""
        rows = spaced(len(reference), most)
        path = self._cached(name, reference, f"features{len(rows)}")
        if (found := load_features(path)) is None:
            found = self.features(name, reference, rows)
            save_features(path, found, self._origin(name, reference))
        return found

    def _cached(self, name: str, reference: Pictures, kind: str) -> Path:
        """A file named by everything that its content depends on."""
        origin = "\n".join(self._origin(name, reference).values())
        return self.cache / f"{name}-{kind}-{hashlib.sha256(origin.encode()).hexdigest()[:32]}.safetensors"

    def _origin(self, name: str, reference: Pictures) -> dict[str, str]:
        extractor = self.extractor(name)
        return {
            "features": name,
            "protocol": extractor.protocol,
            "weights": extractor.weights,
            "pictures": reference.digest,
        }


def spaced(count: int, most: int) -> list[int]:
    """``most`` of ``count`` rows, evenly spaced, or all if there are fewer."""
    return list(range(count)) if count <= most else [i * count // most for i in range(most)]
