import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig
from PIL import Image

import sdg
from sdg.checkpoints import save_weights
from sdg.composition import ROOT
from sdg.config import build
from sdg.data.toyfaces import ATTRIBUTES, NUISANCES, SPLITS, faces
from sdg.errors import SDGError
from sdg.locks import locked_folder
from sdg.metrics.alignment import TextAlignment
from sdg.metrics.evidence import Evidence
from sdg.metrics.judged import JudgeReader
from sdg.metrics.kernel import subset_mmd
from sdg.metrics.measure import Measure
from sdg.metrics.mentions import Mentions
from sdg.metrics.pictures import open_samples
from sdg.metrics.run import evaluate, measure_all, table
from sdg.metrics.score import GuideScore
from sdg.metrics.spread import NuisanceSpread
from sdg.networks.judge import Judge, Judgement
from tests.metrics.examples import SIZE, LookupJudge, face, pixels, record, write_mentions, write_run

MENTIONS = {"a hat": {"hat": "yes"}, "red hair and a smile": {"hair_color": "red", "expression": "smiling"}}
SAMPLES = 3


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The faces themselves, unguided, and as prompted, except one whose hair is blue."""
    samples = [(record(None, i), pixels(*face(i))[0]) for i in range(SAMPLES)]
    for prompt, mentioned in MENTIONS.items():
        for i in range(SAMPLES):
            changes = mentioned | ({"hair_color": "blue"} if prompt != "a hat" and i == 2 else {})
            samples.append((record(prompt, i, score=0.1 * i), pixels(*face(i, **changes))[0]))
    return write_run(tmp_path / "run", samples)


@pytest.fixture
def mentions(tmp_path: Path) -> Path:
    return write_mentions(tmp_path / "mentions.jsonl", MENTIONS)


@pytest.fixture(scope="module")
def knowing() -> LookupJudge:
    """Knows the faces of the run, and those that the spread is tested on."""
    known = [face(number) for number in range(32)]
    for i in range(SAMPLES):
        known += [
            face(i, **changes)
            for changes in (*MENTIONS.values(), {"hair_color": "blue", "expression": "smiling"})
        ]
    attributes, nuisances = (torch.cat(each) for each in zip(*known, strict=True))
    return LookupJudge(attributes, nuisances)


def seen(run: Path, judge: LookupJudge, mentions: Path | None = None) -> Evidence:
    return Evidence(open_samples(run), Mentions(mentions), lambda: JudgeReader(judge, SIZE, batch_size=4))


def test_samples_that_no_guide_scored_have_no_score(tmp_path: Path, knowing: LookupJudge) -> None:
    """As with ILVR alone, where only a reference guides."""
    led = record(None, 0, scale=1.0) | {"reference": "face.png"}
    found = seen(write_run(tmp_path / "run", [(led, pixels(*face(0))[0])]), knowing)
    with pytest.raises(SDGError, match="no guide has scored these samples: leave score out"):
        GuideScore()(found)


def test_a_folder_of_renders_is_measured_exactly(run: Path, mentions: Path, knowing: LookupJudge) -> None:
    evidence = seen(run, knowing, mentions)
    metrics = {"alignment": TextAlignment(), "spread": NuisanceSpread(renders=32), "score": GuideScore()}
    measures, failed = measure_all(metrics, evidence)
    assert not failed
    assert measures["alignment/mentioned"].value == pytest.approx(8 / 9)
    assert measures["alignment/all"].value == pytest.approx(5 / 6)
    assert measures["alignment/hair_color"].value == pytest.approx(2 / 3)
    hats = sum(face(i)[0][0, list(ATTRIBUTES).index("hat")].item() for i in range(SAMPLES))
    assert measures["alignment/hat"].beside == ("unguided", pytest.approx(hats / SAMPLES))
    for name in ("all", *NUISANCES):
        assert measures[f"spread/{name}"].value == pytest.approx(1, rel=1e-4)
    assert measures["score/text"].value == pytest.approx(0.1)


def test_samples_of_scale_0_are_unguided_whatever_their_prompt(tmp_path: Path, knowing: LookupJudge) -> None:
    samples = [(record("a hat", i % 2, scale=0), pixels(*face(i % 2))[0]) for i in range(4)]
    evidence = seen(write_run(tmp_path / "run", samples), knowing)
    assert (len(evidence.guided), len(evidence.unguided)) == (4, 2)
    assert torch.equal(evidence.partners().attributes, evidence.guided.attributes)


def test_prompts_must_have_as_many_samples(run: Path, knowing: LookupJudge) -> None:
    manifest = run / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:-1]))
    (run / "samples" / "000008.png").unlink()
    with pytest.raises(
        SDGError, match=r"some prompts of .* have 2 samples and some 3: repeat its sample.py command"
    ):
        assert seen(run, knowing).guided


def test_what_is_not_finite_is_not_reported(run: Path, knowing: LookupJudge) -> None:
    class Nonsense:
        protocol = "none"

        def __call__(self, evidence: object) -> list[Measure]:
            return [Measure("ratio", float("nan"), 1)]

    measures, failed = measure_all({"nonsense": Nonsense(), "score": GuideScore()}, seen(run, knowing))
    assert measures.keys() == {"score/text"}
    assert failed["nonsense"].startswith("nonsense/ratio is not a finite number")


def config(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("evaluate", list(overrides))


@pytest.fixture
def small_judge(tmp_path: Path) -> list[str]:
    """Overrides that evaluate with an untrained judge of 16-px pictures."""
    path = tmp_path / "judge.safetensors"
    torch.manual_seed(0)
    counts = {name: len(values) for name, values in ATTRIBUTES.items()}
    save_weights(path, Judge(counts, len(NUISANCES), image_size=SIZE))
    return [f"judge.network.image_size={SIZE}", f"judge.checkpoint='{path}'"]


def test_writes_what_it_measured_and_how(run: Path, mentions: Path, small_judge: list[str]) -> None:
    report = evaluate(
        config(f"samples='{run}'", f"mentions='{mentions}'", "metrics=[alignment,score]", *small_judge)
    ).report
    assert report == json.loads((run / "metrics.json").read_text())
    assert report["counts"] == {"pictures": 9, "guided": 6, "targets": 2, "prompts": 2, "unguided": 3}
    assert report["versions"].items() >= {"sdg": sdg.__version__, "torch": torch.__version__}.items()
    assert report["protocols"].keys() == {"alignment", "score"}
    assert report["measures"]["alignment/all"].keys() == {"value", "count", "interval", "over", "beside"}
    assert report["measures"]["score/text"]["value"] == pytest.approx(0.1)
    assert not list(run.glob("*.part"))
    lines = table(report).splitlines()
    assert "6 guided samples of 2 prompts, 3 unguided" in lines[0]
    (line,) = (line for line in lines if line.startswith("alignment/all "))
    assert f"{report['measures']['alignment/all']['value']:.4g}" in line
    assert "unguided" in line


def test_the_judge_looks_once_whatever_asks_it(
    run: Path, mentions: Path, small_judge: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine pictures, by its answers, its features and their mutual information; another evaluation, never."""
    seen, forward = [], Judge.forward

    def looks(judge: Judge, images: torch.Tensor) -> Judgement:
        seen.append(len(images))
        return forward(judge, images)

    monkeypatch.setattr(Judge, "forward", looks)
    asked = "alignment,drift,diversity_judge,vendi_judge,retrieval_judge"
    words = [f"samples='{run}'", f"mentions='{mentions}'", f"cache='{tmp_path}/cache'", f"metrics=[{asked}]"]
    first = evaluate(config(*words, "metrics.retrieval_judge.least=2", *small_judge)).whole()
    assert seen == [9]
    again = evaluate(config(*words, "metrics.retrieval_judge.least=2", *small_judge)).whole()
    assert seen == [9]
    assert again.report["measures"] == first.report["measures"]


