"""The ablations: style as released, on batches; plain CLIP as a guide; the command on tiny networks."""

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from experiments.ablations import __main__ as ablations
from experiments.ablations.batch_style import BatchStyle
from experiments.ablations.gram import LINES
from experiments.ablations.page import draw_curves
from experiments.ablations.plain import plain_clip
from experiments.ablations.words import ABLATIONS
from experiments.figures.gallery import GALLERY
from experiments.grid import Point, Way
from sdg.checkpoints import load_weights
from sdg.config import build
from sdg.data.toyfaces.styles import STYLES
from sdg.errors import SDGError
from sdg.guidance.style import SCALE, Style
from sdg.metrics.measure import Measure
from sdg.networks.time_encoder import Features
from sdg.randomness import keyed_generator
from tests.experiments.test_baselines import judging, table, tiny  # noqa: F401
from tests.tiny import configure

WEIGHTS = {"stem": 1.0, "layer2": 0.5}


def maps(name: str, batch: int) -> Features:
    """Random stages of a batch, at different sizes."""
    stages = [
        torch.randn(batch, 3, side, side, generator=keyed_generator(name, side), dtype=torch.float64)
        for side in (5, 4, 3, 2, 1)
    ]
    return Features(tuple(stages), torch.zeros(batch, 2))


def released(own: Features, wanted: Features) -> Tensor:
    """F_style as the released code computes it: one matrix for the batch."""

    def gram(x: Tensor) -> Tensor:
        rows = x.reshape(x.shape[0] * x.shape[1], -1)
        return rows @ rows.T / rows.numel()

    distances = [(gram(a) - gram(b)).square().mean() for a, b in zip(own.stages, wanted.stages, strict=True)]
    return -SCALE / 5 * (distances[0] + 0.5 * distances[2])


@pytest.mark.parametrize("batch", [1, 3])
def test_style_of_a_batch_is_the_released_number(batch: int) -> None:
    own, wanted = maps("own", batch), maps("wanted", batch)
    scores = BatchStyle(WEIGHTS)(own, wanted)
    assert scores.shape == (batch,)
    torch.testing.assert_close(scores.sum(), released(own, wanted))
    if batch == 1:
        torch.testing.assert_close(scores, Style(WEIGHTS, gram="released")(own, wanted))


def test_a_samples_own_block_has_a_share_of_one_over_the_batch_to_the_fourth() -> None:
    """Samples that are nonzero at different places have no other blocks."""
    batch, own, wanted = 2, maps("own", 2), maps("wanted", 2)
    for features in (own, wanted):
        for stage in features.stages[:3:2]:
            stage[0, :, 1:], stage[1, :, :1] = 0, 0
    gradients = []
    for term in (BatchStyle(WEIGHTS), Style(WEIGHTS)):
        x = own.stages[0].clone().requires_grad_()
        score = term(own._replace(stages=(x, *own.stages[1:])), wanted).sum()
        gradients.append(torch.autograd.grad(score, x)[0])
    torch.testing.assert_close(gradients[0], gradients[1] / batch**4)


def test_plain_clip_is_clips_own_tower_whatever_the_noise(
    tiny: list[str],  # noqa: F811
    tmp_path: Path,
) -> None:
    encoder = configure("sample", tiny).encoder
    path = plain_clip(tmp_path, tiny)
    written = path.stat().st_mtime_ns
    network = load_weights(build(encoder.network), path).eval()
    clip = build(encoder.clip)
    load_weights(clip, encoder.clip_checkpoint)
    x = torch.randn(2, 3, 32, 32, generator=keyed_generator("pictures"))
    with torch.no_grad():
        clean, noisy = (network(x, torch.tensor([t])).pooled for t in (0, 900))
        wanted = clip.model.visual.eval()(network.normalise(x))
    torch.testing.assert_close(clean, noisy)
    torch.testing.assert_close(clean, wanted, rtol=1e-4, atol=1e-5)
    assert plain_clip(tmp_path, tiny).stat().st_mtime_ns == written


def test_all_of_them_take_the_time_they_are_said_to() -> None:
    options = ablations.parse(["all"])
    lines = [line for each in ABLATIONS.values() for line in each.lines(options).values()]
    runs = {way.name: way.settings for line in lines for way in line.values()}
    each = options.prompts * options.samples
    spent = sum(
        each * int(words[1].partition("=")[2]) * (0.07 if "method=clip_x0" in words else 0.025)
        for words in runs.values()
    )
    styles = {
        (released, group, group**power) for released, power in LINES.values() for group in options.groups
    }
    spent += len(styles) * len(STYLES) * options.style_samples * options.steps * 0.03
    unguided = (each + options.style_samples) * options.steps * 0.015
    assert 25 * 60 < spent + unguided < 27 * 60


def folders(tmp_path: Path) -> list[str]:
    return ["--output", str(tmp_path / "output"), "--report", str(tmp_path / "report")]


