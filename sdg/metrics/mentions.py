"""What a prompt asks for, attribute by attribute."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sdg.data.prompts import read_lines
from sdg.data.toyfaces import ATTRIBUTES
from sdg.data.toyfaces.attributes import check_values
from sdg.errors import SDGError


class Mentions:
    """The attribute values that prompts mention, read from JSON lines.

    Args:
        path: file of lines ``{"prompt": "a face with a hat", "mentioned": {"hat": "yes"}}``; None: no file.
        attributes: the values that there are, by attribute: what the judge tells apart.

    Raises:
        SDGError: no such file, or a line that does not look like this.
    """

    def __init__(self, path: str | Path | None, attributes: Mapping[str, Sequence[str]] = ATTRIBUTES):
        self.path, self.attributes = path, attributes
        self.rows: dict[str, list[int]] = {}
        if path is None:
            return
        for number, line in read_lines(path, "mentions").items():
            try:
                entry = json.loads(line)
                prompt, mentioned = entry["prompt"], dict(entry["mentioned"])
            except (ValueError, KeyError, TypeError) as error:
                example = '{"prompt": "a face with a hat", "mentioned": {"hat": "yes"}}'
                raise SDGError(f"line {number} of {path} is not like {example}") from error
            check_values(mentioned, attributes)
            self.rows[prompt] = [
                choices.index(mentioned[name]) if name in mentioned else -1
                for name, choices in attributes.items()
            ]

    def __call__(self, prompts: Sequence[str]) -> Tensor:
        """(N, A) int64, columns as ``attributes``: the index of the value that each prompt mentions, or -1.

        Raises:
            SDGError: a prompt is not in the file, or there is no file.
        """
        if self.path is None:
            raise SDGError(
                "nothing says what the prompts mention: give mentions=FILE, or choose other metrics"
            )
        if unknown := [prompt for prompt in dict.fromkeys(prompts) if prompt not in self.rows]:
            more = f" and {len(unknown) - 1} more" if unknown[1:] else ""
            raise SDGError(
                f"{self.path} does not say what {unknown[0]!r}{more} mentions: add a line for every prompt"
            )
        return torch.tensor([self.rows[prompt] for prompt in prompts], dtype=torch.int64).view(
            -1, len(self.attributes)
        )
