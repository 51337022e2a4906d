"""FeatureReader: pictures to features, once for each set, extractor and weights; they are kept in files."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path

import torch
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.extractor import Extractor
from sdg.metrics.frechet import Moments
from sdg.metrics.pictures import Pictures
from sdg.metrics.statistics import load_features, load_moments, save_features, save_moments, save_text
from sdg.progress import Bar
from sdg.randomness import keyed_generator

_AT_ONCE = 32
"""Pictures in one forward pass: what Inception can take on a laptop."""
_LONG = 1000
"""Fewest pictures that get a progress bar."""
_CHUNK = 1024
"""Features in memory at a time, where a sum of all is wanted."""


class FeatureReader:
    """Extracts features by the name of their extractor, which is built when first needed.

    Features of all pictures of a set are kept in a file, which is mapped into memory and not read as a whole.
    So 50,000 pictures need little memory, and another metric or another evaluation extracts nothing again.

    Args:
        extractors: functions that build them, by name.
        cache: folder for these files, and for the moments of references.
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
        self._mapped: dict[tuple[str, Pictures], Tensor] = {}

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
        extractor = self.extractor(name)
        if not extractor.kept:
            return extractor.of(torch.cat(list(self._read(name, pictures, rows))))
        key = extractor.keeps or name, pictures
        if key not in self._mapped:
            self._mapped[key] = self._stored(name, pictures)
        return extractor.of(self._mapped[key][list(rows)])

    @torch.no_grad()
    def _read(self, name: str, pictures: Pictures, rows: Sequence[int]) -> Iterator[Tensor]:
        """What an extractor reads, in batches."""
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

    def parts(self, name: str, pictures: Pictures, rows: Sequence[int]) -> Iterator[Tensor]:
        """The same features a part (n, D) at a time, so that they are never in memory as a whole."""
        for part in torch.tensor(list(rows)).split(_CHUNK):
            yield self.features(name, pictures, part.tolist())

    def moments(self, name: str, pictures: Pictures, rows: Sequence[int]) -> Moments:
        """Moments of the features of the pictures ``rows``, at least one; raises as :meth:`features`."""
        return reduce(add, map(Moments.of, self.parts(name, pictures, rows)))

    def reference_moments(self, name: str, reference: Pictures) -> Moments:
        """Moments of all pictures of a reference, from the cache if it has them."""
        origin = self._origin(name, reference)
        path = self._cached(origin, "moments")
        if (found := load_moments(path)) is None:
            found = self.moments(name, reference, range(len(reference)))
            save_moments(path, found, origin)
        return found

    def reference_features(self, name: str, reference: Pictures, most: int) -> Tensor:
        """Features (M, D) of at most ``most`` pictures of a reference."""
        return self.features(name, reference, subset(len(reference), most))

    def digest(self, pictures: Pictures) -> str:
        """That of the pictures' contents, which are not read again as long as their files are the same."""
        if pictures.stamp is None:
            return pictures.digest
        path = self.cache / f"digest-{pictures.stamp[:32]}.txt"
        if not path.is_file():
            save_text(path, pictures.digest)
        return path.read_text(encoding="utf-8")

    def _stored(self, name: str, pictures: Pictures) -> Tensor:
        """What is kept (N, K) of all pictures, mapped from its file, which is written first if need be."""
        origin = self._origin(name, pictures)
        if shared := self.extractor(name).keeps:
            origin |= {"features": shared, "protocol": "all that the network says"}
        path = self._cached(origin, "features")
        if not path.is_file():
            count = len(pictures)
            save_features(path, count, self._read(name, pictures, range(count)), origin)
        return load_features(path)

    def _cached(self, origin: Mapping[str, str], kind: str) -> Path:
        """A file named by everything that its content depends on."""
        digest = hashlib.sha256("\n".join(origin.values()).encode()).hexdigest()[:32]
        return self.cache / f"{origin['features']}-{kind}-{digest}.safetensors"

    def _origin(self, name: str, pictures: Pictures) -> dict[str, str]:
        extractor = self.extractor(name)
        return {
            "features": name,
            "protocol": extractor.protocol,
            "weights": extractor.weights,
            "pictures": self.digest(pictures),
        }


def subset(count: int, most: int) -> list[int]:
    """``most`` of ``count`` rows in order, the same ones each time, or all if there are fewer.

    They are drawn at random: rows at even distances may all be of one noise, as a plan orders them.
    """
    if count <= most:
        return list(range(count))
    return sorted(torch.randperm(count, generator=keyed_generator("subset", count))[:most].tolist())
