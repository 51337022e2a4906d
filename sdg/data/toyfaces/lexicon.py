"""The words of the caption grammar: how each value of each attribute is worded."""

from collections.abc import Iterable
from itertools import product

HAIR_WORDS: dict[str, tuple[str, ...]] = {
    "black": ("black",),
    "brown": ("brown",),
    "blond": ("blond", "blonde", "golden"),
    "red": ("red", "ginger"),
    "grey": ("grey", "gray", "silver"),
    "blue": ("blue",),
    "green": ("green",),
    "short": ("short", "cropped"),
    "long": ("long", "flowing"),
}
SKIN_WORDS: dict[str, tuple[str, ...]] = {
    "light": ("light", "fair", "pale"),
    "medium": ("medium", "tan"),
    "dark": ("dark",),
}
BACKGROUND_WORDS: dict[str, tuple[str, ...]] = {
    "white": ("white",),
    "yellow": ("yellow",),
    "pink": ("pink",),
    "purple": ("purple", "violet"),
    "teal": ("teal", "turquoise"),
    "navy": ("navy", "navy blue"),
}
BACKGROUNDS = ("background", "backdrop")
PLACES = ("in front of a", "on a", "against a")


def _each(words: Iterable[str], *patterns: str) -> tuple[str, ...]:
    return tuple(pattern.format(word) for pattern, word in product(patterns, words))


NOUNS: dict[tuple[str, str], tuple[str, ...]] = {
    ("skin", value): _each(words, "{} skin", "a {} complexion") for value, words in SKIN_WORDS.items()
} | {
    ("glasses", "yes"): ("glasses", "spectacles", "eyeglasses", "a pair of glasses"),
    ("glasses", "no"): ("glasses", "spectacles", "eyeglasses"),
    ("hat", "yes"): ("a hat", "a beanie", "a woolly hat", "a cap"),
    ("hat", "no"): ("hat", "cap"),
    ("beard", "yes"): ("a beard", "a full beard"),
    ("beard", "no"): ("beard",),
    ("expression", "smiling"): ("a smile", "a happy expression", "a cheerful look", "a big smile"),
    ("expression", "neutral"): (
        "a neutral expression",
        "a neutral look",
        "a calm expression",
        "a serious look",
    ),
    ("expression", "frowning"): ("a frown", "a sad expression", "an unhappy look", "a sad look"),
}
"""What the face has; for the value "no", what it lacks. The grammar itself words hair and background."""

ADJECTIVES: dict[tuple[str, str], tuple[str, ...]] = (
    {("skin", value): _each(words, "{}-skinned") for value, words in SKIN_WORDS.items()}
    | {
        ("hair_length" if value in ("short", "long") else "hair_color", value): _each(words, "{}-haired")
        for value, words in HAIR_WORDS.items()
    }
    | {
        ("glasses", "yes"): ("bespectacled",),
        ("beard", "yes"): ("bearded",),
        ("beard", "no"): ("clean-shaven", "beardless"),
        ("expression", "smiling"): ("smiling", "happy", "cheerful"),
        ("expression", "neutral"): ("neutral", "calm", "serious", "expressionless"),
        ("expression", "frowning"): ("frowning", "sad", "unhappy"),
    }
)
"""What can stand before the noun."""

SUBJECTS = {"face": 4.0, "person": 2.0, "character": 1.0, "someone": 1.0}
"""The nouns described, with their weights; "someone" takes no adjective."""
OPENERS = (
    "",
    "a picture of",
    "a portrait of",
    "a cartoon of",
    "a drawing of",
    "an avatar of",
    "an image of",
    "an illustration of",
)
GLUE = "a an and or no with without who that is has wears wearing having"
"""Words that the grammar itself puts between the others."""
