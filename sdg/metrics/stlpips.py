"""Shift-tolerant LPIPS as a distance between features, as :mod:`~sdg.metrics.lpips` has the ordinary one.

References:
    Ghildyal, Liu, "Shift-tolerant perceptual similarity metric", 2022; the package ``stlpips_pytorch``.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.checkpoints import read_state
from sdg.errors import SDGError
from sdg.files import file_hash
from sdg.metrics.extractor import Extractor
from sdg.pixels import from_bytes

PACKAGE = "stlpips_pytorch"
_FILE = "weights/vST0.0/alex_shift_tolerant.pth"
_CONVOLUTIONS = ("slice1.0", "slice2.5", "slice3.9", "slice4.11", "slice5.13")
_BLURS = ("slice1.1", "slice2.4", "slice3.8")


class STLPIPSAlex(Extractor):
    """Features whose squared Euclidean distances are shift-tolerant LPIPS with AlexNet.

    It blurs where AlexNet skips pixels, and its AlexNet was trained so; no number of it is one of LPIPS.

    Args:
        weights: the package's file; None: from where it is installed. The package itself is not imported.

    Raises:
        SDGError: the weights are missing or the wrong ones.
    """

    kept = False

    def __init__(self, weights: str | Path | None = None):
        path = _installed() if weights is None else Path(weights).expanduser()
        if path is None or not path.is_file():
            raise SDGError(
                f"there are no weights of shift-tolerant LPIPS{f' at {path}' if path else ''}: pip install "
                f"--no-deps {PACKAGE}, or give features.stlpips_alex.weights=PATH, its {_FILE}"
            )
        super().__init__(
            f"shift-tolerant LPIPS with AlexNet, pictures not resized, by {PACKAGE}'s weights; distances are "
            "squared",
            file_hash(path),
        )
        state = read_state(path)
        try:
            for number, name in enumerate(_CONVOLUTIONS):
                self.register_buffer(f"kernel{number}", state[f"net.{name}.weight"])
                self.register_buffer(f"bias{number}", state[f"net.{name}.bias"])
                self.register_buffer(
                    f"root{number}", state[f"lin{number}.model.1.weight"].clamp(min=0).sqrt()
                )
            for number, name in enumerate(_BLURS):
                self.register_buffer(f"blur{number}", state[f"net.{name}.filt"])
            for name in ("shift", "scale"):
                self.register_buffer(name, state[f"scaling_layer.{name}"])
        except KeyError as error:
            raise SDGError(f"{path} does not hold {PACKAGE}'s {_FILE}: install the package again") from error
        self.freeze()

    def forward(self, pictures: Tensor) -> Tensor:
        if min(pictures.shape[-2:]) < 32:
            raise SDGError("stlpips_alex needs pictures of 32 px or more: leave this metric out")
        x = (from_bytes(pictures) - self.get_buffer("shift")) / self.get_buffer("scale")
        x = self._blurred(0, self._convolved(0, x, 2)).relu()
        layers = [x]
        for number, padding in ((1, 2), (2, 1)):
            x = self._convolved(number, self._blurred(number, F.max_pool2d(x, 3, 1)), padding).relu()
            layers.append(x)
        for number in (3, 4):
            x = self._convolved(number, x, 1).relu()
            layers.append(x)
        parts = []
        for number, each in enumerate(layers):
            unit = each / (each.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
            weighted = unit * self.get_buffer(f"root{number}") / (each.shape[2] * each.shape[3]) ** 0.5
            parts.append(weighted.flatten(1))
        return torch.cat(parts, dim=1)

    def _convolved(self, number: int, x: Tensor, padding: int) -> Tensor:
        kernel, bias = self.get_buffer(f"kernel{number}"), self.get_buffer(f"bias{number}")
        return F.conv2d(x, kernel, bias, padding=padding)

    def _blurred(self, number: int, x: Tensor) -> Tensor:
        """Every other pixel, after a blur; twice as much is added at the edges as the blur needs."""
        x = F.pad(x, (2, 2, 2, 2), mode="reflect")
        return F.conv2d(x, self.get_buffer(f"blur{number}"), stride=2, groups=x.shape[1])


def _installed() -> Path | None:
    spec = find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) / _FILE if places else None
