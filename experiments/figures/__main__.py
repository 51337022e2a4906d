"""Figures like the paper's: ``python -m experiments.figures`` (see ``--help``).

controls   words, content, structure, style, and words with a picture, each beside the same noise unguided
content    references, one of them not a face, and six samples of each
structure  the three faces among them: where things are, against what they show
style      the same noise, unguided and painted in five styles
mix        words and a picture combined
weights    the same noise at growing guidance scales
gallery    draws nothing: one page with all existing figures of experiments/

Finished samples are kept, so the command can be interrupted and rerun at any time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from experiments.command import add_output, add_report, add_seed, add_settings, command
from experiments.figures.gallery import write_gallery
from experiments.figures.house import draw_house
from experiments.running import draw, launch, named
from sdg.data.toyfaces.references import write_references
from sdg.data.toyfaces.styles import STYLES
from sdg.metrics.folder import read_manifest
from sdg.report.grid import draw_grid, open_picture

FOLDER, GALLERY = Path(__file__).parent, "gallery"
FACES = ("face_000", "face_003", "face_005", "house")
SCALES = (0, 50, 100, 200, 400, 800)
AS_TYPED = "encoder=toyfaces_suited"
"""What ``sample.py`` takes by itself; the other figures are of the paper's own encoder, as all tables."""
PROMPTS = (
    "a smiling face with red hair",
    "a person with glasses and a hat",
    "a bearded person with blond hair",
)


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    chosen = [name for name in (options.figures or FIGURES) if name != GALLERY]
    if chosen:
        draw_figures(options, chosen)
        print(f"look at {options.report}")
    if GALLERY in options.figures:
        print(f"look at {write_gallery(options.output / 'index.html', FOLDER.parent)}")


def draw_figures(options: argparse.Namespace, names: Sequence[str]) -> None:
    """Draw the figures of these names, resuming any earlier run."""
    references = options.output / "references"
    write_references(references, 8)
    draw_house(references / "house.png")
    options.report.mkdir(parents=True, exist_ok=True)
    for name in names:
        print(name, flush=True)
        # A palette reduces the file size to a third.
        figure = FIGURES[name](options, references).quantize(192, dither=Image.Dither.NONE)
        figure.save(options.report / f"{name}.png", optimize=True)


def controls(options: argparse.Namespace, references: Path) -> Image.Image:
    """A row for each way to steer: what is aimed at, then pairs of the same noise, unguided and guided."""
    face, paint, (words, other, _) = references / "face_003.png", references / "style_night.png", PROMPTS
    ways: list[tuple[str, str, Path | None, str | None]] = [
        (words, "text", None, words),
        ("what a picture shows", "content", face, None),
        ("where things are in it", "structure", face, None),
        ("how it is painted", "style", paint, None),
        (f"{other}, and what the picture shows", "mix", face, other),
    ]
    rows = []
    for label, guidance, picture, prompt in ways:
        aims = [named("prompts", [prompt])] if prompt else []
        aims += [named("references", [picture])] if picture else []
        folder = _draw(
            options, f"controls_{guidance}", [AS_TYPED, f"guidance={guidance}", *aims, "sampler=balanced"], 3
        )
        shown = [open_picture(folder / record["file"]) for record in read_manifest(folder)]
        pairs = [image for pair in zip(shown[:3], shown[3:], strict=True) for image in pair]
        lead = open_picture(picture) if picture else Image.new("RGB", pairs[0].size, "white")
        rows.append((label, [lead, *pairs]))
    return draw_grid(rows, ["aim", *["unguided", "guided"] * 3], lead=1, group=2)


def content(options: argparse.Namespace, references: Path) -> Image.Image:
    """A row for each reference, with its samples."""
    rows = _by_reference(options, "content", "content", [references / f"{name}.png" for name in FACES], 6)
    return draw_grid([("", row) for row in rows], ["reference", *[""] * 6], lead=1, group=6, label=0)


