"""How fast pictures are read: ``python -m experiments.scaling.loading`` writes ``loading.md``.

Pictures of 1024 px, made up, are read at 256 px as a training reads them: from a folder, a zip archive, an
LMDB and the prepared cache, by the process itself and by workers.
"""

import argparse
import os
import platform
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import lmdb
import numpy as np
from PIL import Image

from experiments.command import add_report, command
from experiments.running import invocation, launch
from sdg.data.file_data import FileData
from sdg.files import write_whole

FOLDER = Path(__file__).parent
SIDE, SIZE, BATCH = 1024, 256, 8


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    machine = f"{os.cpu_count()} cores of a CPU ({platform.machine()})"
    lines = [
        "# Reading pictures",
        "",
        f"`{invocation('scaling.loading', arguments)}`, on {machine}: pictures of {SIDE} px a second, "
        f"at {SIZE} px; medians of {options.rounds}, without the start of the workers.",
        "",
        "| from | " + " | ".join(f"{workers} workers" for workers in options.workers) + " |",
        "|---|" + "---:|" * len(options.workers),
    ]
    with tempfile.TemporaryDirectory() as folder:
        places = make(Path(folder), options.pictures)
        for name, root in places.items():
            cache = Path(folder) / "caches" / name.replace(" ", "_")
            if name == "the prepared cache":
                data(root, cache, 0).write_cache()
            rates = [median(rate(root, cache, w) for _ in range(options.rounds)) for w in options.workers]
            lines.append(f"| {name} | " + " | ".join(f"{value:.0f}" for value in rates) + " |")
    write_whole(options.report / "loading.md", "\n".join([*lines, ""]))
    print(f"look at {options.report / 'loading.md'}")


def make(folder: Path, count: int) -> dict[str, Path]:
    """The same pictures, which compress as photographs do, in every kind of place."""
    random = np.random.default_rng(0)
    files = folder / "files"
    files.mkdir()
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).resize((SIDE, SIDE), 3)
        grain = random.normal(0, 4, (SIDE, SIDE, 3))
        pixels = (np.asarray(coarse) + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(files / f"{i:05d}.png", compress_level=3)
    names = sorted(files.iterdir())
    with zipfile.ZipFile(folder / "files.zip", "w") as archive:
        for path in names:
            archive.write(path, path.name)
    with lmdb.open(str(folder / "lmdb"), map_size=1 << 32) as database, database.begin(write=True) as entries:
        for path in names:
            entries.put(path.name.encode(), path.read_bytes())
    return {
        "a folder of PNG": files,
        "a zip of them": folder / "files.zip",
        "an LMDB of them": folder / "lmdb",
        "the prepared cache": files,
    }


def data(root: Path, cache: Path, workers: int) -> FileData:
    """All pictures but the first, as those to validate on, which need no trainer."""
    settings = {"size": SIZE, "batch_size": BATCH, "train_count": 1, "pin_memory": False}
    return FileData(str(root), workers=workers, cache=str(cache), **settings)


def rate(root: Path, cache: Path, workers: int) -> float:
    """Pictures a second, from the first batch on."""
    pictures = data(root, cache, workers)
    pictures.setup("fit")
    batches = iter(pictures.val_dataloader())
    next(batches)
    begun = time.perf_counter()
    count = sum(len(batch["image"]) for batch in batches)
    return count / (time.perf_counter() - begun)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("scaling.loading", __doc__)
    parser.add_argument("--pictures", type=int, default=129, help="of 1024 px")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="worker processes")
    parser.add_argument("--rounds", type=int, default=3, help="times that each is read")
    add_report(parser, FOLDER, "table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
