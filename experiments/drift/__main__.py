"""What guidance by words moves besides what is asked for: ``python -m experiments.drift`` (see ``--help``).

Draws held-out prompts with each way of guiding, from the same noises, and measures what prompts mention, by
two instruments, and what they don't. Finished samples are kept, so the command can be interrupted and rerun.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.command import add_output, add_report, add_seed, add_settings, command
from experiments.drift.table import write_table
from experiments.drift.ways import WAYS, Way, ways
from experiments.running import configuration, draw, invocation, launch, machine
from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.metrics.run import evaluate

FOLDER = Path(__file__).parent
PROMPTS = FOLDER.parent / "text_alignment" / "prompts.jsonl"


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if options.samples < 2 or options.prompts < 1:
        raise SDGError(
            "drift is that of two samples of a prompt or more: use --samples 2 and --prompts 1, or more"
        )
    compared = ways(options)
    lines = PROMPTS.read_text(encoding="utf-8").splitlines(keepends=True)
    chosen = lines[:: max(1, len(lines) // options.prompts)][: options.prompts]
    options.output.mkdir(parents=True, exist_ok=True)
    prompts = options.output / "prompts.jsonl"
    write_whole(prompts, "".join(chosen))
    reports = {}
    for number, way in enumerate(compared, start=1):
        print(f"{number} of {len(compared)}: {way.name}", flush=True)
        reports[way.name] = measure(options, way, prompts)
    options.report.mkdir(parents=True, exist_ok=True)
    write_table(compared, reports, options.report, invocation("drift", arguments), machine())
    print(f"look at {options.report / 'results.md'}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    what = "Measure what guidance by words moves besides what is asked for. Resumable."
    parser = command("drift", what)
    add = parser.add_argument
    add("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="of guiding")
    add(
        "--encoders", nargs="*", type=Path, default=[], metavar="FOLDER",
        help="also by the clip.safetensors, time_clip.safetensors and time_clip.json in these folders",
    )  # fmt: skip
    add("--sampler", default="balanced", help="of all")
    add("--prompts", type=int, default=48, help="of the held-out prompts")
    add("--samples", type=int, default=4, help="samples of each")
    few = ["toyfaces", "fd_judge_guided"]
    add("--metrics", nargs="+", default=few, help="of each way; the distance needs 129 samples or more")
    add_seed(parser, 7)
    add_output(parser, "outputs/drift")
    add_report(parser, FOLDER, "table")
    add_settings(parser, "sample", "evaluate")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace, way: Way, prompts: Path) -> dict:
    """Draw one way and evaluate it."""
    folder = options.output / way.name.replace(", ", "_")
    drawn = [
        f"sampler={options.sampler}",
        f"prompts_file='{prompts}'",
        f"samples_per_prompt={options.samples}",
    ]
    drawn += [f"seed={options.seed}", "batch_size=32", *options.sample, *way.settings]
    draw(folder, drawn)
    judged = [f"samples='{folder}'", f"mentions='{prompts}'", f"metrics=[{','.join(options.metrics)}]"]
    return evaluate(configuration("evaluate", judged + options.evaluate)).whole().report


if __name__ == "__main__":
    launch(main)
