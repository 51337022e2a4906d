r"""LPIPS as a distance between features: one pass of AlexNet per picture instead of one per pair.

LPIPS is :math:`\sum_l \frac{1}{H_l W_l} \sum_{h,w} w_l \cdot (\hat y_l - \hat y'_l)^2` with the activations
:math:`\hat y_l` normalised over channels. As the weights are non-negative, this is the squared Euclidean
distance of the features :math:`\sqrt{w_l / H_l W_l} \, \hat y_l`, all layers in one vector.

References:
    Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", 2018; version 0.1.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from sdg.checkpoints import read_state
from sdg.errors import SDGError
from sdg.extras import need
from sdg.files import file_hash
from sdg.metrics.extractor import Extractor
from sdg.pixels import from_bytes

ALEXNET = "alexnet-owt-7be5be79.pth"
"""File name of torchvision's AlexNet weights in the torch.hub cache."""
_AFTER = (2, 5, 8, 10, 12)
"""Activations are taken after this many of AlexNet's layers: its five ReLUs."""


class LPIPSAlex(Extractor):
    """Features whose squared Euclidean distances are LPIPS 0.1 with AlexNet, as torchmetrics computes it.

    Args:
        weights: torchvision's AlexNet; None: from where torchvision keeps it. The linear layers come with
            torchmetrics. No code in either file is ever run.

    Raises:
        SDGError: the weights are missing or the wrong ones.
    """

    kept = False

    def __init__(self, weights: str | Path | None = None):
        lpips = need("torchmetrics.functional.image.lpips")
        from torchvision.models import alexnet

        cached = Path(torch.hub.get_dir()) / "checkpoints" / ALEXNET
        path = cached if weights is None else Path(weights).expanduser()
        if not path.is_file():
            raise SDGError(
                f"there are no AlexNet weights at {path}: fetch torchvision's {ALEXNET}, and give "
                "features.lpips_alex.weights=PATH or put it there"
            )
        super().__init__(
            "LPIPS 0.1 with AlexNet, pictures not resized, as torchmetrics has it; distances are squared",
            file_hash(path),
        )
        trunk: nn.Sequential = alexnet(weights=None).features
        state = {key.removeprefix("features."): value for key, value in read_state(path).items()}
        try:
            trunk.load_state_dict({key: state[key] for key in trunk.state_dict()})
        except (KeyError, RuntimeError) as error:
            raise SDGError(f"{path} does not hold torchvision's AlexNet: fetch its {ALEXNET}") from error
        self.trunk = trunk
        linear = read_state(Path(str(lpips.__file__)).parent / "lpips_models" / "alex.pth")
        for layer in range(len(_AFTER)):
            self.register_buffer(f"root{layer}", linear[f"lin{layer}.model.1.weight"].sqrt())
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1))
        self.freeze()

    def forward(self, pictures: Tensor) -> Tensor:
        if min(pictures.shape[-2:]) < 32:
            raise SDGError("LPIPS needs pictures of 32 px or more: leave this metric out")
        x = (from_bytes(pictures) - self.get_buffer("shift")) / self.get_buffer("scale")
        parts: list[Tensor] = []
        for i, layer in enumerate(self.trunk):
            x = layer(x)
            if i + 1 in _AFTER:
                unit = x / (x.square().sum(dim=1, keepdim=True) + 1e-8).sqrt()
                root = self.get_buffer(f"root{len(parts)}")
                parts.append((unit * root).flatten(1) / (x.shape[2] * x.shape[3]) ** 0.5)
            if i + 1 == _AFTER[-1]:
                break
        return torch.cat(parts, dim=1)
