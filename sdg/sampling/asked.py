"""What a run is asked for, read and checked before anything heavy is imported."""

from collections.abc import Mapping
from typing import Any

from sdg.checkpoints.folders import locate_own
from sdg.data.prompts import read_prompts
from sdg.diffusion.steps import Steps
from sdg.errors import SDGError

PROMPTS, REFERENCES = "prompts='[\"a smiling face\"]'", "references=[face.png]"
"""How each kind of target is given."""


MADE = (
    "sdg.sampling.plan.SamplePlan",
    "sdg.sampling.chains.GuidedSampling",
    "sdg.sampling.method.Method",
    "sdg.sampling.networks.Compute",
)
"""What is made from settings at the top level, and refuses them as their other constructors do."""


def check_numbers(settings: Mapping[str, Any]) -> None:
    """Refuse numbers that draw nothing.

    Args:
        settings: of ``sample.py``.

    Raises:
        SDGError: a batch without samples, or no number of steps.
    """
    if settings["batch_size"] < 1:
        raise SDGError(f"batch_size={settings['batch_size']} draws nothing: use 1 or more")
    if "sampler" in (settings.get("method") or {}):
        Steps.read(settings["sampler"]["steps"])


def check_aims(settings: Mapping[str, Any]) -> None:
    """Refuse what can be refused without networks.

    Args:
        settings: of ``sample.py``.

    Raises:
        SDGError: the file of prompts cannot be read, or there is neither a prompt nor a reference, and a term
            of the guidance waits for one.
    """
    if settings.get("prompts_file") is not None:
        read_prompts(settings["prompts_file"])
    elif not settings.get("prompts") and not settings.get("references"):
        guided = "guidance" in (settings.get("method") or {})
        terms = (settings.get("guidance") or {}).get("terms") or {}
        for name, term in terms.items() if guided else ():
            if term.get("target") is None:
                example = PROMPTS if name == "text" else REFERENCES
                raise SDGError(
                    f"nothing says what the term {name} should aim at: give {example}, or leave it out with "
                    f"~guidance.terms.{name}"
                )


def check_weights(settings: Mapping[str, Any]) -> None:
    """Refuse a prior or a generator whose weights are not there, unless they are to be fetched.

    Args:
        settings: of ``sample.py``.

    Raises:
        SDGError: there is no such file.
    """
    method = settings.get("method") or {}
    for name in ("prior", "generator"):
        if name in method and not method[name].get("download"):
            locate_own(method[name], f"{name}.checkpoint")
