"""Inception features exactly as the reference implementation of FID computes them, by torch-fidelity.

References:
    | Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017
    | Obukhov et al., "High-fidelity performance metrics for generative models in PyTorch" (torch-fidelity)
"""

import io
from pathlib import Path

import torch
from torch import Tensor

from sdg.checkpoints import read_state
from sdg.errors import SDGError
from sdg.extras import need
from sdg.files import file_hash
from sdg.metrics.extractor import Extractor


class InceptionTF(Extractor):
    """The 2048 pooled features of TensorFlow's Inception-v3 of 2015-12-05, as torch-fidelity ported it.

    Pictures are resized to 299 px as TensorFlow 1 did, by the port itself.

    Args:
        weights: torch-fidelity's file; None: from where torch-fidelity keeps it. No code in it is ever run.

    Raises:
        SDGError: torch-fidelity is not installed, or the weights are missing or the wrong ones.
    """

    def __init__(self, weights: str | Path | None = None):
        library = need("torch_fidelity.feature_extractor_inceptionv3")
        cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(library.URL_INCEPTION_V3).name
        path = cached if weights is None else Path(weights).expanduser()
        if not path.is_file():
            raise SDGError(
                f"there are no Inception weights at {path}: fetch {library.URL_INCEPTION_V3}, and give "
                "features.inception_tf.weights=PATH or put it there"
            )
        # torch-fidelity would unpickle the file, so it gets a copy that was read safely.
        copy = io.BytesIO()
        torch.save(read_state(path), copy)
        copy.seek(0)
        try:
            network = library.FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048"], feature_extractor_weights_path=copy
            )
        except RuntimeError as error:
            raise SDGError(
                f"{path} does not hold torch-fidelity's Inception-v3: fetch {library.URL_INCEPTION_V3}"
            ) from error
        super().__init__(
            "Inception-v3 of 2015-12-05 with TensorFlow's weights and resize to 299 px, as torch-fidelity "
            "has them; 2048 pooled features of uint8 pictures",
            file_hash(path),
        )
        self.network = network
        self.freeze()

    def forward(self, pictures: Tensor) -> Tensor:
        return self.network(pictures)[0]
