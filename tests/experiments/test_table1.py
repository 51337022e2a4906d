"""The paper's table: its prompts, its arithmetic, and the command on tiny networks and on rendered faces."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiments.differences import difference, holm, scaled
from experiments.running import configuration
from experiments.table1 import __main__ as table1
from experiments.table1 import jobs as drawing
from experiments.table1 import prompts as written
from experiments.table1.__main__ import FOLDER
from experiments.table1.claims import CHANCE, FAILS, HOLDS, UNKNOWN, Claim, Verdict, judge
from experiments.table1.measuring import Pool, settings
from experiments.table1.rows import BY_PICTURE, SHUFFLED, SIZES, rows
from experiments.table1.table import Column, text, verdicts
from experiments.table1.worlds import DATA
from experiments.text_alignment.prompts import files
from sdg.composition import ROOT
from sdg.config import build
from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.metrics.intervals import Error, mean_spread
from sdg.metrics.measure import Measure, measured
from sdg.metrics.mentions import Mentions
from sdg.metrics.units import Units
from tests.experiments.test_baselines import judging, tiny  # noqa: F401
from tests.metrics.examples import face, pixels, record, write_run
from tests.tiny import pixels as drawn

SHOWN = ("", "fd_judge_reference ↓", "diversity_judge ↑", "top-1 ↑", "attributes right ↑", "adversarial gap")
SHOWN += ("paper: FID", "paper: LPIPS", "paper: top-1")
SMALL = ["--prompts", "4", "--references", "10", "--samples", "5", "--parts", "2", "--renders", "40"]


def test_the_file_of_prompts_is_what_its_command_writes_and_all_mention_something_else() -> None:
    entries = written.lines()
    assert [json.loads(line) for line in written.POOL.read_text().splitlines()] == entries
    assert len(Mentions(written.POOL)([e["prompt"] for e in entries]).unique(dim=0)) == len(entries) == 100
    swept = {json.loads(line)["prompt"] for line in files()["sweep.jsonl"].splitlines()}
    assert not swept & {entry["prompt"] for entry in entries}


def test_the_sizes_take_the_time_they_are_said_to() -> None:
    for name, minutes in (("quick", 10), ("full", 105)):
        size = SIZES[name]
        cost = sum(row.steps * row.seconds for row in rows(size, "toyfaces").values())
        # Two cores slow each other by a tenth; a run, one for each row and part, takes two seconds to start;
        # the rest takes a minute, or a twelfth of the time.
        starts = 2 * size.parts * len(rows(size, "toyfaces"))
        drawn = (cost * size.samples * size.prompts * 1.1 + starts) / 2 / 60
        assert drawn + max(0.9, minutes / 12) < minutes
    full = SIZES["full"]
    assert (full.prompts, full.references, full.samples) == (100, 100, 10)
    assert SIZES["quick"].samples * SIZES["quick"].prompts > 128 + SIZES["quick"].samples


def numbers(value: float, error: float | None = None, seed: int = 0) -> Measure:
    """The mean of ten values with this standard error; rows of one seed share how they vary."""
    if error is None:
        return Measure("", value, 10)
    x = torch.randn(10, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    values = (x - x.mean()) / x.std() * error * 10**0.5 + value
    return measured("", value, 10, mean_spread(Units({"prompt": range(10)}), values))


def test_a_difference_pairs_what_was_drawn_together() -> None:
    paired = difference(numbers(5, 2), numbers(1, 1))
    assert paired.value == 4
    assert Error.of(*paired.spreads).size == pytest.approx(1)
    other = numbers(1, 1, seed=1)
    pictures = mean_spread(Units.alone(10), torch.arange(10))
    apart = difference(numbers(5, 2), replace(other, spreads=(pictures,)))
    assert len(apart.spreads) == 2
    assert difference(numbers(5), numbers(1, 1)).interval is None
    whole = numbers(4, 2)
    half = scaled(whole, 0.5)
    assert whole.interval is not None
    assert half.interval == pytest.approx((whole.interval[0] / 2, whole.interval[1] / 2))
    assert half.value == 2
    assert Error.of(*half.spreads).size == pytest.approx(1)


def test_holm_is_as_its_paper_has_it() -> None:
    """Sorted, each against 5 % by the number of those left; after the first that fails, none."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert holm([0.04]) == [True]
    assert holm([0.0167, 0.024, 0.2]) == [False, False, False]
    assert holm([0.0166, 0.024, 0.05]) == [True, True, True]


