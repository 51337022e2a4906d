"""What nothing reads is refused, with the nearest name that is known."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from sdg.composition import CONF, check
from sdg.errors import SDGError
from sdg.settings import known
from sdg.settings.experiments import command_of

GUIDANCE = "|".join(sorted(path.stem for path in (CONF / "guidance").glob("*.yaml")))


def composed(command: str, *words: str) -> None:
    """Compose as Hydra does, and check."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(command, list(words))
    check(command, config)


@pytest.mark.parametrize(
    "command, word, line",
    [
        ("sample", "+steps=3", "steps is no setting: did you mean sampler.steps?"),
        ("sample", "+scale=0", "scale is no setting: did you mean guidance.scale?"),
        ("sample", "+experimnt=demo", "experimnt is no setting: did you mean +experiment?"),
        ("sample", "+sampler.step=3", "sampler.step is no setting: did you mean sampler.steps?"),
        ("sample", "+prior.chekpoint=x", "prior.chekpoint is no setting: did you mean prior.checkpoint?"),
        (
            "sample",
            "+prior.denoiser.network.unet.head_chanels=8",
            "prior.denoiser.network.unet.head_chanels is no setting: did you mean "
            "prior.denoiser.network.unet.head_channels?",
        ),
        # in no file, but an argument of the constructor
        (
            "sample",
            "+prior.denoiser.network.unet.dropuot=0",
            "prior.denoiser.network.unet.dropuot is no setting: did you mean "
            "prior.denoiser.network.unet.dropout?",
        ),
        ("sample", "+trainer.precison=16", "trainer.precison is no setting: did you mean trainer.precision?"),
        (
            "sample",
            "+sampler.rule.zork=1",
            "sampler.rule.zork is no setting: choose among variance, gradient_at in sampler.rule",
        ),
        ("train", "+lr=3", "lr is no setting: did you mean model.optimisation.lr?"),
        ("evaluate", "+mention=x", "mention is no setting: did you mean mentions?"),
        ("prepare", "+sise=3", "sise is no setting: did you mean size?"),
        ("sweep", "+trails=3", "trails is no setting: did you mean trials?"),
        (
            "sample",
            "+guidance.terms.style={weight: 1}",
            "guidance.terms.style does not say what it is: give it a class, as {_target_: "
            "sdg.guidance.style.Style, …}",
        ),
        (
            "train",
            "callbacks.bar=null",
            "callbacks.bar=null is nothing that can be built: leave it out with ~callbacks.bar",
        ),
        ("sample", "seed=-1", "seed=-1 is out of range: use a whole number from 0 to 4294967295"),
        (
            "train",
            "seed=5000000000",
            "seed=5000000000 is out of range: use a whole number from 0 to 4294967295",
        ),
        (
            "sample",
            "~guidance",
            f"guidance=null names nothing: choose guidance={GUIDANCE}",
        ),
        ("sample", "guidance.every=x", "guidance.every=x does not fit: give a whole number"),
        ("sample", "guidance.every=1.5", "guidance.every=1.5 does not fit: give a whole number"),
        ("sample", "guidance.scale=null", "guidance.scale=null does not fit: give a number"),
        ("sample", "guidance.normalise=1", "guidance.normalise=1 does not fit: give true or false"),
    ],
)
def test_what_nothing_reads_is_refused(command: str, word: str, line: str) -> None:
    with pytest.raises(SDGError) as refused:
        composed(command, word)
    assert str(refused.value) == line


@pytest.mark.parametrize(
    "words",
    [
        ["+prior.url=https://example.org/x", "+prior.download=true"],  # as conf/prior/ffhq.yaml has them
        ["+trainer.precision=bf16-mixed", "+trainer.max_time=1"],
        ["logger=wandb", "+logger.wandb.group=ablation"],  # takes any keyword
        ["+guidance.terms.mine={_target_: sdg.guidance.text.Text, weight: 2}"],
        ["guidance.clamp=null", "guidance.scale=3"],
        ["constraint=ilvr", "seed=4294967295"],
        ["+encoder.clip.vision.mlp_ratio=2"],  # a dictionary handed on as it is
    ],
)
def test_what_is_read_is_let_through(words: list[str]) -> None:
    composed("sample", *words)


ALIKE = ("lsun_cat", "lsun_horse")
"""Experiments that differ from those of bedrooms by a name."""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem.startswith(ALIKE) else [])
        for path in sorted((CONF / "experiment").glob("*.yaml"))
    ],
)
def test_every_shipped_experiment_is_known(path: Path) -> None:
    command = command_of(path.stem, [CONF])
    assert command in ("train", "sample")
    composed(command, f"+experiment={path.stem}")


@pytest.mark.parametrize("group", ["method", "guidance", "sampler", "prior", "encoder", "generator"])
def test_every_option_is_known(group: str) -> None:
    for path in (CONF / group).glob("*.yaml"):
        composed("sample", f"{group}={path.stem}")


def test_a_users_group_may_have_names_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "sampler").mkdir(parents=True)
    (tmp_path / "conf" / "sampler" / "mine.yaml").write_text(
        "steps: 3\nstride: 2\nrule: {_target_: sdg.diffusion.ddim.DDIM}\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    composed("sample", "sampler=mine")
    with pytest.raises(SDGError, match=r"sampler\.stride is no setting|did you mean"):
        composed("sample", "sampler=mine", "+sampler.strid=3")


def test_a_setting_without_a_value_so_far_is_added() -> None:
    trainer = {"_target_": "pytorch_lightning.Trainer", "devices": 1}
    line = "trainer.precision is a setting without a value so far: write +trainer.precision=VALUE"
    assert known.unknown("trainer.precision", {"trainer": trainer}, [CONF]) == line
