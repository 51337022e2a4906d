"""The page in Markdown: the table, the verdicts, the settings of every row, and the protocols."""

import argparse
from collections.abc import Sequence

import torch

import sdg
from experiments.running import invocation, machine
from experiments.table1.claims import CLAIMS, Verdict
from experiments.table1.measuring import Pool, Result
from experiments.table1.rows import PAPER, Size
from experiments.table1.table import markdown, protocols, verdicts
from experiments.table1.worlds import World


def document(
    options: argparse.Namespace,
    size: Size,
    pool: Pool,
    world: World,
    results: Sequence[Result],
    found: Sequence[Verdict],
) -> list[str]:
    """The lines of the page."""
    settings = {f"- {r.row.title}: `{' '.join(r.row.settings)}`, {r.row.steps} steps" for r in results}
    return [
        f"# Table 1: {options.data}, {options.size}",
        "",
        f"`{invocation('table1', options.arguments)}`, on {machine()}, {options.jobs} runs at a time, with "
        f"sdg {sdg.__version__} and torch {torch.__version__}. {size.prompts} prompts and {size.references} "
        f"references, {size.samples} samples of each; {size.parts} seeds a row, the same for all rows, which "
        "have the same number of noises and of pictures.",
        "",
        *markdown(results, world),
        "",
        f"The paper's numbers are those of its table ({PAPER}), on other data and by protocols that it "
        "does not tell: only which row is ahead of which can be compared.",
        "",
        "## What the paper says, and what is found here",
        "",
        *verdicts(found),
        "",
        "The wording is ours, that of RQ1 to RQ3 too. Intervals are 95 % each; that of a difference pairs "
        "what shares a prompt, a reference or a noise. A verdict is given where the difference is too large "
        f"for chance, corrected for the number of the {len(CLAIMS)} claims (Holm): with a probability of 95 "
        "% none is in error.",
        "",
        "## Settings",
        "",
        *sorted(settings),
        "",
        "All other settings are the configured ones. Chains take the steps of ddpm unless a row says "
        "otherwise. How many steps a row takes is ours, chosen for the time it costs: more may serve "
        "it better.",
        "",
        "## Protocols",
        "",
        f"Prompts are looked for among {pool.texts}, references among {pool.references}. Attributes "
        "right: of those that the prompt mentions, or of the eight of the reference, as the judge "
        "reads them. The gap is top-1 by the guide minus top-1 by the encoder that did not guide. "
        "Seconds are those of the whole run, loading and writing included, by its images, while other "
        "runs were drawn beside it. The unguided row says what chance gives; the control has the "
        "pictures of SDG by words, each said to be of another prompt.",
        "",
        *(f"- **{name}**: {words}." for name, words in protocols(results).items()),
        "",
    ]
