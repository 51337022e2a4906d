"""The method on photographs of faces: ``python -m experiments.photographs`` (see ``--help``).

judge      holds the outside judge against photographs whose labels are known, before it judges any other
train      trains what the others draw with, one after the other, as far as the minutes reach; resumable
strengths  looks for the strength of every way to guide, on targets that no result is measured on
quick      draws and measures every way on a few targets, in minutes
full       the same on all prompts and more photographs

Finished samples are kept, so every command can be interrupted and given again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, add_seed, add_settings, command, whole
from experiments.front.arms import ARMS
from experiments.photographs.examination import Finding, examine
from experiments.photographs.labelled import read_labelled
from experiments.photographs.measuring import judging, measure_all, with_networks
from experiments.photographs.strengths import find_strengths
from experiments.photographs.studies import SIZES
from experiments.photographs.table import write_table
from experiments.photographs.training import add_training, train_all
from experiments.photographs.ways import FRONT, controls
from experiments.running import configuration, invocation, launch
from sdg.errors import SDGError
from sdg.metrics.run import judge_source
from sdg.networks.face_judge import FaceJudge

FOLDER = Path(__file__).parent


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    options.command = invocation("photographs", arguments)
    parts = {"judge": _judge, "train": train_all, "strengths": _strengths}
    print(f"look at {parts.get(options.part, measure_all)(options)}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("photographs", __doc__, laid_out=True)
    parts = parser.add_subparsers(dest="part", required=True, metavar="{judge,train,strengths,quick,full}")
    judge = parts.add_parser("judge")
    _add_judge(judge)
    judge.add_argument(
        "--data", nargs="+", type=_data, required=True, metavar="NAME=PATH",
        help="sets of labelled photographs: a file of conf/data and its data.root, as in faces64=faces64.zip",
    )  # fmt: skip
    words = "pictures of each, evenly spaced in the order of names"
    judge.add_argument("--count", type=int, default=400, help=words)
    add_report(judge, FOLDER, "table")
    add_training(parts.add_parser("train"), FOLDER)
    for name in SIZES:
        _add_drawing(parts.add_parser(name), name)
    return parser.parse_args(arguments)


def _add_judge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder", help="the unpacked npm package @vladmandic/face-api, as judge.folder=PATH"
    )


def _add_drawing(parser: argparse.ArgumentParser, name: str) -> None:
    add = parser.add_argument
    _add_judge(parser)
    add(
        "--photographs",
        required=True,
        metavar="PATH",
        help="those that the prior was trained on, as data.root",
    )
    arms = [name for name, arm in ARMS.items() if arm.chains == 1 and not arm.like]
    add(
        "--arms",
        nargs="*",
        choices=arms,
        default=[*FRONT],
        help="of experiments.front, beside the paper's own",
    )
    if name != "strengths":
        add("--only", nargs="+", metavar="WAY", help="only these ways, by their names in strengths.json")
        words = "find noised pictures of these, too: data.root of +experiment=faces64_clip"
        add("--seen", metavar="PATH", help=words)
        for size, number in SIZES[name]._asdict().items():
            add(f"--{size}", type=whole(f"--{size}", 2), default=number, help=f"default {number}")
    add_seed(parser, 0 if name != "strengths" else 10**5)
    add_output(parser, f"outputs/photographs/{name}")
    add_report(parser, FOLDER, "results")
    add_settings(parser, "sample", "evaluate", "train")


def _judge(options: argparse.Namespace) -> Path:
    if options.count < 2:
        raise SDGError("one picture says nothing of an accuracy: use --count 2, or more")
    source = judge_source(configuration("evaluate", judging(options)))
    judge = source.load()
    assert isinstance(judge, FaceJudge)
    found: dict[str, list[Finding]] = {}
    for name, root in options.data:
        print(f"{name}: at most {options.count} pictures of {root}", flush=True)
        data = configuration("train", [f"data={name}", f"data.root='{root}'"]).data
        found[name] = examine(judge, read_labelled(data, options.count))
    options.report.mkdir(parents=True, exist_ok=True)
    told = f"{source.name}, weights {source.digest()[:12]}"
    return write_table(found, options.report, options.command, told)


def _strengths(options: argparse.Namespace) -> Path:
    return find_strengths(with_networks(options), controls(options.arms))


def _data(text: str) -> tuple[str, str]:
    name, _, root = text.partition("=")
    if not name or not root:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=PATH, such as faces64=faces64.zip")
    return name, root


if __name__ == "__main__":
    launch(main)
