"""The table of what the judge reads right."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.pages import head, table
from experiments.photographs.examination import Finding
from sdg.files import write_whole


def write_table(found: Mapping[str, Sequence[Finding]], folder: Path, words: str, judge: str) -> Path:
    """Write ``judge.md``; returns its path."""
    rows = [
        [name, each.name, f"{each.value:.3f}", _ends(each), str(each.count)]
        for name, findings in found.items()
        for each in findings
    ]
    what = f"The judge: {judge}. 95 % intervals are over pictures, each taken as drawn alone."
    lines = [
        *head("What the judge reads right on real photographs", words, what),
        *table(["photographs", "what", "value", "95 %", "pictures"], rows, left=2),
    ]
    write_whole(folder / "judge.md", "\n".join(lines))
    return folder / "judge.md"


def _ends(finding: Finding) -> str:
    return "–" if finding.ends is None else f"{finding.ends[0]:.3f} … {finding.ends[1]:.3f}"
