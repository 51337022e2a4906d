import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from sdg.errors import SDGError
from sdg.metrics.evidence import Evidence
from sdg.metrics.pictures import open_samples
from sdg.metrics.retrieve import AdversarialGap, ReferenceRetrieval, TextRetrieval, alike
from tests.metrics.examples import Known, Thumbnail, record, viewed, write_run

# As mean colours (red, green, blue) and as the words that fit them.
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (51, 51, 51)}
WORDS = {name: torch.tensor(colour) / 255 for name, colour in COLOURS.items()}


def plain(*names: str) -> Tensor:
    colours = torch.tensor([COLOURS[name] for name in names], dtype=torch.uint8)
    return colours[:, :, None, None].expand(-1, 3, 4, 4).clone()


def drawn(
    tmp_path: Path, obedience: dict[str, list[str]], words: dict[str, Tensor] | None = None
) -> Evidence:
    """For each prompt the colours that were drawn."""
    records = [record(prompt, i) for prompt, colours in obedience.items() for i in range(len(colours))]
    records = [record(None, 0), *records]
    pixels = plain("grey", *(colour for colours in obedience.values() for colour in colours))
    return viewed(Known(records, pixels), tmp_path, eye=Thumbnail(1, words or WORDS))


OBEDIENCE = {
    "red": ["red", "red", "green"],
    "green": ["green", "blue", "red"],
    "blue": ["blue", "blue", "blue"],
}


def test_counts_the_samples_whose_prompt_is_among_the_first(tmp_path: Path) -> None:
    metric = TextRetrieval("eye", least=3)
    (top,) = metric(drawn(tmp_path, OBEDIENCE))
    assert (top.name, top.value, top.count) == ("top_1", pytest.approx(6 / 9), 9)
    assert top.beside == ("chance", pytest.approx(1 / 3))
    assert top.interval is not None
    assert 0 < top.interval[0] < 1 / 3  # three prompts and three noises are few
    assert 0.9 < top.interval[1] < 1
    assert top.over == "3 prompts × 3 noises"


# Four more, of length 1 as red, green and blue are.
OTHERS = {"pink": (0.8, 0.0, 0.6), "gold": (0.8, 0.6, 0.0), "teal": (0.0, 0.6, 0.8), "sky": (0.0, 0.8, 0.6)}
MORE = {name: torch.tensor(colour) for name, colour in OTHERS.items()}


def pool_file(tmp_path: Path, *names: str) -> Path:
    file = tmp_path / f"{len(names)}.txt"
    file.write_text("\n".join(names) + "\n")
    return file


def test_chance_finds_k_of_the_pool_and_no_k_reaches_all_of_it(tmp_path: Path) -> None:
    words, one = WORDS | MORE, {"red": ["red", "green"]}
    seven = pool_file(tmp_path, "green", "blue", *MORE)
    tops = TextRetrieval("eye", pool=seven, least=1)(drawn(tmp_path, one, words))
    assert [(top.name, top.beside) for top in tops] == [
        ("top_1", ("chance", pytest.approx(1 / 7))),
        ("top_5", ("chance", pytest.approx(5 / 7))),
    ]
    # The green sample fits four others better than red, and pink and blue as badly.
    assert [top.value for top in tops] == [0.5, 0.5]
    five = pool_file(tmp_path, "green", "blue", "pink", "gold")
    assert [top.name for top in TextRetrieval("eye", pool=five, least=1)(drawn(tmp_path, one, words))] == [
        "top_1"
    ]


def test_shuffled_prompts_lose(tmp_path: Path) -> None:
    shuffled = dict(zip(["green", "blue", "red"], OBEDIENCE.values(), strict=True))
    right, wrong = (
        TextRetrieval("eye", least=3)(drawn(tmp_path, each))[0].value for each in (OBEDIENCE, shuffled)
    )
    assert wrong < 1 / 3 < right


def test_ties_count_against_the_sample_and_synonyms_are_one(tmp_path: Path) -> None:
    grey = {"red": ["grey"], "green": ["grey"], "blue": ["grey"]}
    assert TextRetrieval("eye", least=3)(drawn(tmp_path, grey))[0].value == 0
    words = WORDS | {"scarlet": WORDS["red"]}
    samples = {"red": ["red"], "scarlet": ["red"], "blue": ["blue"]}
    (top,) = TextRetrieval("eye", least=2)(drawn(tmp_path, samples, words))
    assert top.value == 1
    assert top.beside == ("chance", 1 / 2)


