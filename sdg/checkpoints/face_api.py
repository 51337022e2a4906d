"""The weights of ``@vladmandic/face-api``'s face networks, from the folder of the unpacked package."""

import hashlib
from pathlib import Path

from torch import Tensor, nn

from sdg.checkpoints.tfjs import read_tfjs, shards_of
from sdg.checkpoints.weights import differences
from sdg.errors import SDGError

PACKAGE = "@vladmandic/face-api"
VERSION = "1.7"
"""Of the package, whose weights these networks were checked with."""
NETWORKS = {
    "expression": "face_expression_model",
    "age_sex": "age_gender_model",
    "identity": "face_recognition_model",
}
"""The name of each network and how those of its files begin."""

_GET = f"npm pack {PACKAGE}@{VERSION} && tar xzf vladmandic-face-api-*.tgz, and give judge.folder=package"


def find_face_api(folder: str | Path | None) -> Path:
    """The folder of the package's weights: ``folder`` itself, or ``model`` or ``package/model`` in it.

    Raises:
        SDGError: they are in none of these; how to get them.
    """
    if folder is None:
        raise SDGError(f"the judge of photographs is a package of its own: {_GET}")
    for place in ("", "model", "package/model"):
        found = Path(folder).expanduser() / place
        if any((found / f"{stem}-weights_manifest.json").is_file() for stem in NETWORKS.values()):
            return found
    raise SDGError(f"{folder} does not hold {PACKAGE}'s face networks: {_GET}")


def face_api_hash(folder: Path) -> str:
    """SHA-256, in hexadecimal, of the weights and manifests in :func:`find_face_api`'s folder."""
    total = hashlib.sha256()
    for stem in NETWORKS.values():
        manifest = folder / f"{stem}-weights_manifest.json"
        for path in (manifest, *shards_of(manifest)):
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def load_face_api(networks: nn.Module, folder: Path) -> None:
    """Load the weights in ``folder`` into the children of ``networks`` that :data:`NETWORKS` names.

    Raises:
        SDGError: files are missing or damaged, or of networks that are not built so, as in another version.
    """
    for name, stem in NETWORKS.items():
        network, manifest = networks.get_submodule(name), folder / f"{stem}-weights_manifest.json"
        state = {key.replace("/", "."): _turned(key, value) for key, value in read_tfjs(manifest).items()}
        if problems := differences(state, network.state_dict()):
            raise SDGError(
                f"{manifest} does not fit {PACKAGE} {VERSION}: {problems[0]} ({len(problems)} such keys in "
                f"all): {_GET}"
            )
        network.load_state_dict(state)


def _turned(name: str, value: Tensor) -> Tensor:
    """A kernel (H, W, in, out), or (H, W, channels, 1) if of each channel alone, with PyTorch's axes."""
    if value.ndim != 4:
        return value
    axes = (2, 3, 0, 1) if name.endswith("depthwise_filter") else (3, 2, 0, 1)
    return value.permute(axes).contiguous()
