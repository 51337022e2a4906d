"""What is drawn towards, and what is measured: a study for each control."""

import argparse
from collections.abc import Sequence

from experiments.grid import Columns, Study, Way
from experiments.references import write
from experiments.running import some
from experiments.text_alignment.prompts import HELD_OUT

_KEPT: Columns = {
    "kept/attributes": ("attributes kept", ".3f"),
    "kept/pose": ("distance in pose", ".3f"),
    "kept/rest": ("distance in the rest", ".3f"),
}
COLUMNS: dict[str, Columns] = {
    "text": {
        "alignment/mentioned": ("mentioned right", ".3f"),
        "alignment/all": ("all right", ".3f"),
    },
    "content": _KEPT,
    "structure": _KEPT,
    "style": {
        "painted/palette": ("palette distance", ".3f"),
        "painted/texture": ("texture distance", ".3f"),
    },
}
"""Control -> its measures."""


def metric(name: str, made: str) -> str:
    """A setting of ``evaluate.py``: one of the metrics of :mod:`experiments.references`."""
    return f"+metrics.{name}={{_target_: experiments.references.{made}}}"


def studies(options: argparse.Namespace) -> dict[str, Study]:
    """Control -> its study, towards prompts, faces outside all training data, or painted styles."""
    faces, styles = write(options.output, options.sample, options.targets)
    kept, painted = ["metrics=[]", metric("kept", "Kept")], ["metrics=[]", metric("painted", "Painted")]
    prompts = some(HELD_OUT, options.targets)
    return {
        "text": Study(options, ["metrics=[alignment]"], aims={"prompts": prompts}),
        "content": Study(options, kept, aims={"references": faces}),
        "structure": Study(options, kept, aims={"references": faces}),
        "style": Study(options, painted, aims={"references": styles}),
    }


def blend(options: argparse.Namespace) -> Study:
    """Of the first six prompts with the first four faces, two samples of each pair."""
    faces, _ = write(options.output, options.sample, options.targets)
    aims: dict[str, Sequence[str]] = {"prompts": some(HELD_OUT, options.targets)[:6], "references": faces[:4]}
    return Study(options, ["metrics=[]", metric("disputed", "Disputed")], aims=aims, samples=2)


def way(options: argparse.Namespace, control: str, sampler: str, steps: int) -> Way:
    """One control under one sampler."""
    scale = options.scales.get(f"{control}/{sampler}") or options.scales.get(control)
    words = [f"guidance={control}", f"sampler={sampler}", f"sampler.steps={steps}"]
    words += [f"guidance.scale={scale}"] if scale else []
    return Way(f"{control}_{sampler}_{steps}", words, (sampler, str(steps)))


def mixed(share: float) -> Way:
    """Words with this share of the weight, and a picture with the rest."""
    weights = f"guidance.terms.text.weight={share}", f"guidance.terms.content.weight={1 - share}"
    return Way(f"blend_{share:g}", ["guidance=mix", *weights, "sampler.steps=50"], (f"{share:g}",))