def structure(options: argparse.Namespace, references: Path) -> Image.Image:
    """Reference, samples that keep where things are, samples that keep what they show."""
    faces = [references / f"{name}.png" for name in FACES[:3]]
    kept = _by_reference(options, "structure", "structure", faces, 4)
    shown = _by_reference(options, "content", "content_4", faces, 4)
    columns = ["reference", "structure", "", "", "", "content", "", "", ""]
    rows = [("", [*own, *other[1:]]) for own, other in zip(kept, shown, strict=True)]
    return draw_grid(rows, columns, lead=1, group=4, label=0)


def style(options: argparse.Namespace, references: Path) -> Image.Image:
    """The same noise unguided, and painted in every style."""
    paths = [references / f"style_{name}.png" for name in STYLES]
    folder = _draw(options, "style", ["guidance=style", named("references", paths)], 6)
    records = read_manifest(folder)
    before = [open_picture(folder / r["file"]) for r in records if r["scale"] == 0]
    rows = [("", [Image.new("RGB", before[0].size, "white"), *before])]
    for path in paths:
        own = [open_picture(folder / r["file"]) for r in records if r["reference"] == str(path)]
        rows.append(("", [open_picture(path), *own]))
    return draw_grid(rows, ["style", *[""] * 6], lead=1, group=6, label=0)


def mix(options: argparse.Namespace, references: Path) -> Image.Image:
    """Words and a picture: a row for each sentence and reference."""
    paths = [references / f"{name}.png" for name in FACES[:2]]
    settings = ["guidance=mix", named("references", paths), named("prompts", PROMPTS)]
    folder = _draw(options, "mix", settings, 4)
    records = read_manifest(folder)
    rows = []
    for path in paths:
        for prompt in PROMPTS:
            own = [r["file"] for r in records if (r["reference"], r["prompt"]) == (str(path), prompt)]
            rows.append((prompt, [open_picture(path), *(open_picture(folder / name) for name in own)]))
    return draw_grid(rows, ["reference", "", "", "", ""], lead=1, group=4)


def weights(options: argparse.Namespace, references: Path) -> Image.Image:
    """A row for each sentence: one noise under growing guidance."""
    rows: list[tuple[str, list]] = [(prompt, []) for prompt in PROMPTS]
    for scale in SCALES:
        settings = [f"guidance.scale={scale}", named("prompts", PROMPTS), "unguided=false"]
        folder = _draw(options, f"weights_{scale}", settings, 1)
        for row, record in zip(rows, read_manifest(folder), strict=True):
            row[1].append(open_picture(folder / record["file"]))
    return draw_grid(rows, [f"scale {scale}" for scale in SCALES], group=len(SCALES))


FIGURES = {figure.__name__: figure for figure in (controls, content, structure, style, mix, weights)}


def _by_reference(
    options: argparse.Namespace, guidance: str, name: str, paths: Sequence[Path], samples: int
) -> list[list[Image.Image]]:
    """A row for each reference: itself, and the samples it guided."""
    settings = [f"guidance={guidance}", named("references", paths), "unguided=false"]
    folder = _draw(options, name, settings, samples)
    records = read_manifest(folder)
    return [
        [open_picture(path)]
        + [open_picture(folder / r["file"]) for r in records if r["reference"] == str(path)]
        for path in paths
    ]


def _draw(options: argparse.Namespace, name: str, settings: Sequence[str], samples: int) -> Path:
    given = [*settings, f"samples_per_prompt={samples}", f"seed={options.seed}", "trace=false"]
    return draw(options.output / name, [*given, *options.sample])


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("figures", __doc__, laid_out=True)
    parser.add_argument(
        "figures",
        nargs="*",
        type=_known,
        metavar="{" + ",".join([*FIGURES, GALLERY]) + "}",
        help="which ones (default: all but the gallery)",
    )
    add_seed(parser, 3)
    add_output(parser, "outputs/figures")
    add_report(parser, FOLDER, "figures")
    add_settings(parser, "sample")
    return parser.parse_args(arguments)


def _known(name: str) -> str:
    """In place of argparse's ``choices``, which reject an empty list."""
    if name not in (*FIGURES, GALLERY):
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join([*FIGURES, GALLERY])}")
    return name


if __name__ == "__main__":
    launch(main)
