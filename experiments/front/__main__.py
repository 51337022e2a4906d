"""Every way to guide the same prior, at equal cost: ``python -m experiments.front`` (see ``--help``).

sweep    tries three doses of each arm on prompts that no result is measured on; keeps the best in doses.json
quick    measures all arms at two budgets on a few held-out prompts, in minutes
full     measures them at five budgets on 48 held-out prompts, 8 pictures of each, in a night
mixture  draws pixels whose tilted distribution is known, and shows how far each estimator is from it

A budget counts forwards of the prior for one picture; passes of the guide and gradients through the prior are
priced in them. Two kinds of arms are never mixed: those that plain CLIP guides, and those that the
time-dependent encoder guides. Finished samples are kept, so the command can be interrupted and rerun.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, add_seed, add_settings, add_sizes, command
from experiments.front import mixture
from experiments.front.arms import ARMS, STEPS, Way
from experiments.front.best import choose
from experiments.front.figure import draw_front, draw_pictures
from experiments.front.table import write_results, write_sweep
from experiments.grid import Point, Study
from experiments.matched import DISTANCE, TORN
from experiments.running import invocation, launch
from experiments.text_alignment.prompts import TUNING
from sdg.errors import SDGError
from sdg.files import write_whole

FOLDER = Path(__file__).parent
DOSES = FOLDER / "doses.json"
METRICS = ["metrics=[alignment,drift,spread]", "metrics.spread.renders=256", DISTANCE, TORN]
"""Of nuisances, 256 renders tell which the judge reads well."""


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    studies = {"mixture": mixture.study, "sweep": _sweep}
    print(f"look at {studies.get(options.study, _measure)(options)}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("front", __doc__, laid_out=True)
    studies = parser.add_subparsers(dest="study", required=True, metavar="{sweep,quick,full,mixture}")
    sizes = {"sweep": (12, 2, 1), "quick": (6, 2, 0), "full": (48, 8, 0)}
    for name, (prompts, samples, seed) in sizes.items():
        one = studies.add_parser(name)
        one.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), help="which ones")
        if name == "sweep":
            words = f"of all; doses are told as of {STEPS}"
            one.add_argument("--steps", type=int, default=STEPS, help=words)
        else:
            budgets = [20, 40] if name == "quick" else [20, 40, 80, 160, 320]
            words = "forwards of the prior a picture"
            one.add_argument("--budgets", nargs="+", type=float, default=budgets, help=words)
        add_sizes(one, prompts, samples, seed)
        add_output(one, f"outputs/front/{name}")
        add_report(one, FOLDER, "results")
        add_settings(one, "sample", "evaluate")
    one = studies.add_parser("mixture")
    one.add_argument("--images", type=int, default=500, help="of 16 pixels, for each estimator")
    add_seed(one, 0)
    add_report(one, FOLDER, "results")
    options = parser.parse_args(arguments)
    options.command = invocation("front", arguments)
    return options


def _sweep(options: argparse.Namespace) -> Path:
    """Try all doses, and keep the best of each arm."""
    swept = [name for name in options.arms if ARMS[name].like is None]
    study = Study(options, METRICS, TUNING)
    points = study.all([Way(name, options.steps, dose) for name in swept for dose in ARMS[name].doses])
    best = {name: choose([p for p in points if p.way.arm == name]) for name in swept}
    options.report.mkdir(parents=True, exist_ok=True)
    path = options.report / DOSES.name
    found = _doses(path) | {name: point.way.dose for name, point in best.items()}
    write_whole(path, json.dumps(found, indent=2, sort_keys=True) + "\n")
    draw_pictures(list(best.values()), study.prompts[:4], options.report / "sweep.png")
    return write_sweep(points, best, options.report, options.command)


def _measure(options: argparse.Namespace) -> Path:
    """Measure all arms at every budget that pays for three steps of them."""
    doses, study, points = _doses(DOSES), Study(options, METRICS), dict[float, list[Point[Way]]]()
    for budget in options.budgets:
        ways = []
        for name in options.arms:
            source = ARMS[name].like or name
            dose = doses.get(source, ARMS[source].doses[1])  # the middle one, if no sweep has chosen
            if steps := ARMS[name].steps(budget):
                ways.append(Way(name, steps, dose))
        if ways:
            print(f"{budget:g} forwards", flush=True)
            points[budget] = study.all(ways)
    if not points:
        raise SDGError("no arm has three steps at these budgets: use --budgets 20 or more")
    draw_front(points, options.report)
    draw_pictures(points[max(points)], study.prompts[:4], options.report / "pictures.png")
    return write_results(points, options.report, options.command)


def _doses(path: Path) -> dict[str, float]:
    """Arm -> its dose at 20 steps; nothing if there is no such file."""
    if not path.is_file():
        return {}
    try:
        return {name: float(dose) for name, dose in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise SDGError(f"{path} does not hold doses of arms: write it anew with sweep") from error


if __name__ == "__main__":
    launch(main)
