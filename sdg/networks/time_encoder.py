"""What the time-dependent CLIP image encoders E'_I(x_t, t) share: input, time layers, initialisation.

An encoder is one of CLIP's image towers with some of its norms modulated by the timestep,

    y <- norm(x) * (1 + scale(t)) + shift(t)

References:
    | More Control for Free! Image Synthesis with Semantic Diffusion Guidance (Liu et al., 2021)
    | https://arxiv.org/abs/2112.05744
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.clip_blocks import FiLM, resize_positions
from sdg.networks.embedding import timestep_embedding
from sdg.networks.pixels import CLIP_MEAN, CLIP_STD, NormalisePixels


class Features(NamedTuple):
    """What one forward of the encoder gives to all guidance terms."""

    stages: tuple[Tensor, ...]
    """Five maps (B, C_k, H_k, W_k), in order from input to embedding, or as many as are read."""
    pooled: Tensor
    """CLIP's image embedding (B, D), not normalised; (B, 0) if it is not read."""


POOLED = 5
"""Depth of the embedding, after the five stages 0 … 4."""


class TimeEncoder(nn.Module, ABC):
    """An image tower of CLIP as a function of a noisy image and its timestep.

    In eval mode (always, when guiding) the samples of a batch do not interact. A new instance has random
    weights: load a checkpoint, or start from CLIP's with :func:`from_clip`.

    Args:
        image_size: Side of the square images, a multiple of ``patch``.
        patch: How many pixels, along each side, the tower reduces to one position.
        sinusoid_dim: Number of values in the sinusoidal embedding of t, even.
        reads_states: Whether it reads a prior's states as they are, codes of an autoencoder, in place of
            pictures; ``image_size`` is then their side.
        channels: Of what it reads: 3, but for such codes.

    Raises:
        SDGError: An image size that the tower cannot take, or pictures that are not of three channels.
    """

    stops = True
    """Whether ``forward`` can be told the depth that is read."""

    entrance: str
    """Name of the first convolution's weight, the only one shaped by the channels."""

    positions: str
    """Name of the positional embedding (1 + n * n, C), the only weights shaped by the image size."""

    def __init__(
        self, image_size: int, patch: int, sinusoid_dim: int, reads_states: bool = False, channels: int = 3
    ) -> None:
        super().__init__()
        if image_size < patch or image_size % patch:
            nearest = max(patch, patch * round(image_size / patch))
            raise SDGError(
                f"the encoder's image size must be a multiple of {patch}, got {image_size}: choose {nearest}"
            )
        if channels != 3 and not reads_states:
            raise SDGError(
                f"pictures have 3 channels, not {channels}: for codes, add encoder.network.reads_states=true"
            )
        self.image_size, self.sinusoid_dim = image_size, sinusoid_dim
        self.reads_states, self.channels = reads_states, channels
        self.normalise = NormalisePixels()

    def add_time_layers(self, channels: Sequence[int], time_dim: int) -> None:
        """Make the layers that turn t into the modulation; for constructors.

        Args:
            channels: C of each modulated norm, in the order in which they run; ``emb_layers`` gives each its
                C scales, then its C shifts.
            time_dim: Hidden size.
        """
        self.modulated_channels = tuple(channels)
        self.time_embed = nn.Sequential(
            nn.Linear(self.sinusoid_dim, time_dim), nn.ReLU(), nn.Linear(time_dim, time_dim)
        )
        self.emb_layers = nn.Sequential(nn.ReLU(), nn.Linear(time_dim, 2 * sum(channels)))

    def forward(self, x_t: Tensor, t: Tensor, depth: int = POOLED) -> Features:
        """Encode noisy images.

        Args:
            x_t: Noisy images on the scale [-1, 1], not clamped, (B, 3, image_size, image_size); cast to the
                dtype of the weights.
            t: Original timesteps 0..999, never respaced indices, of shape (B,); or (1,) if all images share
                one, which computes the modulation once and folds it into the norms.
            depth: The deepest stage that is read, of 0 … 4, or :data:`POOLED`; what lies beyond is left out.

        Raises:
            SDGError: A tensor of the wrong shape.
        """
        size = self.image_size
        if x_t.shape[1:] != (self.channels, size, size):
            shape, wanted = "x".join(map(str, x_t.shape)), f"Bx{self.channels}x{size}x{size}"
            raise SDGError(f"the encoder takes {size}x{size} images, got {shape}: resize them to {wanted}")
        if t.shape not in ((len(x_t),), (1,)):
            raise SDGError(
                f"the encoder takes one t per image or one for all, got {tuple(t.shape)}: pass ({len(x_t)},)"
            )
        x = x_t.to(self.normalise.mean.dtype)
        return self.encode(x if self.reads_states else self.normalise(x), self._film(t), depth)

    @abstractmethod
    def encode(self, x: Tensor, film: FiLM, depth: int) -> Features:
        """The features of images (B, 3, S, S) normalised for CLIP; ``film`` has a pair for each norm."""

    @abstractmethod
    def clip_state(self, visual: nn.Module) -> dict[str, Tensor]:
        """The weights of ``visual``, open_clip's image tower, under their names here.

        Raises:
            SDGError: A tower of another kind, or one that differs in ways that shapes do not show.
        """

    def check_pixels(self, visual: nn.Module) -> None:
        """Refuse a tower that was trained on pixels of another scale than this encoder's.

        Raises:
            SDGError: mean or standard deviation differ.
        """
        for name, own in (("mean", CLIP_MEAN), ("std", CLIP_STD)):
            if (theirs := getattr(visual, f"image_{name}", own)) != own:
                raise SDGError(
                    f"this CLIP takes pixels of {name} {theirs}, encoders those of OpenAI's CLIPs: "
                    f"choose weights that were trained with them, as open_clip:ViT-B-32/laion2b_s34b_b79k"
                )

    def _film(self, t: Tensor) -> FiLM:
        embedding = timestep_embedding(t, self.sinusoid_dim).to(self.normalise.mean.dtype)
        # Under autocast, back to full precision: 1 + scale would round a small scale away.
        values = self.emb_layers(self.time_embed(embedding)).to(embedding.dtype)
        chunks = iter(
            values.split([channels for channels in self.modulated_channels for _ in range(2)], dim=1)
        )
        return zip(chunks, chunks, strict=True)


