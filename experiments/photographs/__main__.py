"""The method on photographs of faces: ``python -m experiments.photographs judge`` (see ``--help``).

``judge`` holds the outside judge against real photographs whose labels are known, before it judges any other.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_report, command
from experiments.photographs.examination import Finding, examine
from experiments.photographs.labelled import read_labelled
from experiments.photographs.table import write_table
from experiments.running import configuration, invocation, launch
from sdg.errors import SDGError
from sdg.metrics.run import judge_source
from sdg.networks.face_judge import FaceJudge

FOLDER = Path(__file__).parent


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if options.count < 2:
        raise SDGError("one picture says nothing of an accuracy: use --count 2, or more")
    folder = [] if options.folder is None else [f"judge.folder='{options.folder}'"]
    source = judge_source(configuration("evaluate", ["judge=faceapi", *folder]))
    judge = source.load()
    assert isinstance(judge, FaceJudge)
    found: dict[str, list[Finding]] = {}
    for name, root in options.data:
        print(f"{name}: at most {options.count} pictures of {root}", flush=True)
        data = configuration("train", [f"data={name}", f"data.root='{root}'"]).data
        found[name] = examine(judge, read_labelled(data, options.count))
    options.report.mkdir(parents=True, exist_ok=True)
    words = invocation("photographs", arguments)
    write_table(found, options.report, words, f"{source.name}, weights {source.digest()[:12]}")
    print(f"look at {options.report / 'judge.md'}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("photographs", "The method on photographs of faces.")
    judge = parser.add_subparsers(required=True).add_parser("judge", help="hold the judge against labels")
    add = judge.add_argument
    add("--folder", help="the unpacked npm package @vladmandic/face-api, as judge.folder=PATH")
    add(
        "--data", nargs="+", type=_data, required=True, metavar="NAME=PATH",
        help="sets of labelled photographs: a file of conf/data and its data.root, as in faces64=faces64.zip",
    )  # fmt: skip
    add("--count", type=int, default=400, help="pictures of each, evenly spaced in the order of names")
    add_report(judge, FOLDER, "table")
    return parser.parse_args(arguments)


def _data(text: str) -> tuple[str, str]:
    name, _, root = text.partition("=")
    if not name or not root:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=PATH, such as faces64=faces64.zip")
    return name, root


if __name__ == "__main__":
    launch(main)