def test_the_pool_can_be_larger_than_the_run(tmp_path: Path) -> None:
    file = tmp_path / "pool.jsonl"
    file.write_text("".join(json.dumps({"prompt": name}) + "\n" for name in COLOURS))
    one = {"red": ["red", "green"]}
    (top,) = TextRetrieval("eye", pool=file, least=4)(drawn(tmp_path, one))
    assert (top.value, top.beside) == (0.5, ("chance", 1 / 4))
    (tmp_path / "pool.txt").write_text("# all of them\ngreen\n\nblue\n")
    (top,) = TextRetrieval("eye", pool=tmp_path / "pool.txt", least=3)(drawn(tmp_path, one))
    assert top.beside == ("chance", 1 / 3)
    with pytest.raises(SDGError, match="pool of 5 different texts, here are 3"):
        TextRetrieval("eye", pool=tmp_path / "pool.txt", least=5)(drawn(tmp_path, one))
    (tmp_path / "bad.jsonl").write_text("red\n")
    for name, wrong in (("bad.jsonl", "line 1 of .* is not like"), ("nowhere.txt", "no prompts file")):
        with pytest.raises(SDGError, match=wrong):
            TextRetrieval("eye", pool=tmp_path / name, least=1)(drawn(tmp_path, one))


def test_the_gap_is_what_the_guide_alone_believes(tmp_path: Path) -> None:
    """The guide was deceived: it finds every prompt where the other encoder finds none."""
    samples = {"red": ["green"], "green": ["blue"], "blue": ["red"]}
    found = drawn(tmp_path, samples)
    found.features.built["guide"] = Thumbnail(1, {name: WORDS[got] for name, (got,) in samples.items()})
    (gap,) = AdversarialGap("guide", "eye", least=3)(found)
    assert (gap.name, gap.value, gap.beside, gap.count) == ("top_1", 1, ("by the guide", 1), 3)
    (none,) = AdversarialGap("eye", "eye", least=3)(found)
    assert (none.value, none.interval) == (0, None)


def test_the_gap_is_taken_in_the_larger_pool(tmp_path: Path) -> None:
    """A pool of seven has a top_5, and refuses to be taken for eight; the run's prompts alone are one."""
    words = WORDS | MORE
    found = drawn(tmp_path, {"red": ["red", "green"]}, words)
    found.features.built["guide"] = Thumbnail(1, words | {"red": torch.full((3,), 2.0)})
    seven = pool_file(tmp_path, "green", "blue", *MORE)
    gaps = AdversarialGap("guide", "eye", pool=seven, least=7)(found)
    assert [(gap.name, gap.value, gap.beside) for gap in gaps] == [
        ("top_1", 0.5, ("by the guide", 1)),
        ("top_5", 0.5, ("by the guide", 1)),
    ]
    with pytest.raises(SDGError, match="pool of 8 different texts, here are 7"):
        AdversarialGap("guide", "eye", pool=seven, least=8)(found)


@pytest.mark.parametrize("metric", [TextRetrieval("eye"), ReferenceRetrieval("eye")])
def test_needs_guided_samples_of_a_run(metric: TextRetrieval, tmp_path: Path) -> None:
    with pytest.raises(SDGError, match=r"memory has no manifest.jsonl"):
        metric(viewed(Known(pixels=plain("red")), tmp_path, eye=Thumbnail(1, WORDS)))
    with pytest.raises(SDGError, match="no guided samples"):
        metric(viewed(Known([record(None, 0)], plain("red")), tmp_path, eye=Thumbnail(1, WORDS)))


def test_a_reference_is_found_by_the_look_of_its_copy(tmp_path: Path) -> None:
    samples = [(record(None, 0), plain("grey")[0])]
    for name, colours in OBEDIENCE.items():
        for i, colour in enumerate(colours):
            more = {"reference": f"/elsewhere/{name}.png", "reference_file": f"references/{name}.png"}
            samples.append((record(None, i, scale=1.0) | more, plain(colour)[0]))
    run = write_run(tmp_path / "run", samples)
    (run / "references").mkdir()
    for name in OBEDIENCE:
        Image.new("RGB", (4, 4), COLOURS[name]).save(run / "references" / f"{name}.png")
    found = viewed(open_samples(run), tmp_path, eye=Thumbnail(1))
    (top,) = ReferenceRetrieval("eye", least=3)(found)
    assert (top.value, top.count) == (pytest.approx(6 / 9), 9)
    with pytest.raises(SDGError, match="pool of 4 different references, here are 3"):
        ReferenceRetrieval("eye", least=4)(found)
    with pytest.raises(SDGError, match="have no prompt to find"):
        TextRetrieval("eye")(found)
    with pytest.raises(SDGError, match="have no reference to find"):
        ReferenceRetrieval("eye")(drawn(tmp_path, OBEDIENCE))


def test_texts_that_either_encoder_confuses_are_one() -> None:
    """The first cannot tell a from b, the second b from c; so a, b and c are one, though neither says so."""
    one, other = torch.tensor([0, 0, 1, 2]), torch.tensor([3, 1, 1, 0])
    assert alike([one, other]).tolist() == [0, 0, 0, 1]
    assert alike([one]).tolist() == [0, 0, 1, 2]
    chain = torch.tensor([0, 1, 1, 2, 2]), torch.tensor([0, 0, 1, 1, 2])
    assert alike(chain).tolist() == [0] * 5


def test_what_is_found_in_a_pool_does_not_depend_on_a_reference_set() -> None:
    """So no evaluation reads one for it, and its protocol names none."""
    assert not any(kind.compares for kind in (TextRetrieval, ReferenceRetrieval, AdversarialGap))