EncoderT = TypeVar("EncoderT", bound=TimeEncoder)


def from_clip(
    visual: nn.Module,
    network: EncoderT,
    *,
    positional: Literal["interpolate", "random"] = "interpolate",
    modulation: Literal["zero", "default"] = "zero",
    generator: torch.Generator | None = None,
) -> EncoderT:
    """Start ``network`` from a copy of CLIP's image tower; returns it.

    With the default options and in eval mode it then *is* that tower at every t, with its grid of positions
    resized to the network's image size (docs/networks.md, the encoder).

    Args:
        visual: ``visual`` of an open_clip model. It is left untouched.
        network: The encoder to fill, of the tower's architecture; its image size may differ.
        positional: ``interpolate`` resizes the grid of positions, ``random`` draws a new embedding, as
            the released code does.
        modulation: ``zero`` starts with scale = shift = 0, ``default`` with PyTorch's initialisation of a
            Linear, as the released code does.
        generator: Draws all weights that CLIP does not have; by default PyTorch's global generator.

    Raises:
        SDGError: The tower does not fit ``network``, or an option is unknown.
    """
    if positional not in {"interpolate", "random"}:
        raise SDGError(f"positional must be 'interpolate' or 'random', got {positional!r}")
    if modulation not in {"zero", "default"}:
        raise SDGError(f"modulation must be 'zero' or 'default', got {modulation!r}")
    state, own = network.clip_state(visual), network.state_dict()
    if network.reads_states:  # CLIP has never seen codes
        state[network.entrance] = own[network.entrance]
    key = network.positions
    state[key] = resize_positions(state[key], round((len(own[key]) - 1) ** 0.5))
    time_layers = {name for name in own if name.startswith(("time_embed.", "emb_layers."))}
    if strange := [
        name
        for name in (own.keys() - time_layers) | state.keys()
        if name not in own or name not in state or own[name].shape != state[name].shape
    ]:
        raise SDGError(
            f"CLIP's image tower and encoder.network differ in {len(strange)} weights, such as "
            f"{min(strange)}: give them the same sizes, or choose another encoder="
        )
    network.load_state_dict(own | state)

    if positional == "random":
        positions = network.get_parameter(key)
        nn.init.normal_(positions, std=positions.shape[1] ** -0.5, generator=generator)
    for layer in (*network.time_embed, *network.emb_layers):
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5  # PyTorch's default, drawn from our generator
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    if modulation == "zero":
        for parameter in network.emb_layers.parameters():
            nn.init.zeros_(parameter)
    return network
