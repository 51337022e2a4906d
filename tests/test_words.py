"""What is written as a setting is read as it was meant, by Hydra itself."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sdg.errors import SDGError
from sdg.words import in_full, is_setting, written

TEXTS = [
    *("", "a", "a b", "a, b", "it's", 'say "hi"', "back\\slash", "end\\", '\\"', 'a\\\\"b', "null", "True"),
    *("1", "1e5", "nan", "[a]", "{a: b}", "a=b", "a: b", "ünï", "a | b:-0.5", "#x", " lead ", "tab\tx"),
    *("new\nline", "/a/b-c.png", "~/x", "100%", "(a)", "a;b", "@x", "!x"),
]


def read(text: str) -> object:
    return OverridesParser.create().parse_override(f"key={text}").value()


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back(text: str) -> None:
    assert read(written(text)) == text
    assert read(written([text, text])) == [text, text]


def test_an_interpolation_is_no_interpolation() -> None:
    """OmegaConf undoes the backslash where the value is read."""
    from omegaconf import OmegaConf

    config = OmegaConf.create({"prompt": read(written("costs ${oc.env:HOME} and ${x}"))})
    assert config.prompt == "costs ${oc.env:HOME} and ${x}"


@pytest.mark.parametrize("value", [None, True, False, 3, -2.5, 1e-7, [1, "a b"], {"a": [None, "x, y"]}])
def test_values_come_back(value: object) -> None:
    again = read(written(value))
    assert again == value
    assert type(again) is type(value)


def test_what_has_no_words_is_refused() -> None:
    with pytest.raises(SDGError, match="is no setting"):
        written(object())


@pytest.mark.parametrize("word", ["a=b", "+experiment=x", "~guidance.terms.text", "a/b@d.e=f", "++x={a: b}"])
def test_settings(word: str) -> None:
    assert is_setting(word)


@pytest.mark.parametrize("word", ["a smiling face", "a face where 1 + 1 = 2", "smiling", "a | b:-0.5", ""])
def test_sentences(word: str) -> None:
    assert not is_setting(word)


def test_short_names() -> None:
    assert in_full("scale=3") == "guidance.scale=3"
    assert in_full("n=2") == "samples_per_prompt=2"
    assert in_full("guidance=mix") == "guidance=mix"
