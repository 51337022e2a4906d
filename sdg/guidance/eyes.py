"""Eyes: how an encoder looks at a prior's states, whatever these are."""

import torch.nn.functional as F
from torch import Tensor, nn

from sdg.diffusion.codec import Codec
from sdg.errors import SDGError
from sdg.networks.time_encoder import Features


class Eyes(nn.Module):
    """An encoder that is shown states: decoded to pictures first, unless it has learned to read states.

    All that an encoder must offer is ``forward(x, t)``, with pictures x (B, 3, S, S) about [-1, 1] and
    t (1,) int64, giving :class:`Features`, and the ``image_size`` S that it takes. One with ``stops = True``
    is also told the depth that is read, as a third argument. One that reads a prior's
    states says so by ``reads_states = True``, and has their number of ``channels``.

    Args:
        encoder: looks through these eyes.
        codec: the prior's.
        side, channels: of the prior's states.
        clean: whether it is shown predicted states only, without noise. Their pictures are resized to the
            size that it takes (bicubic, antialiased); noise would not survive that.

    Raises:
        SDGError: it takes pictures or states of another size, or noised codes would have to be decoded.
    """

    def __init__(self, encoder: nn.Module, codec: Codec, side: int, channels: int, clean: bool = False):
        super().__init__()
        self.encoder, self.codec, self.clean = encoder, codec, clean
        self.image_size = codec.picture_size(side)
        self.reads_states = bool(getattr(encoder, "reads_states", False))
        takes = getattr(encoder, "image_size", None)
        if not isinstance(takes, int):
            raise SDGError(
                f"{type(encoder).__name__} does not say what size of pictures it takes: give it image_size"
            )
        if self.reads_states:
            _check_states(encoder, side, channels)
        elif not clean and not codec.pixels:
            raise SDGError(
                "this prior draws codes of an autoencoder, and noised codes are no pictures: use an "
                "estimator that reads clean ones, such as estimator=clip_x0, or an encoder fine-tuned on them"
            )
        elif not clean and takes != self.image_size:
            raise SDGError(
                f"the prior draws {self.image_size}-px images and the encoder reads {takes}-px ones: "
                "choose a prior and an encoder that match, or an estimator that reads clean pictures, which "
                "are resized"
            )
        self.takes, self.stops = takes, bool(getattr(encoder, "stops", False))

    def forward(self, states: Tensor, t: Tensor, *depth: int) -> Features:
        """What the encoder sees of states (B, C, s, s), differentiable; ``depth`` if it ``stops``."""
        if self.reads_states:
            return self.encoder(states, t, *depth)
        pictures = self.codec.decode(states)
        if pictures.shape[-1] != self.takes:
            pictures = F.interpolate(pictures, (self.takes, self.takes), mode="bicubic", antialias=True)
        return self.encoder(pictures, t, *depth)


def _check_states(encoder: nn.Module, side: int, channels: int) -> None:
    theirs = getattr(encoder, "channels", None)
    if theirs != channels or encoder.image_size != side:
        raise SDGError(
            f"the encoder reads states of {theirs} channels and side {encoder.image_size}, the prior's have "
            f"{channels} and {side}: choose an encoder that was fine-tuned for this prior"
        )