@pytest.mark.slow
def test_one_ablation_is_drawn_and_measured(
    tiny: list[str],  # noqa: F811
    judging: list[str],  # noqa: F811
    tmp_path: Path,
) -> None:
    few = ["--prompts", "2", "--samples", "2", "--steps", "2", "--scales", "3"]
    ablations.main(["mean", *few, *folders(tmp_path), "--sample", *tiny, "--evaluate", *judging])
    runs = {path.parent.name: OmegaConf.load(path) for path in (tmp_path / "output").glob("*/config.yaml")}
    assert sorted(runs) == ["guide0_ddpm_2_mean_3", "guide0_ddpm_2_x_t_3"]
    assert runs["guide0_ddpm_2_mean_3"].sampler.rule.gradient_at == "mean"
    page = (tmp_path / "report" / "mean.md").read_text()
    assert page.count("`sampler=") == 2
    assert (tmp_path / "report" / "mean.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_one_command_draws_and_measures_all(
    tiny: list[str],  # noqa: F811
    judging: list[str],  # noqa: F811
    tmp_path: Path,
) -> None:
    few = ["--prompts", "2", "--samples", "2", "--style-samples", "2", "--steps", "2", "--groups", "2", "1"]
    axes = ["--scales", "3"]
    more = ["--sample", *tiny, "--evaluate", *judging]
    ablations.main(["all", *few, *axes, *folders(tmp_path), *more])

    output, report = tmp_path / "output", tmp_path / "report"
    scale = "0.0002"
    runs = {path.parent.name: OmegaConf.load(path) for path in output.glob("*/config.yaml")}
    assert sorted(runs) == [
        *("guide0_ddpm_2_mean_3", "guide0_ddpm_2_x_t_3", "guide0_dpmpp_2m_sde_2_x_t_3"),
        *("guide1_dpmpp_2m_sde_2_x_t_3", "guide2_dpmpp_2m_sde_2_x_t_3"),
        *(f"style_released_1_{scale}", f"style_released_2_{scale}", "style_released_2_0.0032"),
        *(
            f"style_sample_1_{scale}",
            f"style_sample_2_{scale}",
        ),
    ]
    assert runs["guide0_ddpm_2_mean_3"].sampler.rule.gradient_at == "mean"
    assert runs["guide0_ddpm_2_x_t_3"].sampler.rule.gradient_at == "x_t"
    used = [runs[f"guide{i}_dpmpp_2m_sde_2_x_t_3"].estimator._target_ for i in range(3)]
    assert used == [f"sdg.estimators.{name}" for name in ("sdg.SDG", "sdg.SDG", "universal.Universal")]
    assert runs["guide1_dpmpp_2m_sde_2_x_t_3"].encoder.checkpoint == str(output / "plain_clip.safetensors")
    assert [runs[f"style_released_2_{s}"].group for s in (scale, "0.0032")] == [2, 2]
    assert runs["style_released_2_0.0032"].guidance.terms.style._target_.endswith("BatchStyle")

    for name, count in (("encoder", 3), ("mean", 2), ("gram", 6)):
        page = (report / f"{name}.md").read_text()
        assert "`python -m experiments.ablations all --prompts 2" in page
        assert page.count("`sampler=") + page.count("`guidance=style") == count
        assert (report / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "unguided" in (report / f"{name}.svg").read_text()
    guides = table((report / "encoder.md").read_text())
    assert list(guides) == [*("", "time-dependent CLIP on x_t", "plain CLIP on x_t", "plain CLIP on x̂_0")]
    gap = guides[""].index("adversarial gap")
    assert all("by the guide" in row[gap] for row in list(guides.values())[1:])
    moved = [
        line for line in (report / "gram.md").read_text().splitlines() if line.startswith("| per sample")
    ]
    assert [float(line.split("|")[5].split("(")[0]) for line in moved] == pytest.approx([0, 0], abs=0.1)


def test_a_figure_has_a_line_for_each_alternative_and_leaves_out_what_was_not_measured(
    tmp_path: Path,
) -> None:
    def point(value: float | None) -> Point[Way]:
        known = {"a": Measure("", 1.0, 4, beside=("unguided", 0.5))}
        if value is not None:
            known["b"] = Measure("", value, 4, (value - 1, value + 1))
        return Point(Way("", []), known)

    lines = {"first": {1.0: point(2), 4.0: point(3)}, "second": {4.0: point(None)}}
    draw_curves(tmp_path, "one", "the axis", lines, {"a": "Title of a", "b": "Title of b"})
    text = (tmp_path / "one.svg").read_text()
    for word in ("Title of b", "the axis", "first", "second", "unguided"):
        assert f">{word}<" in text


@pytest.mark.parametrize(
    "words, remedy",
    [
        (["gram", "--groups", "1", "3"], "use --groups 1 and divisors of --style-samples"),
        (["gram", "--groups", "2", "4"], "use --groups 1 and divisors of --style-samples"),
        (["mean", "--scales", "0", "100"], "--scales 0 has no place on the axis"),
        (["encoder", "--samples", "1"], "use --samples from 2"),
    ],
)
def test_a_mistake_is_told_before_anything_is_drawn(tmp_path: Path, words: list[str], remedy: str) -> None:
    with pytest.raises(SDGError, match=remedy):
        ablations.main([*words, *folders(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_every_ablation_has_its_place_in_the_gallery() -> None:
    shown = [exhibit.file for exhibit in GALLERY["Ablations"]]
    assert shown == [f"ablations/{name}.png" for name in ablations.NAMES]
