"""The judge: what its layers compute, from their weights alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdg.networks.judge import Judge
from sdg.randomness import keyed_generator


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=keyed_generator("judge"), dtype=torch.float64)


@torch.no_grad()
def test_it_is_pairs_of_convolutions_of_which_the_first_halves_the_picture() -> None:
    """Each is followed by a norm over eight groups and a GELU; a linear layer and a GELU come last."""
    judge = Judge({"hat": 2, "hair": 3}, nuisances=4, image_size=16, channels=(8, 16), features=5).double()
    for i, parameter in enumerate(judge.parameters()):
        parameter.copy_(0.1 * normal(*parameter.shape) + (i + 1) / 100)
    x = normal(2, 3, 16, 16)

    def normed(h: Tensor, norm: nn.GroupNorm) -> Tensor:
        groups = h.view(2, 8, -1)
        variance, mean = torch.var_mean(groups, dim=2, correction=0, keepdim=True)
        h = ((groups - mean) / (variance + 1e-5).sqrt()).view(h.shape)
        h = h * norm.weight[:, None, None] + norm.bias[:, None, None]
        return h * torch.special.ndtr(h)

    h, layers = x, list(judge.body)
    for level in (0, 6):
        (first, norm_1, _), (second, norm_2, _) = layers[level : level + 3], layers[level + 3 : level + 6]
        h = normed(F.conv2d(h, first.weight, first.bias, stride=2, padding=2), norm_1)
        h = normed(F.conv2d(h, second.weight, second.bias, padding=1), norm_2)
    h = h.flatten(1) @ layers[13].weight.T + layers[13].bias
    features = h * torch.special.ndtr(h)

    judgement = judge(x)
    torch.testing.assert_close(judgement.features, features)
    for name, head in judge.attribute_heads.items():
        torch.testing.assert_close(judgement.attributes[name], features @ head.weight.T + head.bias)
    head = judge.nuisance_head
    torch.testing.assert_close(judgement.nuisances, features @ head.weight.T + head.bias)
