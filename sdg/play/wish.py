"""What the widgets of the page say, and how a studio is asked for it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from omegaconf import OmegaConf

from sdg.errors import SDGError
from sdg.play.folder import Folder
from sdg.studio import Studio

TERMS = ("content", "structure", "style")
"""What a picture can be followed in."""
START = "start"
"""The use of a picture as what is edited."""
PRESETS = ("fast", "balanced", "exact")
ESTIMATOR = "sdg"
"""How the gradient is found, usually."""
OWN = "as steps"
"""The sampler that a preset has itself."""


@dataclass(frozen=True)
class Wish:
    """One field for each widget, in their order.

    Args:
        picture: path of what was uploaded, kept in the page's folder.
        uses: of :data:`TERMS` and :data:`START`, what the picture is for.
        text, content, structure, style: weights of the terms, relative to their usual ones.
        strength, mask: of an edit; the mask's path.
        push: log2 of the scale over the usual one.
        steps: one of :data:`PRESETS`.
        sampler: with as many steps, another rule; or :data:`OWN`.
        estimator: how the gradient is found and applied.
    """

    prompt: str = ""
    picture: str | None = None
    uses: tuple[str, ...] = ()
    text: float = 1.0
    content: float = 1.0
    structure: float = 1.0
    style: float = 1.0
    strength: float = 0.6
    mask: str | None = None
    push: float = 0.0
    steps: str = "balanced"
    sampler: str = OWN
    estimator: str = ESTIMATOR
    seed: int = 0
    pictures: int = 1

    def keywords(self, studio: Studio) -> dict[str, Any]:
        """Arguments of :meth:`Studio.steps`, and of :meth:`Studio.draw`, that fulfil it.

        Raises:
            SDGError: it says nothing that pictures could be guided by, or something is wrong with it.
        """
        self._check(studio)
        words: dict[str, Any] = {}
        if self.prompt.strip():
            words["prompt"] = _with(self.prompt.strip(), self.text)
        elif studio.base.config().prompts:  # of an experiment that was loaded
            words["prompts"] = []
        for term in TERMS:
            if term in self.uses:
                words[term] = _with(self.picture, getattr(self, term))
        if START in self.uses:
            words |= {"start": self.picture, "strength": self.strength}
            words |= {"mask": self.mask} if self.mask else {}
        if self.sampler == OWN:
            words["sampler"] = self.steps
        else:
            count = studio.request(sampler=self.steps).config().sampler.steps
            words |= {"sampler": self.sampler, "steps": count}
        if self.estimator != ESTIMATOR:
            words["estimator"] = self.estimator
        # A group as large as the pictures that are wanted: with more, some would be drawn for nothing.
        words |= {"n": self.pictures, "seed": self.seed, "unguided": True, "group": self.pictures}
        if self.push:
            words["scale"] = round(usual_scale(studio, words) * 2**self.push, 8)
        return words

    def _check(self, studio: Studio) -> None:
        sentence, aims = self.prompt.strip(), [term for term in TERMS if term in self.uses]
        if self.uses and self.picture is None:
            raise SDGError(f"there is no picture yet to use as {self.uses[0]}: upload one, or untick it")
        if not sentence and not aims:
            raise SDGError(
                "say what to draw: type a sentence, or use a picture as content, structure or style"
            )
        if sentence:
            unknown = studio.unknown_words(sentence)
            if unknown and not _others(sentence, unknown):
                raise SDGError(f"the encoder knows none of these words ({', '.join(unknown)}): try others")


def usual_scale(studio: Studio, words: dict[str, Any]) -> float:
    """The guidance scale that a studio has for such words.

    Raises:
        SDGError: it has none.
    """
    scale = OmegaConf.select(studio.request(**words).config(), "guidance.scale")
    if not isinstance(scale, int | float):
        raise SDGError("what is loaded here has no guidance.scale: load a method that is guided")
    return float(scale)


def as_python(loaded: tuple[str, ...], words: dict[str, Any]) -> str:
    """Lines of Python that draw the same."""
    given = ", ".join(map(repr, loaded))
    return "\n".join(
        [
            "import sdg",
            "",
            f"studio = sdg.load({given})",
            "pictures = studio.draw(",
            *(f"    {name}={value!r}," for name, value in words.items()),
            ")",
            "for number, picture in enumerate(pictures):",
            '    picture.save(f"{number:06d}.png")',
            "",
        ]
    )


def from_widgets(values: Sequence[Any], folder: Folder) -> Wish:
    """What the widgets say, in the order of the fields; what was brushed becomes a file of the folder's.

    Raises:
        SDGError: a number is missing or out of range.
    """
    told = dict(zip((field.name for field in fields(Wish)), values, strict=True))
    layers = (told["mask"] or {}).get("layers") or []
    told["mask"] = folder.keep_mask(layers) if START in told["uses"] else None
    seed, pictures = told["seed"], told["pictures"]
    if seed is None or not 0 <= seed < 2**53:
        raise SDGError(f"seed={seed} is no seed: give a whole number from 0")
    if pictures not in (1, 2, 3, 4):
        raise SDGError(f"{pictures} pictures at a time are too many or too few: choose 1 to 4")
    return Wish(**{**told, "prompt": told["prompt"] or "", "uses": tuple(told["uses"]), "seed": int(seed)})


def _with(target: Any, weight: float) -> Any:
    return target if weight == 1 else (target, float(weight))


def _others(sentence: str, unknown: list[str]) -> bool:
    """Whether a sentence has words besides these."""
    rest = sentence.casefold()
    for word in sorted(unknown, key=len, reverse=True):
        rest = rest.replace(word.casefold(), " ")
    return any(letter.isalpha() for letter in rest)
