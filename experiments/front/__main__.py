"""Every way to guide the same prior, at equal cost: ``python -m experiments.front`` (see ``--help``).

sweep    tries five doses of each arm on prompts that no result is measured on; keeps the best in doses.json
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

from experiments.command import add_output, add_report, add_seed, add_settings, command
from experiments.front import mixture
from experiments.front.arms import ARMS, STEPS
from experiments.front.figure import draw_front, draw_pictures
from experiments.front.points import HELD_OUT, TUNING, Bench, Point, choose
from experiments.front.table import write_results, write_sweep
from experiments.running import invocation, launch, machine
from sdg.errors import SDGError
from sdg.files import write_whole

FOLDER = Path(__file__).parent
DOSES = FOLDER / "doses.json"


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if options.study == "mixture":
        print(f"look at {mixture.study(options)}")
        return
    if options.samples < 2:
        raise SDGError("drift and spread are those of two pictures of a prompt: use --samples 2 or more")
    print(f"look at {(_sweep if options.study == 'sweep' else _measure)(options)}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("front", __doc__, laid_out=True)
    studies = parser.add_subparsers(dest="study", required=True, metavar="{sweep,quick,full,mixture}")
    sizes = {"sweep": (12, 2, 1), "quick": (6, 2, 0), "full": (48, 8, 0)}
    for name, (prompts, samples, seed) in sizes.items():
        one = studies.add_parser(name)
        add = one.add_argument
        add("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), help="which ones")
        add("--prompts", type=int, default=prompts, help="how many")
        add("--samples", type=int, default=samples, help="pictures of each")
        if name != "sweep":
            budgets = [20, 40] if name == "quick" else [20, 40, 80, 160, 320]
            add("--budgets", nargs="+", type=float, default=budgets, help="forwards of the prior a picture")
        add_seed(one, seed)
        add_output(one, f"outputs/front/{name}")
        add_report(one, FOLDER, "results")
        add_settings(one, "sample", "evaluate")
    one = studies.add_parser("mixture")
    one.add_argument("--images", type=int, default=500, help="of 16 pixels, for each estimator")
    add_seed(one, 0)
    add_report(one, FOLDER, "results")
    options = parser.parse_args(arguments)
    options.arguments = arguments
    return options


def _sweep(options: argparse.Namespace) -> Path:
    """Try all doses, and keep the best of each arm."""
    bench, points = Bench(options, TUNING, options.prompts), list[Point]()
    swept = [name for name in options.arms if ARMS[name].like is None]
    for name in swept:
        for dose in ARMS[name].doses:
            print(f"{name}, dose {dose:g}", flush=True)
            points.append(bench(name, ARMS[name], STEPS, dose))
    best = {name: choose([p for p in points if p.name == name]) for name in swept}
    options.report.mkdir(parents=True, exist_ok=True)
    path = options.report / DOSES.name
    found = _doses(path) | {name: point.dose for name, point in best.items()}
    write_whole(path, json.dumps(found, indent=2, sort_keys=True) + "\n")
    head = f"`{invocation('front', options.arguments)}`, on {machine()}."
    return write_sweep(points, best, options.report, head)


def _measure(options: argparse.Namespace) -> Path:
    """Measure all arms at every budget that pays for three steps of them."""
    plan = [
        (b, name, steps) for b in options.budgets for name in options.arms if (steps := ARMS[name].steps(b))
    ]
    if not plan:
        raise SDGError("no arm has three steps at these budgets: use --budgets 20 or more")
    doses = _doses(DOSES)
    for name in options.arms:
        source = ARMS[name].like or name
        doses[name] = doses.get(source, ARMS[source].doses[2])  # the middle one, if no sweep has chosen
    bench, points = Bench(options, HELD_OUT, options.prompts), dict[float, list[Point]]()
    for number, (budget, name, steps) in enumerate(plan, 1):
        print(f"{number} of {len(plan)}: budget {budget:g}, {name}, {steps} steps", flush=True)
        points.setdefault(budget, []).append(bench(name, ARMS[name], steps, doses[name]))
    options.report.mkdir(parents=True, exist_ok=True)
    draw_front(points, options.report)
    draw_pictures(points[max(points)], bench.prompts[:4], options.report)
    head = (
        f"`{invocation('front', options.arguments)}`, on {machine()}. {len(bench.prompts)} held-out prompts, "
        f"{options.samples} pictures of each."
    )
    return write_results(points, options.report, head)


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
