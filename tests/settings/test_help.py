"""The page of help: for people, of one command, and at once."""

import re

import pytest

from sdg.composition import CONF
from sdg.settings.help import MATTER, page


@pytest.mark.parametrize("command", list(MATTER))
def test_the_page_says_what_there_is(command: str) -> None:
    text = page(command, [CONF])
    for name in MATTER[command]:
        assert re.search(rf"^  {re.escape(name)}(=\S+)?  +\S", text, re.MULTILINE), name
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("command", ["sample", "train", "evaluate"])
def test_three_commands_have_five_examples_and_ten_settings(command: str) -> None:
    text = page(command, [CONF])
    assert len(re.findall(rf"^  python {command}\.py .", text, re.MULTILINE)) == 5
    assert len(MATTER[command]) == 10


def test_the_values_are_those_of_the_files() -> None:
    text = page("sample", [CONF])
    assert "  guidance.scale        as suits the encoder: 200 for toyfaces_suited, else 400;" in text
    assert "  sampler: balanced, ddim, [ddpm], dpmpp_2m," in text


def test_a_command_offers_its_own_experiments() -> None:
    assert "ffhq_clip  " in page("train", [CONF])
    assert "ffhq_clip  " not in page("sample", [CONF])
    assert "  demo  " in page("sample", [CONF])
    assert "  demo  " not in page("train", [CONF])
    assert "Experiments" not in page("evaluate", [CONF])
    assert "sweep: guidance_scale, sampler_steps" in page("sweep", [CONF])
