"""How a number of steps is written; read without torch, to be refused at once."""

from typing import NamedTuple

from sdg.errors import SDGError


class Steps(NamedTuple):
    """``20`` is (20,); ``"10,10,20"`` as many of each third, ``"ddim25"`` (25,) in a ``constant`` stride."""

    counts: tuple[int, ...]
    constant: bool
    """Whether the stride is one whole number."""

    @classmethod
    def read(cls, text: int | str) -> "Steps":
        """Raises SDGError if it is written otherwise, or a number is 0."""
        bare = str(text).replace(" ", "")
        parts = bare.removeprefix("ddim").split(",")
        constant = bare.startswith("ddim")
        if not all(part.isdecimal() and int(part) for part in parts) or (constant and len(parts) > 1):
            raise SDGError(
                f"sampler.steps={text} is not a number of steps: use for example 50, ddim25 or 10,20,30"
            )
        return cls(tuple(map(int, parts)), constant)
