"""The slider of the scale, in powers of two of the usual one."""

from sdg.pages import template
from sdg.studio import Studio

LOWEST, HIGHEST = -4, 3
"""The slider's ends."""
OVERDRIVEN = {"toyfaces": 1}
"""By the prior's folder, from where on a stronger push brings no more of a prompt about: on toy faces twice
the usual scale (experiments/text_alignment/results.md: 0.88 of all prompts at 400, 0.83 at 800; with
encoder=toyfaces_detail 0.93 at 200, 0.85 at 400, by experiments.drift on 24 prompts by 4)."""


def ticks(studio: Studio, push: float = 0.0) -> str:
    """What stands below the slider: its faint end, the usual scale, and where it overdrives."""
    config = studio.base.config()
    usual, where = float(config.guidance.scale), str(config.prior.checkpoint).split("/")
    marks = {LOWEST: "faint", 0: "usual"}
    marks |= {at: "overdriven →" for name, at in OVERDRIVEN.items() if name in where}
    placed = [(100 * (at - LOWEST) / (HIGHEST - LOWEST), text) for at, text in marks.items()]
    times = f"{2**push:.3g} times the usual scale" if push else "the usual scale"
    said = f"{times}: {usual * 2**push:.3g} for words"
    return template("sdg.play", "ticks.html").render(ticks=placed, said=said)
