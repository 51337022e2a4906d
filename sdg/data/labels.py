"""Labels: from the cells of a table's column to the words for their values."""

from collections.abc import Mapping, Sequence
from typing import Any

from sdg.data.table import Row
from sdg.errors import SDGError


class Label:
    """A column whose cells stand for one of a few values.

    Args:
        column: its name.
        values: for each value, by the name that sentences give it, the cell that means it (``man: 0``), or a
            range of numbers, from the first to below the second (``child: [3, 13]``), of which either may be
            null for no bound. A list of names means cells that are these names.

    Raises:
        SDGError: values that are neither.
    """

    def __init__(self, column: str, values: Mapping[str, Any] | Sequence[Any]):
        named = values.items() if isinstance(values, Mapping) else [(value, value) for value in values]
        self.column, self.values = column, {str(name): meaning for name, meaning in named}
        for name, meaning in self.values.items():
            if isinstance(meaning, Mapping) or (isinstance(meaning, list) and not _is_range(meaning)):
                raise SDGError(f"the value {name} of the label {column} needs a cell or [low, high]: mend it")

    def read(self, row: Row) -> str | None:
        """The value of a row's cell; None if there is none, or it is empty.

        Raises:
            SDGError: the cell means none of the values.
        """
        cell = _text(row.get(self.column))
        if not cell:
            return None
        for name, meaning in self.values.items():
            if _within(cell, meaning) if isinstance(meaning, list) else cell == _text(meaning):
                return name
        told = ", ".join(map(self._told, self.values))
        raise SDGError(f"{self.column} is {cell!r}, none of {told}: mend it, or data.captions.labels")

    def _told(self, name: str) -> str:
        meaning = self.values[name]
        if not isinstance(meaning, list):
            return name if _text(meaning) == name else f"{name} ({_text(meaning)})"
        low, high = meaning
        parts = [f"from {low}"] * (low is not None) + [f"below {high}"] * (high is not None)
        return f"{name} ({' '.join(parts)})"


def _is_range(meaning: list[Any]) -> bool:
    return len(meaning) == 2 and all(bound is None or isinstance(bound, int | float) for bound in meaning)


def _within(cell: str, bounds: list[Any]) -> bool:
    low, high = bounds
    try:
        number = float(cell)
    except ValueError:
        return False
    return (low is None or low <= number) and (high is None or number < high)


def _text(cell: Any) -> str:
    """A cell as text: JSON's true and 3.0 as ``true`` and ``3``."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
