"""The judges that there are: what each can read, and where its weights come from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from sdg.checkpoints import load_weights
from sdg.checkpoints.face_api import PACKAGE, face_api_hash, find_face_api, load_face_api
from sdg.checkpoints.places import find_file
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.files import file_hash
from sdg.networks.face_judge import FaceJudge
from sdg.networks.judge import Judge


class JudgeSource(ABC):
    """A judge whose weights have not been read yet.

    Args:
        name: what protocols call it.
        attributes: the values that it tells apart, by attribute.
        nuisances: how many it reads.
        features: what its features are, in words.
        size: side of the pictures it takes; None: any.
        place: where its weights are, as the user gave it.
    """

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, Sequence[str]],
        nuisances: int,
        features: str,
        size: int | None,
        place: str | Path | None,
    ):
        self.name, self.features = name, features
        self.attributes, self.nuisances = attributes, nuisances
        self.size, self.place = size, place

    @abstractmethod
    def load(self) -> nn.Module:
        """Pictures in [-1, 1] -> Judgement; raises SDGError if the weights are missing or do not fit."""

    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of the weights; raises SDGError if they are missing."""


class ToyfacesJudge(JudgeSource):
    """The judge of toy faces.

    Args:
        network: the judge without weights.
        checkpoint: the weights.
        size: side of the pictures it takes.
    """

    def __init__(self, network: Judge, checkpoint: str | Path | None, size: int):
        features = "features of the toyfaces judge, not resized"
        super().__init__("the toyfaces judge", ATTRIBUTES, len(NUISANCES), features, size, checkpoint)
        self.network = network

    def load(self) -> nn.Module:
        return load_weights(self.network, self.place)

    def digest(self) -> str:
        return file_hash(find_file(self.place))


class FaceApiJudge(JudgeSource):
    """The judge of photographs: the face networks of an npm package, which the user fetches.

    Args:
        network: the judge without weights.
        folder: of the unpacked package, or of its weights.
    """

    def __init__(self, network: FaceJudge, folder: str | Path | None):
        features = f"embedding of identity by {PACKAGE}, pictures resized to 150 px as there"
        super().__init__(f"{PACKAGE}'s face networks", network.attributes, 0, features, None, folder)
        self.network = network

    def load(self) -> nn.Module:
        load_face_api(self.network, find_face_api(self.place))
        return self.network

    def digest(self) -> str:
        return face_api_hash(find_face_api(self.place))
