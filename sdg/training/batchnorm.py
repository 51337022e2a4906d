"""How BatchNorm behaves during training, on one device or on several."""

from typing import Literal

import torch
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.training.ranks import Ranks

Policy = Literal["train", "frozen", "synchronised"]


class SynchronisedNorm(nn.BatchNorm2d):
    """BatchNorm2d with the statistics of the whole batch over all devices; also works on CPUs.

    Every rank must hold the same number of pictures. It *is* a ``BatchNorm2d`` (PyTorch's ``SyncBatchNorm``
    is not), so networks that look up their norms by that type still find them.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        variance, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
        every = Ranks.current().gather(torch.stack([mean, variance])[None])
        means, variances = every.unbind(1)
        mean = means.mean(dim=0)
        variance = (variances + (means - mean).square()).mean(dim=0)
        with torch.no_grad():
            count = len(every) * x.numel() / x.shape[1]
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
            unbiased = variance * count / (count - 1)
            self.running_var.lerp_(unbiased.to(self.running_var), self.momentum)
        gain = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * gain
        return (x * gain[:, None, None] + shift[:, None, None]).to(x.dtype)


def set_policy(network: nn.Module, policy: Policy) -> None:
    """Prepare the norms of ``network`` for a policy; parameter and buffer names do not change.

    ``train``: each device normalises by its own part of the batch, and the running statistics are the first
    device's. ``synchronised``: by the whole batch. ``frozen``: by the running statistics, see :func:`freeze`.

    Raises:
        SDGError: an unknown policy.
    """
    if policy not in ("train", "frozen", "synchronised"):
        raise SDGError(f"model.batchnorm={policy} is unknown: use train, frozen or synchronised")
    if policy == "synchronised":
        for module in network.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = SynchronisedNorm


def freeze(network: nn.Module) -> None:
    """Make the norms use and keep their running statistics; call this again after each ``train()``."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