@pytest.mark.parametrize(
    "column, first, second, word",
    [
        ("top_1", numbers(0.8, 0.02), numbers(0.3, 0.02, 1), HOLDS),
        ("top_1", numbers(0.3, 0.02), numbers(0.8, 0.02, 1), FAILS),
        ("top_1", numbers(0.5, 0.05), numbers(0.45, 0.05, 1), UNKNOWN),
        ("distance", numbers(3, 0.5), numbers(9, 0.5, 1), HOLDS),
        ("distance", numbers(9, 0.5), numbers(3, 0.5, 1), FAILS),
        ("distance", numbers(9), numbers(3, 0.5), UNKNOWN),
        ("distance", None, numbers(3, 0.5), UNKNOWN),
    ],
)
def test_a_claim_holds_where_chance_leaves_no_doubt(
    column: str, first: Measure | None, second: Measure, word: str
) -> None:
    claim = Claim("one is better", column, "one", "other")
    (found,) = judge([(claim, 0.01)], {"one": {column: first}, "other": {column: second}})
    assert found.word == word
    assert f"**{word}**" in verdicts([found])[0]


def test_many_claims_need_more_than_one_does() -> None:
    """A difference of 2.6 standard errors convinces alone, and not among twenty that show nothing."""
    values = {"one": {"top_1": numbers(0.5, 0.05)}, "other": {"top_1": numbers(0.37, 1e-9)}}
    values["like"] = {"top_1": numbers(0.5, 0.05, 1)}
    claim, doubt = Claim("", "top_1", "one", "other"), Claim("", "top_1", "one", "like")
    assert judge([(claim, 0.01)], values)[0].word == HOLDS
    assert judge([(claim, 0.01)] + [(doubt, 0.01)] * 19, values)[0].word == UNKNOWN


def test_claims_against_chance_a_share_and_a_row_that_is_not_there() -> None:
    values = {"one": {"top_1": numbers(0.6, 0.03)}, "other": {"top_1": numbers(0.75, 0.02, 1)}}

    def word(than: str, share: float = 1.0, first: float = 0.01) -> str:
        return judge([(Claim("", "top_1", "one", than, share), first)], values)[0].word

    assert word("other") == FAILS
    assert word("other", 0.5) == HOLDS
    assert word(CHANCE) == HOLDS
    assert word(CHANCE, first=0.55) == UNKNOWN
    (absent,) = judge([(Claim("", "top_1", "one", "third"), 0.01)], values)
    assert absent == Verdict(absent.claim, UNKNOWN, "there is no row third")


def test_numbers_are_shown_with_their_intervals() -> None:
    column = Column("top_1", "top-1", 3)
    assert text(column, Measure("", 0.5, 10, (0.25, 0.75))) == "0.500 (0.250 … 0.750)"
    assert text(column, numbers(0.5)) == "0.500"
    assert text(column, None) == "–"


def folders(tmp_path: Path) -> list[str]:
    return ["--output", str(tmp_path / "output"), "--report", str(tmp_path / "report"), "--jobs", "1"]


def read_table(tmp_path: Path) -> dict[str, dict[str, float]]:
    """Row -> measure -> value."""
    found: dict[str, dict[str, float]] = {}
    for line in csv.DictReader((tmp_path / "report" / "toyfaces_quick.csv").read_text().splitlines()):
        found.setdefault(line["row"], {})[line["measure"]] = float(line["value"])
    return found


