"""Training a part of a network, the rest of which stays bit for bit as it is."""

from collections.abc import Sequence

from torch import nn

from sdg.errors import SDGError


def learn_only(network: nn.Module, parts: Sequence[str], setting: str) -> None:
    """Of ``network``, only the ``parts`` have gradients: names of modules or weights, such as ``layer4.0``.

    Norms keep their statistics only if they are told so, too (:func:`sdg.training.batchnorm.freeze`).

    Args:
        setting: its name in the configuration, for the error message.

    Raises:
        SDGError: a part that the network does not have.
    """
    names = [name for name, _ in network.named_parameters()]
    for part in parts:
        if not any(_within(name, part) for name in names):
            known = ", ".join(dict.fromkeys(name.partition(".")[0] for name in names))
            raise SDGError(f"{setting} names {part}, which has no weights here: name parts of {known}")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(any(_within(name, part) for part in parts))


def _within(name: str, part: str) -> bool:
    return f"{name}.".startswith(f"{part}.")
