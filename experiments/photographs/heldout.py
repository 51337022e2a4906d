"""The photographs that no network was trained on: what samples are held against, and aim at."""

import argparse
from pathlib import Path

from torchvision.transforms.functional import to_pil_image

from experiments.photographs.measures import shares_of
from experiments.running import configuration
from sdg.config import build
from sdg.data.file_data import FileData
from sdg.errors import SDGError
from sdg.metrics.run import gather


def write_photographs(options: argparse.Namespace, use: str, count: int, output: Path) -> list[str]:
    """Write at most ``count`` pictures as training prepares them, into a folder of that use; returns paths.

    Args:
        options: of the command line: ``photographs``, and settings of ``train.py`` in ``train``.
        use: ``validate on``, for those that are held out, or ``train on``.

    Raises:
        SDGError: there are fewer than two.
    """
    words = ["+experiment=faces64_prior", "data=folder", f"data.root='{options.photographs}'"]
    # As conf/data/faces64.yaml has them, whatever table there is beside.
    words += ["data.size=64", "data.validation_share=0.04"]
    data: FileData = build(configuration("train", [*words, *options.train]).data)
    data.setup("validate")
    places = data.sets[use].places
    if len(places) < 2:
        raise SDGError(
            f"too few pictures of {options.photographs} to {use}: use --train data.validation_share=0.2"
        )
    folder = output / f"{use.replace(' ', '_')}_{count}"
    folder.mkdir(parents=True, exist_ok=True)
    chosen = places[:: max(1, len(places) // count)][:count]
    paths = [folder / f"{place:06d}.png" for place in chosen]
    for place, path in zip(chosen, paths, strict=True):
        if not path.is_file():
            part = path.with_suffix(".part")
            to_pil_image(data.squares[place]).save(part, "PNG")
            part.replace(path)
    return [str(path.absolute()) for path in paths]


def common(folder: Path, evaluate: list[str]) -> str:
    """A setting of ``evaluate.py``: how common each value is in a folder, as the judge reads it."""
    words = [f"samples='{folder}'", f"reference='{folder}'", *evaluate]
    shares = shares_of(gather(configuration("evaluate", words)))
    told = ", ".join(f"{name}: [{', '.join(f'{x:.5f}' for x in own)}]" for name, own in shares.items())
    return f"features.judge_answers.common={{{told}}}"