def test_where_there_is_no_interval_it_says_why(run: Path, knowing: LookupJudge) -> None:
    report = evaluate(config(f"samples='{run}'", "metrics=[score]")).report
    assert "no interval" not in report["measures"]["score/text"]
    for line in (lines := [json.loads(each) for each in (run / "manifest.jsonl").read_text().splitlines()]):
        line["scores"] = line["scores"] and {"text": 0.5}
    (run / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    report = evaluate(config(f"samples='{run}'", "metrics=[score]")).report
    why = "too few or too uniform samples to say how much chance moves it"
    assert report["measures"]["score/text"] == {"value": 0.5, "count": 6, "no interval": why}
    assert table(report).splitlines()[-1] == f"where there is no interval: {why}"


@pytest.mark.slow
def test_a_folder_of_strangers_is_measured_against_another(
    tmp_path: Path, small_judge: list[str], run: Path
) -> None:
    """Neither has a manifest; the numbers are those of the library, and the judge judges nothing."""
    index = torch.arange(60) + SPLITS["test"].start
    images = ((faces(0, index, SIZE)[0] + 1) * 127.5).round().to(torch.uint8)
    for i, image in enumerate(images):
        folder = tmp_path / ("samples" if i < 20 else "reference")
        folder.mkdir(exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:02d}.png")
    folders = [f"samples='{tmp_path / 'samples'}'", f"reference='{tmp_path / 'reference'}'"]
    picked = "metrics=[kd_judge,prdc_judge,diversity_judge]"
    keep = [f"cache='{tmp_path / 'cache'}'", "metrics.kd_judge.subset_size=10"]
    report = evaluate(config(*folders, picked, *keep, *small_judge)).whole().report
    extractor = build(config(*small_judge).features.judge)
    own, others = (extractor.of(extractor(part)) for part in (images[:20], images[20:]))
    expected = float(subset_mmd(own, others, 10, 100).mean())
    assert report["measures"]["kd_judge"]["value"] == pytest.approx(expected, rel=1e-4)
    assert report["measures"]["prdc_judge/recall"]["count"] == 40
    assert report["counts"] == {"pictures": 20, "reference": 40}
    assert "judge" not in report
    assert f"judge, not resized, weights {extractor.weights[:12]}" in report["protocols"]["diversity_judge"]
    assert "reference: 40 pictures of" in report["protocols"]["kd_judge"]
    assert "reference:" not in report["protocols"]["diversity_judge"]
    assert table(report).startswith(f"{tmp_path / 'samples'}: 20 pictures\n")
    for metric, problem in (("alignment", "has no manifest.jsonl"), ("score", "has no manifest.jsonl")):
        with pytest.raises(SDGError, match=problem):
            evaluate(config(*folders, f"metrics=[{metric}]", *small_judge))
    with pytest.raises(SDGError, match="more than 128 pictures a set, here are 20"):
        evaluate(config(*folders, "metrics=[fd_judge_reference]", *keep[:1], *small_judge))
    with pytest.raises(SDGError, match="give reference=DIR"):
        evaluate(config(folders[0], "metrics=[kd_judge]", *small_judge))
    with pytest.raises(SDGError, match="device=tpu9000 is not there"):
        evaluate(config(*folders, "metrics=[kd_judge]", "device=tpu9000", *small_judge))


@pytest.mark.slow
def test_torch_fidelity_itself_gives_the_same_from_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both from the saved pictures on, with generated Inception weights."""
    fidelity = import_module("torch_fidelity")
    module = import_module("torch_fidelity.feature_extractor_inceptionv3")
    own = module.FeatureExtractorInceptionV3
    with monkeypatch.context() as patch:
        patch.setattr(own, "load_state_dict", lambda *_: None)
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        torch.manual_seed(0)
        torch.save(own("x", ["2048"]).state_dict(), tmp_path / "inception.pth")
    for name, first, count in (("a", 0, 12), ("b", 40, 14)):
        index = torch.arange(first, first + count) + SPLITS["test"].start
        images = ((faces(0, index, 64)[0] + 1) * 127.5).round().to(torch.uint8)
        (tmp_path / name).mkdir()
        for i, image in enumerate(images):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / name / f"{i:02d}.png")
    report = evaluate(
        config(
            f"samples='{tmp_path / 'a'}'",
            f"reference='{tmp_path / 'b'}'",
            "metrics=[kid_inception_tf,prdc_inception_tf]",
            f"features.inception_tf.weights='{tmp_path / 'inception.pth'}'",
            "metrics.kid_inception_tf.subset_size=8",
            f"cache='{tmp_path / 'cache'}'",
            "device=cpu",
        )
    ).report
    theirs = fidelity.calculate_metrics(
        input1=str(tmp_path / "a"),
        input2=str(tmp_path / "b"),
        kid=True,
        prc=True,
        feature_extractor="inception-v3-compat",  # else its precision is on VGG-16
        kid_subset_size=8,
        feature_extractor_weights_path=str(tmp_path / "inception.pth"),
        cuda=False,
        cache=False,
        verbose=False,
        batch_size=7,
        save_cpu_ram=True,  # without worker processes
    )
    measures = report["measures"]
    kid = theirs["kernel_inception_distance_mean"]
    assert measures["kid_inception_tf"]["value"] == pytest.approx(kid, rel=1e-3)
    for name in ("precision", "recall"):
        assert measures[f"prdc_inception_tf/{name}"]["value"] == pytest.approx(theirs[name])


def test_the_judge_is_loaded_only_if_it_is_needed(run: Path) -> None:
    report = evaluate(config(f"samples='{run}'", "metrics=score", "judge.checkpoint=nowhere")).report
    assert report["measures"].keys() == {"score/text"}


def test_samples_without_prompts_are_refused_by_what_needs_them(
    run: Path, mentions: Path, small_judge: list[str]
) -> None:
    lines = [json.loads(line) for line in (run / "manifest.jsonl").read_text().splitlines()]
    for line in lines[6:]:
        line |= {"prompt": None, "reference": "face.png"}
    (run / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(SDGError, match=r"some guided samples of .* have no prompt"):
        evaluate(config(f"samples='{run}'", f"mentions='{mentions}'", "metrics=alignment", *small_judge))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "conf" / "metrics").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_metric_is_named_by_what_it_measures_on(path: Path) -> None:
    """What is called FID or KID is Inception's; every extractor that is named exists."""
    chosen = config(f"metrics={path.stem}", "mentions=none.jsonl")
    for key, metric in build(chosen.metrics).items():
        names = getattr(metric, "features", ())
        assert set(names) <= set(chosen.features)
        if key.startswith(("fid", "kid")):
            assert names == ("inception_tf",)


def test_metrics_are_picked_by_name() -> None:
    assert config().metrics.keys() == {"score", "alignment", "alignment_redrawn", "drift", "spread"}
    assert config("metrics=prior").metrics.keys() == {"marginals", "fd_judge"}
    picked = config("metrics=[fd_judge,fd_judge_guided]").metrics
    assert {name: metric.guided for name, metric in build(picked).items()} == {
        "fd_judge": False,
        "fd_judge_guided": True,
    }
    with pytest.raises(HydraException, match="fid"):
        config("metrics=[fid]")


def test_bad_input_is_refused(run: Path, small_judge: list[str], tmp_path: Path) -> None:
    with pytest.raises(SDGError, match="give samples=DIR"):
        evaluate(config())
    with pytest.raises(SDGError, match="there is no checkpoint at"):
        evaluate(
            config(f"samples='{run}'", "metrics=alignment", f"judge.checkpoint='{tmp_path / 'nowhere'}'")
        )
    with pytest.raises(SDGError, match="need 100 unguided samples"):
        evaluate(config(f"samples='{run}'", "metrics=prior", *small_judge))
    (tmp_path / "file").write_text("")
    with pytest.raises(SDGError, match="choose another output_dir"):
        evaluate(
            config(f"samples='{run}'", "metrics=score", f"output_dir='{tmp_path / 'file'}'", *small_judge)
        )
    assert not (run / "metrics.json").exists()


def test_a_folder_that_another_run_writes_is_left_alone(run: Path) -> None:
    asked = config(f"samples='{run}'", "metrics=score", "judge.checkpoint=nowhere")
    with (
        locked_folder(run),
        pytest.raises(SDGError, match=r"is in use by process \d+ on .*another output_dir"),
    ):
        evaluate(asked)
    assert not (run / "metrics.json").exists()


@pytest.mark.slow
def test_the_command_prints_a_table_or_one_line(run: Path, small_judge: list[str]) -> None:
    def command(*overrides: str) -> subprocess.CompletedProcess:
        line = [sys.executable, "evaluate.py", *overrides, *small_judge]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)

    good = command(f"samples={run}", "metrics=score")
    assert good.returncode == 0, good.stderr
    assert "score" in good.stdout
    bad = command(f"samples={run}")
    assert bad.returncode == 1
    assert "Traceback" not in bad.stderr
    line = bad.stderr.splitlines()[-1]
    assert (
        line.startswith("error: not all could be measured (alignment, drift, spread: ") or "alignment" in line
    )
    assert "nothing says what the prompts mention: give mentions=" in line
    assert "score" in bad.stdout
    assert json.loads((run / "metrics.json").read_text())["failed"].keys() >= {"alignment", "drift"}
