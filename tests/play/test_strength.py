"""The marks of the slider are where they were measured to be."""

import math
import re

from sdg.composition import ROOT, compose
from sdg.play.strength import HIGHEST, LOWEST, OVERDRIVEN, ticks
from sdg.studio import Studio


def test_a_push_overdrives_where_more_of_a_prompt_is_lost_than_at_the_usual_scale() -> None:
    page = (ROOT / "experiments" / "text_alignment" / "results.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| \d+ \| [^|]+ \| ([\d.]+) \(", page, re.MULTILINE)
    fulfilled = {float(scale): float(share) for scale, share in rows}
    usual = float(compose("sample", ["encoder=toyfaces"]).guidance.scale)
    first = min(s for s, share in fulfilled.items() if s > usual and share < fulfilled[usual])
    assert OVERDRIVEN["toyfaces"] == math.log2(first / usual)


def test_marks_stand_where_the_slider_has_them() -> None:
    studio = Studio("encoder=toyfaces", device="cpu")
    shown = ticks(studio, -1)
    places = re.findall(r'left: ([\d.]+)%">(\w+)', shown)
    expected = {"faint": LOWEST, "usual": 0, "overdriven": OVERDRIVEN["toyfaces"]}
    assert {word: LOWEST + float(at) * (HIGHEST - LOWEST) / 100 for at, word in places} == expected
    assert "0.5 times the usual scale: 200 for words" in shown
    assert "the usual scale: 400 for words" in ticks(studio)
    other = ticks(Studio("prior.checkpoint=other/mine.safetensors", device="cpu"))
    assert "overdriven" not in other