def manifest_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_the_smallest_table_is_drawn_and_written_in_every_form(
    tiny: list[str],  # noqa: F811
    judging: list[str],  # noqa: F811
    tmp_path: Path,
) -> None:
    sizes = ["--prompts", "2", "--references", "2", "--samples", "9", "--parts", "1", "--renders", "20"]
    chosen = ["--rows", "sdg_text", "--steps", "1", "--swept", "none"]
    evaluating = [word for word in judging if not word.startswith("encoder.")]
    table1.main(["quick", *tiny, *sizes, *chosen, *folders(tmp_path), "--evaluate", *evaluating])
    table = read_table(tmp_path)
    assert list(table) == ["sdg_text", "unguided", SHUFFLED]
    assert table[SHUFFLED]["fd_judge_reference"] == pytest.approx(table["sdg_text"]["fd_judge_reference"])
    assert "| SDG, text |" in (tmp_path / "report" / "toyfaces_quick.md").read_text()
    assert (tmp_path / "report" / "toyfaces_quick.tex").read_text().count(r"\\" + "\n") == 1 + 3 + 1
    page = (tmp_path / "output" / "index.html").read_text()
    assert page.count('<figure class="shelf">') == 2 * 3
    assert (tmp_path / "output" / "sdg_text" / "grid.png").is_file()


