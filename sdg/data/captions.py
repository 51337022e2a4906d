"""What is said of a picture in training: its own captions, or sentences made from its labels."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple, Self

from sdg.data.labels import Label
from sdg.data.table import Row
from sdg.errors import SDGError
from sdg.networks.tokenizer import split_words

FOLDER = "folder"
"""The column that every picture has without a table: the name of its folder."""


class Captions(ABC):
    """Captions from the rows of a table; how a picture is worded may change with every look at it."""

    @abstractmethod
    def prepare(self, rows: Sequence[Row]) -> Any:
        """What the rows of a picture, at least one, say of it; None if nothing.

        Raises:
            SDGError: they cannot be understood; the message says what is wrong, not where.
        """

    @abstractmethod
    def caption(self, content: Any, random: Random) -> str:
        """One caption of a picture, from what ``prepare`` gave."""

    @abstractmethod
    def description(self, content: Any, random: Random) -> str:
        """All that is known of it."""

    @abstractmethod
    def vocabulary(self, contents: Iterable[Any]) -> list[str]:
        """Every word of their captions, sorted."""

    def unsaid(self, contents: Iterable[Any]) -> list[str]:
        """What the captions could tell and no picture has."""
        return []


class Words:
    """What is said of each picture of a source; a pure function of (seed, step, picture).

    Args:
        contents: for each picture, what ``captions.prepare`` gave; None if nothing can be said of it.
    """

    def __init__(self, captions: Captions, contents: Sequence[Any], seed: int = 0):
        self.captions, self.contents, self.seed = captions, contents, seed

    def caption(self, step: int, place: int) -> str:
        """A caption of the picture at ``place``."""
        return self.captions.caption(self.contents[place], Random(f"caption {self.seed} {step} {place}"))

    def description(self, step: int, place: int) -> str:
        """All that is known of the picture at ``place``."""
        random = Random(f"description {self.seed} {step} {place}")
        return self.captions.description(self.contents[place], random)

    def vocabulary(self) -> list[str]:
        """Every word of the captions, sorted."""
        return self.captions.vocabulary(content for content in self.contents if content is not None)


class ColumnCaptions(Captions):
    """The captions in a column: one a row, or in JSON a list of them.

    Args:
        column: its name.
        longest: words after which a caption is cut; text towers read a limited number.
    """

    def __init__(self, column: str = "caption", longest: int = 30):
        self.column, self.longest = column, longest

    def prepare(self, rows: Sequence[Row]) -> list[str] | None:
        texts: list[str] = []
        for row in rows:
            if self.column not in row:
                known = ", ".join(map(str, row))
                raise SDGError(f"there is no column {self.column} (but {known}): name one with data.captions")
            cell = row[self.column]
            texts += [str(text) for text in (cell if isinstance(cell, list) else [cell]) if text is not None]
        cut = [" ".join(text.split()[: self.longest]) for text in texts]
        return [text for text in cut if split_words(text)] or None

    def caption(self, content: list[str], random: Random) -> str:
        return random.choice(content)

    def description(self, content: list[str], random: Random) -> str:
        return " ".join(content)

    def vocabulary(self, contents: Iterable[list[str]]) -> list[str]:
        return sorted({word for content in contents for text in content for word in split_words(text)})


class LabelCaptions(Captions):
    """Sentences with places for labels, such as ``a photo of a {age} {sex}``.

    A caption is one of the sentences that fit a picture, chosen at random; a description is one of those with
    the most labels. ``a`` becomes ``an`` where it must.

    Args:
        labels: for each column of the table, its values as sentences call them: see
            :class:`~sdg.data.labels.Label`. A picture may lack some.
        sentences: with columns in braces; words and braces are separated by spaces or punctuation. A mapping,
            ``{say: a {sex}, only: {age: [young, elderly]}}``, is for pictures of these values alone.
        words: other ways to say a value or a word, of which one is chosen at random. If the key is two that
            follow each other, such as ``child man``, they are said as one: ``[boy, little boy]``.

    Raises:
        SDGError: a sentence asks for what is no label or value, or ``words`` says what no sentence does.
    """

    def __init__(
        self,
        labels: Mapping[str, Mapping[str, Any] | Sequence[Any]],
        sentences: Sequence[str | Mapping[str, Any]],
        words: Mapping[str, Sequence[str]] | None = None,
    ):
        if not labels or not sentences:
            raise SDGError("captions from labels need both: give data.captions.labels and .sentences")
        self.labels = {name: Label(name, values) for name, values in labels.items()}
        self.sentences = [_Sentence.read(sentence, self.labels) for sentence in sentences]
        self.words = {str(key): list(said) for key, said in (words or {}).items()}
        parts = {part for sentence in self.sentences for part in sentence.parts if not _slot(part)}
        parts |= {value for label in self.labels.values() for value in label.values}
        for key, said in self.words.items():
            pairs = (key.removeprefix(f"{part} ") for part in parts)
            if not said or (key not in parts and not any(rest != key and rest in parts for rest in pairs)):
                raise SDGError(f"no sentence says {key!r}: mend data.captions.words")

    def prepare(self, rows: Sequence[Row]) -> dict[str, str] | None:
        if len(rows) > 1:
            raise SDGError("there are several rows of labels: leave one")
        known = {name: value for name, label in self.labels.items() if (value := label.read(rows[0]))}
        return known if self._fitting(known) else None

    def caption(self, content: dict[str, str], random: Random) -> str:
        return self._say(random.choice(self._fitting(content)), content, random)

    def description(self, content: dict[str, str], random: Random) -> str:
        fitting = self._fitting(content)
        most = max(sentence.told for sentence in fitting)
        full = [sentence for sentence in fitting if sentence.told == most]
        return self._say(random.choice(full), content, random)

    def vocabulary(self, contents: Iterable[Any]) -> list[str]:
        said = [part for sentence in self.sentences for part in sentence.parts if not _slot(part)]
        said += [value for label in self.labels.values() for value in label.values]
        said += [way for ways in self.words.values() for way in ways]
        found = {word for text in said for word in split_words(text)}
        return sorted(found | {"an"} if "a" in found else found)

    def unsaid(self, contents: Iterable[Any]) -> list[str]:
        return sorted(self.labels.keys() - {name for content in contents for name in content})

    def _fitting(self, known: Mapping[str, str]) -> list["_Sentence"]:
        return [sentence for sentence in self.sentences if sentence.fits(known)]

    def _say(self, sentence: "_Sentence", known: Mapping[str, str], random: Random) -> str:
        plain = [known[slot] if (slot := _slot(part)) else part for part in sentence.parts]
        said, i = [], 0
        while i < len(plain):
            two = " ".join(plain[i : i + 2])
            key = two if two in self.words else plain[i]
            said.append(random.choice(self.words.get(key, [key])))
            i += 2 if two in self.words else 1
        text = re.sub(r" (?=[,.;:!?])", "", " ".join(said))
        return re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", text)


class _Sentence(NamedTuple):
    """A sentence with places for labels.

    Attributes:
        parts: ``{label}`` places, words and punctuation.
        only: the values of labels that a picture must have.
    """

    parts: list[str]
    only: dict[str, list[str]]

    @classmethod
    def read(cls, given: str | Mapping[str, Any], labels: Mapping[str, Label]) -> Self:
        """From what the user gave; raises SDGError if it asks for an unknown label or value."""
        entry = dict(given) if isinstance(given, Mapping) else {"say": given}
        text: Any = entry.pop("say", None)
        only: Any = entry.pop("only", {})
        if not isinstance(text, str) or not isinstance(only, Mapping) or entry:
            raise SDGError(f"the sentence {given} is not like {{say: a face, only: {{age: [old]}}}}: mend it")
        parts = re.findall(r"\{[^{}]*\}|[,.;:!?]|[^\s{},.;:!?]+", text)
        limits = {str(name): [str(value) for value in values] for name, values in only.items()}
        asked = {slot for part in parts if (slot := _slot(part))} | limits.keys()
        if unknown := sorted(asked - labels.keys()):
            raise SDGError(f"the sentence {text!r} asks for {unknown[0]}: add it to data.captions.labels")
        for name, values in limits.items():
            if strange := sorted(set(values) - labels[name].values.keys()):
                raise SDGError(f"the sentence {text!r} is only for {strange[0]}, which is no {name}: mend it")
        return cls(parts, limits)

    @property
    def told(self) -> int:
        """How many labels it tells."""
        return sum(bool(_slot(part)) for part in self.parts)

    def fits(self, known: Mapping[str, str]) -> bool:
        """Whether it can be said of a picture with these labels."""
        sayable = all(slot in known for part in self.parts if (slot := _slot(part)))
        return sayable and all(known.get(name) in values for name, values in self.only.items())


def _slot(part: str) -> str:
    """The label that a part stands for; nothing if it is a word."""
    return part[1:-1] if part.startswith("{") else ""
