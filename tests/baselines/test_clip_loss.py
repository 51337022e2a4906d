"""The losses against closed forms, the ways to show CLIP a picture, and crops."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.baselines.clip_loss import LOSSES, CLIPLoss
from sdg.diffusion.noise import NoiseSource
from sdg.errors import SDGError
from tests.baselines.examples import make_clip, normal


class Recorder(nn.Module):
    """In place of a CLIP's image tower: remembers what it is shown."""

    def __init__(self, embed_dim: int = 16):
        super().__init__()
        self.shown: list[Tensor] = []
        self.embed_dim = embed_dim

    def forward(self, images: Tensor) -> Tensor:
        self.shown.append(images)
        return images.flatten(1)[:, : self.embed_dim]


def shown(loss: CLIPLoss, images: Tensor, *keys: int) -> Tensor:
    """What CLIP's tower is given when ``images`` are judged."""
    loss.clip.model.visual = recorder = Recorder()
    loss(images, normal(len(images), 16), NoiseSource([(0, key) for key in keys or range(len(images))]))
    return recorder.shown[0]


@pytest.mark.parametrize("degrees", [10.0, 60.0, 150.0])
def test_losses_of_a_known_angle(degrees: float) -> None:
    angle = math.radians(degrees)
    image, target = torch.tensor([[1.0, 0.0]]), torch.tensor([[math.cos(angle), math.sin(angle)]])
    assert float(LOSSES["cosine"](image, target)) == pytest.approx(1 - math.cos(angle), abs=1e-6)
    assert float(LOSSES["inverse"](image, target)) == pytest.approx(1 / math.cos(angle), rel=1e-5)
    assert float(LOSSES["spherical"](image, 3 * target)) == pytest.approx(angle**2 / 2, rel=1e-4)


def test_a_picture_on_its_target_has_a_finite_slope() -> None:
    image = F.normalize(normal(2, 4), dim=-1).requires_grad_()
    (slope,) = torch.autograd.grad(LOSSES["spherical"](image, image.detach()).sum(), image)
    assert slope.isfinite().all()


def test_the_default_is_clips_own_view() -> None:
    clip, images, target = make_clip(), normal(3, 3, 16, 16), normal(3, 16, key=1)
    losses = CLIPLoss(clip)(images, target, NoiseSource([]))
    expected = 1 - F.cosine_similarity(clip.encode_image(images), target, dim=-1)
    torch.testing.assert_close(losses, expected)


def test_without_normalisation_clip_gets_the_bare_numbers() -> None:
    images = normal(2, 3, 32, 32)
    assert torch.equal(shown(CLIPLoss(make_clip(), normalise=False), images), images)
    clip = make_clip()
    assert torch.equal(shown(CLIPLoss(clip), images), clip.normalise(images))


@pytest.mark.parametrize("side", [128, 48, 16])
def test_area_is_nearest_enlarging_and_average_pooling(side: int) -> None:
    """StyleCLIP enlarges 1024 px by 7 and pools by 32 to get 224; any enlarging that fits gives the same."""
    images = normal(1, 3, side, side)
    ours = shown(CLIPLoss(make_clip(), resize="area", normalise=False), images)
    enlarged = images.double().repeat_interleave(32, dim=2).repeat_interleave(32, dim=3)
    torch.testing.assert_close(ours, F.avg_pool2d(enlarged, side).float())


def test_bilinear_skips_pixels_and_bicubic_does_not() -> None:
    spots = torch.zeros(1, 3, 128, 128)
    spots[..., 0::4, 0::4] = 1.0  # bilinear shrinking by 4 looks at pixels 1 and 2 of 4 only
    assert shown(CLIPLoss(make_clip(), resize="bilinear", normalise=False), spots).abs().max() == 0
    assert shown(CLIPLoss(make_clip(), resize="bicubic", normalise=False), spots).mean() > 0.05


def test_crops_lie_inside_and_belong_to_their_sample() -> None:
    rows = torch.linspace(-1, 1, 64).view(1, 1, 64, 1).expand(2, 3, 64, 64)
    loss = CLIPLoss(make_clip(), crops=5, crop_min=0.5, normalise=False)
    views = shown(loss, rows, 3, 4)
    assert views.shape == (10, 3, 32, 32)
    heights = views[:, 0, -1, 0] - views[:, 0, 0, 0]
    assert (heights > 0.45).all()
    assert (heights < 2.0).all()
    assert heights.std() > 0.05
    assert views.abs().max() <= 1
    torch.testing.assert_close(shown(loss, rows[:1], 4), views[5:])


def test_a_crop_is_the_square_that_its_noise_names() -> None:
    """On pictures whose pixels hold their own places, from -1 to 1 across: a crop's pixels hold theirs.

    Of three numbers in [0, 1] the first is the side, from the least to all; the others place it in the rest.
    """
    places = (2 * torch.arange(64) + 1) / 64 - 1
    picture = torch.stack([places.expand(64, 64), places.expand(64, 64).T, torch.zeros(64, 64)])[None]
    views = shown(CLIPLoss(make_clip(), crops=4, crop_min=0.4, normalise=False), picture, 3)
    drawn = torch.special.ndtr(NoiseSource([(0, 3)]).normal((4, 3))[0])
    own = (2 * torch.arange(32) + 1) / 32 - 1
    for view, (size, across, down) in zip(views, drawn.tolist(), strict=True):
        side = 0.4 + 0.6 * size
        for channel, place in ((0, across), (1, down)):
            expected = (1 - side) * (2 * place - 1) + side * own
            inside = expected.abs() <= 1 - 1 / 64  # beyond the last pixel's middle, it is mirrored
            line = view[channel, 16] if channel == 0 else view[channel, :, 16]
            torch.testing.assert_close(line[inside], expected[inside], rtol=0, atol=1e-5)


def test_the_loss_is_the_mean_over_crops() -> None:
    images, target = normal(2, 3, 32, 32), normal(2, 16, key=1)
    loss = CLIPLoss(make_clip(), crops=3)
    views = shown(loss, images)  # leaves the recorder in place, which then embeds
    losses = loss(images, target, NoiseSource([(0, 0), (0, 1)]))
    each = 1 - F.cosine_similarity(views.flatten(1)[:, :16], target.repeat_interleave(3, dim=0), dim=-1)
    torch.testing.assert_close(losses, each.view(2, 3).mean(dim=1))


@pytest.mark.parametrize(
    "wrong, remedy",
    [
        ({"loss": "l2"}, "loss=l2 is unknown: use cosine, inverse, spherical"),
        ({"resize": "nearest"}, "resize=nearest is unknown: use bicubic, area or bilinear"),
        ({"crops": -1}, "crops=-1 of at least"),
        ({"crop_min": 1.5}, "at least 1.5 of a picture"),
    ],
)
def test_settings_that_do_not_exist_are_refused(wrong: dict, remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        CLIPLoss(make_clip(), **wrong)
