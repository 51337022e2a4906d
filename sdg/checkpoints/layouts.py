"""Other names for the same weights: from what files call them to what our modules do."""

from collections.abc import Callable, Collection

from sdg.checkpoints.wrappers import heads_of, prefixes_of
from sdg.errors import SDGError

_OPENAI_SETTINGS = ("input_resolution", "context_length", "vocab_size")
"""Settings that OpenAI's CLIP archives keep among the weights."""

_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""diffusers' attention layers before and since version 0.15."""


def rename(keys: Collection[str], wanted: Collection[str]) -> dict[str, str]:
    """Map a file's names to a module's, by the known layout that gives most of the ``wanted`` ones.

    A prefix of all names may be in the file, in the module, or in both. Names that belong to no module, such
    as settings among the weights, are left out. So are other networks, where one part of a file has exactly
    the wanted names.

    Raises:
        SDGError: several parts of the file have the wanted names.
    """
    best = max(_layouts(keys, wanted), key=lambda names: len({*names.values()} & {*wanted}))
    if {*best.values()} >= {*wanted}:
        return best
    parts = {
        head: {f"{head}.{key}": new for key, new in names.items()}
        for head in heads_of(keys)
        for names in _layouts(_below(head, keys), wanted)
        if {*names.values()} == {*wanted}
    }
    if len(parts) > 1:
        raise SDGError(
            f"the file holds this network as {', '.join(parts)}: choose one, as in FILE@{min(parts)}"
        )
    return next(iter(parts.values()), best)


def _layouts(keys: Collection[str], wanted: Collection[str]) -> list[dict[str, str]]:
    inside = len("".join(prefixes_of(keys)))
    roots = {"": 0, "".join(prefixes_of(wanted)): inside}
    if "text_projection" in {key[inside:] for key in keys}:
        keys = [key for key in keys if key[inside:] not in _OPENAI_SETTINGS]
    layouts: tuple[Callable[[str], str], ...] = (str, _newer)
    return [
        {key: root + layout(key[cut:]) for key in keys} for root, cut in roots.items() for layout in layouts
    ]


def _newer(key: str) -> str:
    """A name in diffusers since 0.15."""
    module, _, parameter = key.rpartition(".")
    block, _, layer = module.rpartition(".")
    return f"{block}.{_OLD_ATTENTION[layer]}.{parameter}" if layer in _OLD_ATTENTION else key


def _below(head: str, keys: Collection[str]) -> list[str]:
    return [key.removeprefix(f"{head}.") for key in keys if key.startswith(f"{head}.")]
