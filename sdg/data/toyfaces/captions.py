"""A small grammar of captions that are true, partial and varied.

A caption is an opener ("a portrait of"), a subject with adjectives ("a smiling person"), a clause with the
rest ("who has red hair and wears glasses") and a place ("on a teal background"). Some pairs of opener and
clause are held out of training, so that their phrasing is new at evaluation while every word is known.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from random import Random
from typing import NamedTuple

from sdg.data.toyfaces import lexicon
from sdg.data.toyfaces.attributes import ATTRIBUTES, check_values
from sdg.errors import SDGError

CLAUSES = ("with", "who", "having", "list")
FRAMES = tuple(product(lexicon.OPENERS, CLAUSES))
HELD_OUT_FRAMES = tuple(
    (opener, clause)
    for (i, opener), (j, clause) in product(enumerate(lexicon.OPENERS), enumerate(CLAUSES))
    if (i - j) % len(CLAUSES) == 2
)
"""One clause in four for each opener, and one opener in four for each clause."""
TRAINING_FRAMES = tuple(frame for frame in FRAMES if frame not in HELD_OUT_FRAMES)

COUNT_WEIGHTS = {1: 0.28, 2: 0.30, 3: 0.24, 4: 0.12, 5: 0.06}
"""Weight of each number of mentions."""
_ABSENT_WEIGHT = 0.35  # people seldom mention what is absent
_PLAIN_WEIGHT = 5.0  # of frames without an opener, as people often type
_BARE_RATE = 0.08  # share of captions that only list: "long red hair and glasses"
_ADJECTIVE_RATE = {
    "expression": 0.55,
    "beard": 0.4,
    "glasses": 0.15,
    "hair_color": 0.2,
    "hair_length": 0.2,
    "skin": 0.4,
}


class Caption(NamedTuple):
    """``text`` in lower case and the attribute values that it states, e.g. ``{"hair_color": "red"}``."""

    text: str
    mentioned: dict[str, str]


def words(text: str) -> list[str]:
    """The lower-case words of a text, without punctuation; hyphens separate words."""
    return re.findall(r"[a-z]+", text.lower())


def caption(attributes_row: Sequence[int], seed: int, index: int, held_out: bool = False) -> Caption:
    """Describe a face by one to five of its attributes; a pure function of the arguments.

    Args:
        attributes_row: 8 value indices, as in a row of ``sample_attributes``.
        held_out: phrase it as no training caption is.

    Raises:
        SDGError: the row has the wrong length, or an index out of range.
    """
    row = [int(value) for value in attributes_row]
    if len(row) != len(ATTRIBUTES):
        raise SDGError(
            f"a caption needs {len(ATTRIBUTES)} attributes ({', '.join(ATTRIBUTES)}), got {len(row)}"
        )
    values = {}
    for (name, choices), value in zip(ATTRIBUTES.items(), row, strict=True):
        if not 0 <= value < len(choices):
            raise SDGError(
                f"attribute {name} must be in 0..{len(choices) - 1} ({', '.join(choices)}), got {value}"
            )
        values[name] = choices[value]

    random = Random(f"mention {seed} {index}")
    count = random.choices(list(COUNT_WEIGHTS), list(COUNT_WEIGHTS.values()))[0]
    # Weighted draw without replacement: the first arrivals of exponential clocks.
    arrival = {n: random.expovariate(_ABSENT_WEIGHT if value == "no" else 1.0) for n, value in values.items()}
    chosen = sorted(values, key=arrival.__getitem__)[:count]
    mentioned = {name: values[name] for name in values if name in chosen}
    return Caption(prompt(mentioned, seed, index, held_out), mentioned)


def description(attributes_row: Sequence[int], seed: int, index: int) -> str:
    """A caption of all that is visible in a face, nothing absent; a pure function of the arguments."""
    columns = zip(ATTRIBUTES.items(), attributes_row, strict=True)
    values = {name: choices[value] for (name, choices), value in columns}
    seen = {name: value for name, value in values.items() if value != "no"}
    return prompt(seen, seed, index, held_out=False)


def prompt(mentioned: Mapping[str, str], seed: int, index: int, held_out: bool = True) -> str:
    """Phrase the given attribute values; a pure function of the arguments.

    Raises:
        SDGError: there is nothing to mention, or an unknown attribute or value.
    """
    if not mentioned:
        raise SDGError('nothing to say: mention at least one attribute, e.g. {"hair_color": "red"}')
    check_values(mentioned)
    random = Random(f"phrase {seed} {index}")
    if held_out:
        opener, clause = random.choice(HELD_OUT_FRAMES)
    else:
        weights = [_PLAIN_WEIGHT if opener == "" else 1.0 for opener, _ in TRAINING_FRAMES]
        opener, clause = random.choices(TRAINING_FRAMES, weights)[0]
    bare = not held_out and random.random() < _BARE_RATE
    parts = _sort_mentions(mentioned, random, clause_needed=held_out or bare, adjectives_allowed=not bare)
    if bare:
        return " ".join(filter(None, [_join(_all_things(parts, random)), parts.place]))

    subjects = [noun for noun in lexicon.SUBJECTS if noun != "someone" or not parts.adjectives]
    subject = random.choices(subjects, [lexicon.SUBJECTS[noun] for noun in subjects])[0]
    noun_phrase = subject if subject == "someone" else _with_article(" ".join([*parts.adjectives, subject]))
    rest = _CLAUSE_WRITERS[clause](parts, random, "that" if subject == "face" else "who")
    head = " ".join(filter(None, [opener, noun_phrase]))
    if parts.place and random.random() < 0.2:
        return f"{parts.place}, {head}{rest}"
    return (", " if clause == "list" and rest else " ").join(filter(None, [head + rest, parts.place]))


@dataclass
class _Parts:
    """Where each mention goes."""

    adjectives: list[str] = field(default_factory=list)
    things: list[str] = field(default_factory=list)
    worn: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    background: str = ""  # in the clause: "a teal background"
    place: str = ""  # outside it: "on a teal background"


def _sort_mentions(
    mentioned: Mapping[str, str], random: Random, clause_needed: bool, adjectives_allowed: bool
) -> _Parts:
    parts = _Parts()
    names = sorted(mentioned)
    random.shuffle(names)
    in_clause = names[0] if clause_needed else None
    hair: dict[str, str] = {}
    for name in names:
        value = mentioned[name]
        adjectives = lexicon.ADJECTIVES.get((name, value), ())
        as_adjective = random.random() < _ADJECTIVE_RATE.get(name, 0.0)
        if adjectives and adjectives_allowed and as_adjective and name != in_clause:
            parts.adjectives.append(random.choice(adjectives))
        elif name in ("hair_color", "hair_length"):
            hair[name] = random.choice(lexicon.HAIR_WORDS[value])
        elif name == "background":
            wall = f"{random.choice(lexicon.BACKGROUND_WORDS[value])} {random.choice(lexicon.BACKGROUNDS)}"
            if name == in_clause or random.random() < 0.25:
                parts.background = f"a {wall}"
            else:
                parts.place = f"{random.choice(lexicon.PLACES)} {wall}"
        else:
            noun = random.choice(lexicon.NOUNS[name, value])
            worn = name in ("glasses", "hat")
            (parts.lacking if value == "no" else parts.worn if worn else parts.things).append(noun)
    if hair:
        phrase = [hair[name] for name in ("hair_length", "hair_color") if name in hair]
        parts.things.insert(random.randint(0, len(parts.things)), " ".join([*phrase, "hair"]))
    return parts


def _all_things(parts: _Parts, random: Random) -> list[str]:
    things = [*parts.things, *parts.worn, *(f"no {noun}" for noun in parts.lacking)]
    random.shuffle(things)
    return things + [parts.background] * bool(parts.background)


def _with_clause(parts: _Parts, random: Random, pronoun: str) -> str:
    wearing = without = ""
    if parts.worn and random.random() < 0.5:
        wearing = f"wearing {_join(parts.worn)}"
        parts = replace(parts, worn=[])
    if parts.lacking and random.random() < 0.5:
        without = f"without {_join([_with_article(noun) for noun in parts.lacking], 'or')}"
        parts = replace(parts, lacking=[])
    things = _all_things(parts, random)
    clauses = [f"with {_join(things)}" if things else "", wearing, without]
    text = ", ".join(filter(None, clauses))
    return f" {text}" if text else ""


def _who_clause(parts: _Parts, random: Random, pronoun: str) -> str:
    wears = place = ""
    if parts.worn and random.random() < 0.5:
        wears = f"wears {_join(parts.worn)}"
        parts = replace(parts, worn=[])
    if parts.background:
        place = f"is {random.choice(lexicon.PLACES)} {parts.background.removeprefix('a ')}"
        parts = replace(parts, background="")
    things = _all_things(parts, random)
    verbs = list(filter(None, [f"has {_join(things)}" if things else "", wears, place]))
    return f" {pronoun} {_join(verbs)}" if verbs else ""


def _having_clause(parts: _Parts, random: Random, pronoun: str) -> str:
    things = _all_things(parts, random)
    return f" having {_join(things)}" if things else ""


def _list_clause(parts: _Parts, random: Random, pronoun: str) -> str:
    things = [re.sub(r"^an? ", "", thing) for thing in _all_things(parts, random)]
    return "".join(f", {thing}" for thing in things)


_CLAUSE_WRITERS = {"with": _with_clause, "who": _who_clause, "having": _having_clause, "list": _list_clause}


def _with_article(noun: str) -> str:
    if noun.endswith("glasses") or noun == "spectacles":
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _join(items: Sequence[str], conjunction: str = "and") -> str:
    """ "a", "a and b", "a, b and c" """
    return f" {conjunction} ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def _vocabulary() -> tuple[str, ...]:
    tables = (lexicon.HAIR_WORDS, lexicon.BACKGROUND_WORDS, lexicon.NOUNS, lexicon.ADJECTIVES)
    texts = [text for table in tables for row in table.values() for text in row]
    texts += [
        *lexicon.BACKGROUNDS,
        *lexicon.PLACES,
        *lexicon.SUBJECTS,
        *lexicon.OPENERS,
        lexicon.GLUE,
        "hair",
    ]
    return tuple(sorted({word for text in texts for word in words(text)}))


VOCABULARY: tuple[str, ...] = _vocabulary()
"""All words that captions can contain, sorted."""
