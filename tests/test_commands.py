"""The commands as a user types them: one clear line for a mistake, no traceback, no folder."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sdg.composition import CONF, ROOT
from sdg.config import build, errors_in_one_line, one_line
from sdg.errors import SDGError
from sdg.files import whole_file
from sdg.settings.help import page


def command(cwd: Path, *words: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ["sample.py"],
            "nothing says what the term text should aim at: give prompts='[\"a smiling face\"]', or",
        ),
        (["sample.py", "guidance=style"], "the term style should aim at: give references=[face.png], or"),
        (["sample.py", "samples_per_prompt=many"], "Error merging override samples_per_prompt=many"),
        (
            ["train.py", "+experiment=toyfaces_clap"],
            "Could not find 'experiment/toyfaces_clap' Available options",
        ),
        (["train.py", "data=toyface"], "(did you mean toyfaces?)"),
        (["sample.py", "guidance.scal=3"], "guidance.scal is no setting: did you mean guidance.scale?"),
        (["sample.py", "seeed=1"], "seeed is no setting: did you mean seed?"),
        (["sample.py", "guidence=style"], "guidence is no setting: did you mean guidance?"),
        (["sample.py", "~guidnce"], "guidnce is no setting: did you mean guidance?"),
        (["sample.py", "+steps=3", "+scale=0"], "steps is no setting: did you mean sampler.steps?"),
        (["sample.py", "experiment=demo"], "an experiment is added to the settings: write +experiment=demo"),
        (["sample.py", "a smiling face"], "type python sample.py 'prompts=[\"a smiling face\"]'"),
        (["sample.py", "+experiment=ffhq_clip"], "type python train.py +experiment=ffhq_clip"),
    ],
)
def test_a_mistake_ends_in_one_line(tmp_path: Path, words: list[str], message: str):
    result = command(tmp_path, str(ROOT / words[0]), *words[1:])
    assert result.returncode == 1
    error = result.stderr.strip()
    assert error.startswith("error: ")
    assert message in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words, message",
    [
        (["prompts=a face"], "prompts=a face: Invalid value assigned: a list is written as key=[value]."),
        (["prompts=[it's]"], "cannot read prompts=[it's]: put text between quotes, as in 'prompts="),
        (["guidance=mix", "+guidance.terms.text={weight: 2}"], "there are two of guidance.terms.text: give"),
        (["+guidance.terms.b={weight: 2}", "+guidance.terms.b={weight: 3}"], "two of guidance.terms.b"),
        (["-m", "seed=2,3", "+guidance.terms.text={weight: 2}"], "two of guidance.terms.text: give"),
    ],
)
def test_common_slips_are_told_what_to_write(tmp_path: Path, failing: str, words: list[str], message: str):
    result = command(tmp_path, failing, *words)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_term_of_a_new_name_is_added(tmp_path: Path, failing: str):
    term = "+guidance.terms.more={_target_: sdg.guidance.text.Text, weight: 2}"
    assert command(tmp_path, failing, "guidance=mix", term).returncode == 0


@pytest.fixture
def failing(tmp_path: Path) -> str:
    """A command that fails for seed 1, but without the seconds it takes to import torch."""
    path = tmp_path / "failing.py"
    path.write_text(
        "from sdg.config import entry\n"
        "from sdg.errors import SDGError\n"
        "@entry('sample')\n"
        "def main(config):\n"
        "    if config.seed == 1:\n"
        "        raise SDGError('use another seed')\n"
        "    print('seed', config.seed)\n"
        "main()\n"
    )
    return str(path)


def test_the_traceback_is_there_for_those_who_ask(tmp_path: Path, failing: str):
    assert command(tmp_path, failing, "seed=1").stderr == "error: use another seed\n"
    verbose = command(tmp_path, failing, "seed=1", HYDRA_FULL_ERROR="1").stderr
    assert "Traceback" in verbose
    assert "use another seed" in verbose
    # A command sets Hydra's variable for itself; its children know from ours whether the user asked.
    child = command(tmp_path, failing, "seed=1", HYDRA_FULL_ERROR="1", SDG_TRACEBACKS="0")
    assert child.stderr == "error: use another seed\n"


def test_a_sweep_ends_its_other_jobs_before_it_names_the_one_that_failed(tmp_path: Path, failing: str):
    result = command(tmp_path, failing, "-m", "seed=1,2", "output_dir=sweep")
    assert "seed 2" in result.stdout.splitlines()
    assert result.stderr.splitlines() == [
        "Error executing job with overrides: ['seed=1', 'output_dir=sweep']",
        "error: use another seed",
    ]


def test_help_is_a_page_of_the_command(tmp_path: Path):
    for name, experiment in (("train", "toyfaces_clip"), ("sample", "demo")):
        text = command(tmp_path, str(ROOT / f"{name}.py"), "--help").stdout
        assert text == page(name, [CONF]) + "\n"
        assert experiment in text


def test_train_alone_lists_what_it_can_train(tmp_path: Path):
    result = command(tmp_path, str(ROOT / "train.py"))
    assert "python train.py +experiment=toyfaces_clip" in result.stdout
    for path in (CONF / "experiment").glob("*.yaml"):
        assert (f"  {path.stem}  " in result.stdout) == ("python train.py" in path.read_text("utf-8"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_what_befalls_a_disk_ends_in_one_line_that_names_the_file(tmp_path: Path, number: int):
    path = tmp_path / "page.html"
    path.write_text("of before")

    def write() -> None:
        with errors_in_one_line(), whole_file(path) as file:
            file.write(b"half")
            raise OSError(number, os.strerror(number))

    with pytest.raises(SystemExit) as ended:
        write()
    told = str(ended.value)
    assert told.startswith(f"error: cannot write {path} ({os.strerror(number)}): make room, or mend")
    assert len(told.splitlines()) == 1
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"page.html": "of before"}


def test_other_errors_of_the_system_are_bugs_and_show_themselves(tmp_path: Path):
    with pytest.raises(FileNotFoundError), errors_in_one_line():
        (tmp_path / "missing").read_text()


def test_our_message_is_found_below_the_layers():
    error = RuntimeError("wrapped")
    error.__cause__ = SDGError("use\nless")
    assert one_line(error) == "use less"


def test_an_error_of_a_constructor_is_told_once_and_with_its_place():
    node = {"prior": {"_target_": "sdg.errors.SDGError", "x": {"_target_": "builtins.int", "_args_": ["no"]}}}
    with pytest.raises(Exception, match="Error in call") as failed:
        build(node)
    line = "prior.x: invalid literal for int() with base 10: 'no'"
    assert one_line(failed.value) == line
