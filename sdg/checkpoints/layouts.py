"""Other names for the same weights: from what files call them to what our modules do."""

from collections.abc import Callable, Collection

_OPENAI_SETTINGS = ("input_resolution", "context_length", "vocab_size")
"""Settings that OpenAI's CLIP archives keep among the weights."""

_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""diffusers' attention layers before and since version 0.15."""


def rename(keys: Collection[str], wanted: Collection[str]) -> dict[str, str]:
    """Map a file's names to a module's, by the known layout that gives most of the ``wanted`` ones.

    Names that belong to no module, such as settings among the weights, are left out.
    """
    layouts: tuple[Callable[[Collection[str]], dict[str, str]], ...] = (_own, _public_clip, _old_diffusers)
    return max((layout(keys) for layout in layouts), key=lambda names: len({*names.values()} & {*wanted}))


def _own(keys: Collection[str]) -> dict[str, str]:
    return {key: key for key in keys}


def _public_clip(keys: Collection[str]) -> dict[str, str]:
    return {key: f"model.{key}" for key in keys if key not in _OPENAI_SETTINGS}


def _old_diffusers(keys: Collection[str]) -> dict[str, str]:
    def newer(key: str) -> str:
        module, _, parameter = key.rpartition(".")
        block, _, layer = module.rpartition(".")
        return f"{block}.{_OLD_ATTENTION[layer]}.{parameter}" if layer in _OLD_ATTENTION else key

    return {key: newer(key) for key in keys}
