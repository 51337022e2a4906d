"""What a source tells of an argument is what its constructor raises."""

from typing import Any

import pytest

from sdg.errors import SDGError
from sdg.sampling.asked import MADE, check_numbers
from sdg.settings.guards import refuse
from tests.settings.test_signatures import imported

NAN = float("nan")
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("sdg.diffusion.ddim.DDIM", {"eta": 1.5}),
    ("sdg.diffusion.ddpm.DDPM", {"variance": "huge", "gradient_at": "x_t"}),
    ("sdg.diffusion.spacing.Karras", {"rho": 0}),
    ("sdg.diffusion.recurrence.Recurrence", {"turns": 0}),
    ("sdg.diffusion.recurrence.Recurrence", {"turns": 2, "start": 0.5, "stop": 0.25}),
    ("sdg.guidance.guidance.Guidance", {"encoder": None, "terms": {"text": 1}, "scale": NAN}),
    ("sdg.guidance.guidance.Guidance", {"encoder": None, "terms": {"text": 1}, "scale": "100"}),
    ("sdg.guidance.guidance.Guidance", {"encoder": None, "terms": {"text": 1}, "scale": 1.0, "every": 0}),
    ("sdg.sampling.networks.Compute", {"dtype": "float8"}),
]


@pytest.mark.parametrize("target, arguments", REFUSED)
def test_the_line_is_the_constructors_own(target: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(SDGError) as told:
        refuse(target, arguments)
    constructor: Any = imported(target)
    with pytest.raises(SDGError) as raised:
        constructor(**arguments)
    assert str(told.value) == str(raised.value)


@pytest.mark.parametrize(
    "target, arguments",
    [
        ("sdg.diffusion.ddim.DDIM", {"eta": 1.0}),
        ("sdg.diffusion.ddim.DDIM", {"eta": "${eta}"}),  # not known yet
        ("sdg.diffusion.ddim.DDIM", {"eta": "one"}),  # of another kind: the annotation tells
        ("sdg.diffusion.recurrence.Recurrence", {"stop": 0.25}),  # start is not known
        ("sdg.guidance.guidance.Guidance", {"terms": {}}),  # objects tell nothing
        ("no.such.module", {"eta": 2}),
        ("datetime.timedelta", {"days": NAN}),
    ],
)
def test_what_is_not_told_is_left_to_the_constructor(target: str, arguments: dict[str, Any]) -> None:
    refuse(target, arguments)


@pytest.mark.parametrize(
    "setting, value",
    [("samples_per_prompt", 0), ("group", 0), ("snapshots", -1), ("dtype", "float8")],
)
def test_settings_at_the_top_are_refused_by_what_they_make(setting: str, value: object) -> None:
    told = []
    for target in MADE:
        try:
            refuse(target, {setting: value})
        except SDGError as error:
            told.append(str(error))
    assert len(told) == 1
    assert told[0].startswith(f"{setting}={value} ")


def test_numbers_that_draw_nothing_are_refused_by_name() -> None:
    check_numbers({"batch_size": 8})
    with pytest.raises(SDGError, match="batch_size=0 draws nothing"):
        check_numbers({"batch_size": 0})


def test_steps_are_read_where_a_sampler_is() -> None:
    sampler = {"steps": "ddim0"}
    check_numbers({"batch_size": 8, "sampler": sampler, "method": {"search": {}}})
    with pytest.raises(SDGError, match=r"sampler\.steps=ddim0 is not a number of steps"):
        check_numbers({"batch_size": 8, "sampler": sampler, "method": {"sampler": sampler}})