@pytest.mark.slow
def test_the_table_is_drawn_once_and_written_in_every_form(
    tiny: list[str],  # noqa: F811
    judging: list[str],  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = [*tiny, "generator.checkpoint=nowhere.safetensors"]
    given = ["quick", *own, *SMALL, "--steps", "2", "--swept", "none", *folders(tmp_path)]
    evaluating = ["--evaluate", *(word for word in judging if not word.startswith("encoder."))]
    table1.main([*given, *evaluating])
    said = capsys.readouterr().out
    assert "stylegan_clip is left out: there is no checkpoint at nowhere.safetensors" in said
    table = read_table(tmp_path)
    names = ["ilvr", "sdg_text", "sdg_image", "sdg_text_20", "sdg_mix_20", BY_PICTURE]
    names += ["unguided", SHUFFLED]
    assert list(table) == names
    always = {"fd_judge_reference", "top-1", "attributes right"}
    assert all(always <= values.keys() for values in table.values())
    assert {name for name in names if "diversity_judge" not in table[name]} == {"sdg_mix_20", BY_PICTURE}
    assert "top-20" in table["sdg_text"]
    assert "adversarial gap" in table["sdg_image"]
    assert "adversarial gap" not in table["ilvr"]
    # The same pictures: only their targets are recorded differently.
    same = ("fd_judge_reference", "diversity_judge")
    assert [table[SHUFFLED][k] for k in same] == pytest.approx([table["sdg_text"][k] for k in same])

    report, output = tmp_path / "report", tmp_path / "output"
    page = (report / "toyfaces_quick.md").read_text()
    assert "FID |" in next(line for line in page.splitlines() if line.startswith("| "))
    assert "fd_judge_reference" in page
    assert "| SDG, image |" in page
    assert "14.37" in page
    assert "there is no row stylegan_clip" in page
    latex = (report / "toyfaces_quick.tex").read_text()
    assert latex.count(r"\\" + "\n") == 1 + len(names) + 3
    assert r"fd\_judge\_reference $\downarrow$" in latex
    html = (output / "index.html").read_text()
    for name in names:
        assert f'<a href="{name}/index.html">' in html
        assert (output / name / "index.html").is_file()
        assert (output / name / "grid.png").is_file()
        assert json.loads((output / name / "metrics.json").read_text())["protocols"]
    assert html.count('<figure class="shelf">') == 4 * 5 + 10 * 3
    pairs = manifest_of(output / "sdg_mix_20")
    # Each of two parts has two prompts, five references and one sample of both.
    assert len({(r["prompt"], r["reference"]) for r in pairs if r["scale"]}) == 2 * 2 * 5
    for line in html.split('src="')[1:]:
        assert (output / line.partition('"')[0]).is_file()
    # Each part has its own noises, the same as those of the unguided samples beside it.
    records = manifest_of(output / "sdg_text")
    assert [r["seed"] for r in records if r["prompt"] is not None] == [0] * 10 + [1] * 10
    assert {(r["seed"], r["index"]) for r in records if r["prompt"] is None} == {
        (seed, index) for seed in range(2) for index in range(5)
    }

    pictures = sorted((output / "parts").rglob("samples/*.png"))
    before = {path: path.stat().st_mtime_ns for path in pictures}
    pictures[3].unlink()
    table1.main([*given, *evaluating])
    after = {path: path.stat().st_mtime_ns for path in pictures}
    assert [path for path in pictures if before[path] != after[path]] == [pictures[3]]
    again = read_table(tmp_path)
    slow = "seconds per image"
    assert {n: v | {slow: 0} for n, v in again.items()} == {n: v | {slow: 0} for n, v in table.items()}


def test_the_readme_shows_the_measured_table() -> None:
    """Without intervals, and without the columns that are left to the page."""
    page = (FOLDER / "toyfaces_full.md").read_text("utf-8").splitlines()
    table = [line.strip("|").split("|") for line in page if line.startswith("|")]
    head = [cell.strip() for cell in table[0]]
    shown = [head.index(title) for title in SHOWN]
    readme = (ROOT / "README.md").read_text("utf-8").splitlines()
    for row in table[2:]:
        cells = [re.sub(r" \(.*\)", "", row[i]).strip() for i in shown]
        assert f"| {' | '.join(cells)} |" in readme


def test_the_readme_says_what_the_table_says() -> None:
    lines = csv.DictReader((FOLDER / "toyfaces_full.csv").read_text("utf-8").splitlines())
    value = {(line["row"], line["measure"]): float(line["value"]) for line in lines if line["value"]}
    ours, searched, untouched = "sdg_text", "stylegan_clip", "stylegan"
    distance, diversity = "fd_judge_reference", "diversity_judge"
    times = value[ours, "top-1"] / value[searched, "top-1"]
    text = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert f"retrieves its prompts {times:.1f} times as often, but is not more diverse" in text
    assert value[ours, distance] < value[searched, distance]
    assert value[ours, diversity] < value[searched, diversity]
    # "Most of whose distance is its generator's": it is there without a search.
    assert value[untouched, distance] > value[searched, distance] / 2


@pytest.mark.slow
def test_a_search_is_shown_beside_the_pictures_it_began_from(
    tiny: list[str],  # noqa: F811
    judging: list[str],  # noqa: F811
    tmp_path: Path,
) -> None:
    given = ["quick", *tiny, *SMALL, "--steps", "2", "--search-steps", "2", "--rows", "stylegan_clip"]
    evaluating = [word for word in judging if not word.startswith("encoder.")]
    table1.main([*given, *folders(tmp_path), "--evaluate", *evaluating])
    table = read_table(tmp_path)
    assert list(table) == ["stylegan_clip", "unguided", "stylegan"]
    assert "adversarial gap" not in table["stylegan"]
    searched, untouched = (tmp_path / "output" / name for name in ("stylegan_clip", "stylegan"))
    beside = [record for record in manifest_of(searched) if record["prompt"] is None]
    assert len(beside) == 2 * 5
    first = next(record for record in manifest_of(untouched) if (record["seed"], record["index"]) == (0, 0))
    assert drawn(searched / beside[0]["file"]) == drawn(untouched / first["file"])
    guided = next(record for record in manifest_of(searched) if record["prompt"] is not None)
    assert drawn(searched / guided["file"]) != drawn(untouched / first["file"])


def test_a_generator_is_searched_as_the_sweep_found_best_in_as_many_steps(tmp_path: Path) -> None:
    best = {"method.search.space.space": "w", "method.search.steps": 300, "method.search.lr": 0.05}
    short = best | {"method.search.steps": 18, "method.search.lr": 0.2}
    (tmp_path / "s.json").write_text(json.dumps({"stylegan_clip": best, "stylegan_clip_18": short}))
    for size, rate in (("quick", "0.2"), ("full", "0.05")):
        options = table1.parse([size, "--swept", str(tmp_path / "s.json")])
        assert table1._searched(options) == ["method.search.space.space=w", f"method.search.lr={rate}"]


@pytest.mark.slow
def test_a_method_that_does_not_do_what_it_is_told_loses(
    tiny: list[str],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rendered faces in place of samples show what their prompts say, in one row what others say."""
    mentions = Mentions(written.POOL)

    def draw(folder: Path, settings: Sequence[str]) -> Path:
        if folder.exists():
            return folder
        seed, samples = (
            int(next(word for word in settings if word.startswith(f"{name}=")).partition("=")[2])
            for name in ("seed", "samples_per_prompt")
        )
        aim = next((word for word in settings if word.startswith("prompts=")), "")
        own = (
            [] if folder.name.startswith("unguided") else json.loads(aim.partition("=")[2].replace("'", '"'))
        )
        made = []
        for number, prompt in enumerate(own or [None]):
            shown = own[number - 1] if folder.name.startswith("sdg_text_20") else prompt
            for index in range(samples):
                attributes, nuisances = face(100 * seed + index)
                if shown is not None:
                    said = mentions([shown])
                    attributes = torch.where(said < 0, attributes, said)
                noise = {"seed": seed, "reference": None}
                made.append((record(prompt, index) | noise, pixels(attributes, nuisances, 64)[0]))
        write_run(folder, made)
        (folder / "config.yaml").write_text("")
        return folder

    monkeypatch.setattr(drawing, "draw", draw)
    networks = [word for word in tiny if word.startswith(("prior", "encoder"))]
    chosen = ["--rows", "sdg_text", "sdg_text_20", "unguided", "--prompts", "12", "--parts", "2"]
    counts = ["--samples", "3", "--references", "4", "--renders", "200"]
    # The encoder is a tiny one, for smaller pictures, and so cannot look at these.
    monkeypatch.setattr("experiments.table1.rows.CONTENDERS", _without_guides())
    table1.main(["quick", *networks, *chosen, *counts, *folders(tmp_path)])
    table = read_table(tmp_path)
    honest, sabotaged, control = table["sdg_text"], table["sdg_text_20"], table[SHUFFLED]
    assert honest["attributes right"] > 0.9
    assert honest["top-20"] > 0.9
    for wrong in (sabotaged, control):
        assert wrong["attributes right"] < honest["attributes right"] - 0.3
        assert wrong["top-5"] < honest["top-5"] / 2
    page = (tmp_path / "report" / "toyfaces_quick.md").read_text()
    assert "control: SDG by words beats itself with shuffled prompts: **holds**" in page


def _without_guides() -> dict:
    from experiments.baselines.contenders import CONTENDERS

    return {name: contender._replace(guide=None) for name, contender in CONTENDERS.items()}


@pytest.mark.parametrize(
    "words, remedy",
    [
        (["quick", "data=cats"], "data=cats is unknown: use toyfaces, ffhq"),
        (["quick", "--samples", "1"], "use --samples 2 or more"),
        (["full", "data=ffhq"], "data=ffhq has no pictures to aim at: give --references-folder"),
        (["full", "data=lsun_cat", "--references-folder", "r"], "no prompts of its own: give --prompts-file"),
        (["quick", "--prompts-file", "nowhere.jsonl"], "no prompts file at nowhere.jsonl"),
    ],
)
def test_a_mistake_is_told_at_once(words: list[str], remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        table1.main(words)


def test_public_data_is_asked_for_what_it_needs() -> None:
    options = table1.parse(["full", "data=ffhq", "prior.checkpoint=a", "--references-folder", "r"])
    prompts = read_prompts(options.prompts_file)
    assert len(set(prompts)) == len(prompts) == 100
    assert options.sample[0] == "prior=ffhq"
    assert options.sample[-1] == "prior.checkpoint=a"
    assert options.against is None
    chosen = rows(options.counts, "ffhq")
    pool = Pool(options.prompts_file, 100, 100)
    world = DATA["ffhq"]
    for row in chosen.values():
        given = settings(row, Path("run"), world, list(world.features), pool)
        metrics = configuration("evaluate", [*given, "reference=pictures", "preparation=adm"]).metrics
        assert ("fid_inception_tf" in metrics) == ("lpips_alex" in metrics or row.paired)
        assert set(metrics) & {"retrieval_clip_vit_b_32", "reference_retrieval_clip_vit_b_32"}
        for metric in metrics.values():
            assert build(metric).protocol
    assert "guidance.scale=160" in chosen["sdg_text"].settings
    assert "constraint.factor=32" in chosen["ilvr"].settings
