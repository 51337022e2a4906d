"""Every way to guide the same prior, at equal cost: ``python -m experiments.front`` (see ``--help``).

sweep    gives every arm the same ladder of relative doses at each budget, on prompts that no result is
         measured on; keeps the best in doses.json
settle   gives the estimators in conf/estimator the strengths that these doses ask for in 100 steps
quick    measures all arms at two budgets on a few held-out prompts, in minutes
full     measures them at five budgets on 48 held-out prompts, 8 pictures of each
mixture  draws pixels whose tilted distribution is known, and shows how far each estimator is from it

A budget counts forwards of the prior for one picture; passes of the guide and gradients through the prior are
priced in them. Two kinds of arms are never mixed: those that plain CLIP guides, and those that the
time-dependent encoder guides. Finished samples are kept, so the command can be interrupted and rerun.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, add_seed, add_settings, add_study, command
from experiments.front import mixture
from experiments.front.arms import ARMS, FORWARD, RUNGS, SAMPLER, Way
from experiments.front.best import choose
from experiments.front.doses import DOSES, Doses
from experiments.front.figure import draw_front
from experiments.front.settle import settle
from experiments.front.strength import Strengths
from experiments.front.table import write_results, write_sweep
from experiments.grid import Point, Study
from experiments.matched import DISTANCE, TORN
from experiments.pictures import side_by_side
from experiments.running import invocation, launch
from experiments.text_alignment.prompts import HELD_OUT, TUNING
from sdg.errors import SDGError

FOLDER = Path(__file__).parent
METRICS = ["metrics=[alignment,drift,spread]", "metrics.spread.renders=256", DISTANCE, TORN]
"""Of nuisances, 256 renders tell which the judge reads well."""
SIZES = {"sweep": (6, 2, 1), "quick": (4, 2, 0), "full": (48, 8, 0)}


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if options.study in SIZES:
        options.sample = [SAMPLER, *options.sample]
    studies = {"mixture": mixture.study, "sweep": _sweep, "settle": settle}
    print(f"look at {studies.get(options.study, _measure)(options)}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("front", __doc__, laid_out=True)
    studies = parser.add_subparsers(dest="study", required=True, metavar="{sweep,settle,quick,full,mixture}")
    for name, (prompts, samples, seed) in SIZES.items():
        one = studies.add_parser(name)
        one.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), help="which ones")
        budgets = [20, 40] if name == "quick" else [20, 40, 80, 160, 320]
        words = "forwards of the prior a picture"
        one.add_argument("--budgets", nargs="+", type=float, default=budgets, help=words)
        words = "draw half as many prompts whenever the budget doubles, four at least"
        one.add_argument("--fewer", action="store_true", help=words)
        add_study(one, "front", arguments, name, prompts=prompts, samples=samples, seed=seed)
    one = studies.add_parser("settle")
    add_seed(one, 1)
    add_output(one, "outputs/front/settle")
    add_settings(one, "sample")
    one = studies.add_parser("mixture")
    one.add_argument("--images", type=int, default=500, help="of 16 pixels, for each estimator")
    add_seed(one, 0)
    add_report(one, FOLDER, "results")
    one.set_defaults(command=invocation("front", arguments))
    return parser.parse_args(arguments)


def _sweep(options: argparse.Namespace) -> Path:
    """Give all arms the same ladder at every budget, and keep the best rung of each."""
    doses, strengths, points = (
        Doses(options.report / DOSES.name),
        Strengths(options),
        dict[float, list[Point[Way]]](),
    )
    for budget, study in _studies(options, TUNING).items():
        arms = {name: n for name in options.arms if not ARMS[name].like and (n := ARMS[name].steps(budget))}
        ways = [strengths(name, n, rung) for name, n in arms.items() for rung in RUNGS]
        points[budget] = _drawn(study, budget, ways)
        best = {name: choose([p for p in points[budget] if p.way.arm == name]) for name in arms}
        doses.keep(budget, {name: point.way for name, point in best.items()})
        picture = options.report / f"sweep_{budget:g}.png"
        side_by_side([*best.values()], [*best], study.aims["prompts"][:4], picture)
    return write_sweep(points, doses, options.report, options.command)


def _measure(options: argparse.Namespace) -> Path:
    """Measure all arms at every budget that pays for three steps of them."""
    doses, strengths, points = Doses(DOSES), Strengths(options), dict[float, list[Point[Way]]]()
    for budget, study in _studies(options, HELD_OUT).items():
        arms = {name: n for name in options.arms if (n := ARMS[name].steps(budget))}
        ways = [_way(name, n, budget, doses, strengths) for name, n in arms.items()]
        points[budget] = _drawn(study, budget, ways)
    draw_front(points, options.report)
    most = points[max(points)]
    prompts = study.aims["prompts"][:4]
    side_by_side(most, [point.way.arm for point in most], prompts, options.report / "pictures.png")
    return write_results(points, options.report, options.command)


def _way(name: str, steps: int, budget: float, doses: Doses, strengths: Strengths) -> Way:
    """An arm at the dose that was chosen; one that takes another's takes its very strength: in the three
    steps that are left to four chains, a median over steps is no measure of how far pushes lead."""
    swept = ARMS[name].like or name
    found = strengths(swept, ARMS[swept].steps(budget), doses(budget, swept))
    return Way(name, steps, found.dose, found.strength)


def _studies(options: argparse.Namespace, pool: Path) -> dict[float, Study]:
    """Budget -> how much is drawn with it; raises SDGError if none pays for three steps of any arm."""
    paid = [b for b in sorted(set(options.budgets)) if any(ARMS[name].steps(b) for name in options.arms)]
    if not paid:
        raise SDGError("no arm has three steps at these budgets: use --budgets 20 or more")
    fewer = {b: max(min(4, options.prompts), round(options.prompts * paid[0] / b)) for b in paid}
    sizes = fewer if options.fewer else dict.fromkeys(paid, options.prompts)
    return {budget: Study(options, METRICS, pool, prompts=count) for budget, count in sizes.items()}


def _drawn(study: Study, budget: float, ways: Sequence[Way]) -> list[Point[Way]]:
    """Draw and measure, telling first what that is expected to take."""
    pictures = len(study.aims["prompts"]) * study.samples
    minutes = sum(way.cost for way in ways) * pictures * FORWARD / 60
    print(
        f"{budget:g} forwards: {len(ways)} ways, {pictures} pictures of each, {minutes:.0f} minutes of a core"
    )
    return study.all(ways)


if __name__ == "__main__":
    launch(main)
