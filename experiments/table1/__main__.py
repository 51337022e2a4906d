"""The paper's table: ``python -m experiments.table1 quick|full`` (see ``--help``).

Draws the paper's four rows and ours towards the same prompts and references, measures them, and checks the
paper's claims against the results. Finished samples are kept, so the command can be interrupted and rerun at
any time.
"""

import argparse
import os
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import torch

from experiments.baselines.contenders import STEPS, at_hand, read_settings, words
from experiments.command import add_report, add_settings, command
from experiments.running import launch
from experiments.table1.rows import SIZES, UNGUIDED, Size, rows
from experiments.table1.study import Study
from experiments.table1.worlds import DATA, measurable
from sdg.errors import SDGError
from sdg.progress import Bar

FOLDER = Path(__file__).parent
SWEPT = FOLDER.parent / "baselines" / "settings.json"
MEASURING = 0.02
"""Approximate seconds per picture."""
_BAR = "{desc} {percentage:3.0f}%|{bar}| {postfix} [{elapsed}<{remaining}]"
_NAMES = list(rows(SIZES["full"], "toyfaces"))


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    size, every = options.counts, rows(options.counts, options.data, _searched(options))
    wanted = {UNGUIDED, *options.rows, *(every[name].beside for name in options.rows)}
    chosen = {name: row for name, row in every.items() if name in wanted}
    names = at_hand(list(dict.fromkeys(row.contender for row in chosen.values())), options.sample)
    chosen = {name: row for name, row in chosen.items() if row.contender in names}
    if UNGUIDED not in chosen:
        raise SDGError("the table needs its unguided row: give the prior's weights")
    study = Study(options, size, chosen, DATA[options.data])
    evaluation = study.evaluation
    pictures = size.samples * min(len(study.prompts), len(study.references))
    metrics = measurable(study.world, evaluation, pictures, options.against)
    jobs = study.jobs()
    planned = sum(job.pictures * job.seconds for job in jobs)
    total = sum(job.pictures for job in jobs)
    shown = f"{len(chosen)} rows, {total} pictures"
    print(f"{shown}, about {planned / 60 / options.jobs:.0f} minutes at {options.jobs} at a time", flush=True)
    measured = MEASURING * size.samples * len(study.prompts)
    with Bar(total=planned + measured * study.lines, desc="table 1", bar_format=_BAR) as bar:
        study.draw(jobs, options.jobs, bar)
        with study.log.open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
            results = study.measure(metrics, lambda: bar.update(measured))
    print(f"look at {study.show(results)}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("table1", __doc__, laid_out=True)
    add = parser.add_argument
    add("size", choices=list(SIZES), help="quick: 24 targets, 6 samples each; full: 100 and 10")
    add("settings", nargs="*", metavar="KEY=VALUE", help=f"data={'|'.join(DATA)}, and settings of sample.py")
    add_settings(parser, "evaluate")
    add("--rows", nargs="+", choices=_NAMES, default=_NAMES, help="only these")
    for field in Size._fields:
        add(f"--{field.replace('_', '-')}", type=int, help=f"in place of the size's own {field}")
    add("--prompts-file", type=Path, help="all of them are the pool; toyfaces and ffhq have one of their own")
    add("--references-folder", type=Path, help="pictures to aim at, where data is not toyfaces")
    add(
        "--against",
        help="what samples are held against, where data is not toyfaces: a folder, prepared as adm's",
    )
    add("--jobs", type=int, default=_jobs(), help="runs at a time (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the first part of every row")
    add("--swept", type=Path, default=SWEPT, help="what python -m experiments.baselines sweep found")
    add("--output", type=Path, help="folder of the samples and of index.html")
    add_report(parser, FOLDER, "table")
    options = parser.parse_intermixed_args(arguments)
    options.arguments = arguments
    given = dict(word.partition("=")[::2] for word in options.settings)
    options.data = given.pop("data", "toyfaces")
    if options.data not in DATA:
        raise SDGError(f"data={options.data} is unknown: use {', '.join(DATA)}")
    own = [word for word in options.settings if not word.startswith("data=")]
    options.sample = [*DATA[options.data].settings, *own]
    changed = {field: value for field in Size._fields if (value := getattr(options, field)) is not None}
    options.counts = SIZES[options.size]._replace(**changed)
    if min(options.counts) < 1 or options.counts.samples < 2 or options.jobs < 1:
        raise SDGError("there is nothing to compare: use --samples 2 or more, and 1 or more of all else")
    if options.data == "toyfaces":
        # Not the faces that samples are aimed at, which are the first.
        first = options.counts.references
        options.against = f"toyfaces:{first}-{first + options.counts.renders}"
    elif options.references_folder is None:
        raise SDGError(f"data={options.data} has no pictures to aim at: give --references-folder")
    options.prompts_file = options.prompts_file or DATA[options.data].prompts
    if options.prompts_file is None:
        raise SDGError(f"data={options.data} has no prompts of its own: give --prompts-file")
    options.output = options.output or Path("outputs/table1") / f"{options.data}_{options.size}"
    return options


def _searched(options: argparse.Namespace) -> list[str]:
    """The sweep's best settings for StyleGAN+CLIP, if possible at the size's steps; steps are left out."""
    if options.data != "toyfaces":
        return []
    found = read_settings(options.swept)
    best = found.get(f"stylegan_clip_{options.counts.search_steps}", found.get("stylegan_clip", {}))
    return words({key: value for key, value in best.items() if key != STEPS})


def _jobs() -> int:
    """A run for each core, at most 8, or one on the GPU."""
    return 1 if torch.cuda.is_available() else min(8, os.cpu_count() or 1)


if __name__ == "__main__":
    launch(main)
