"""What is imported when: nothing heavy before a command has something to do with it."""

import os
import subprocess
import sys
from pathlib import Path

from sdg.composition import ROOT
from tests.tiny import make_weights

HEAVY = ("torch", "pytorch_lightning", "torchmetrics", "torchvision", "open_clip", "wandb", "matplotlib")
HEAVY += ("diffusers", "scipy", "optuna", "torch_fidelity", "tensorboard")
AFTER = """
import atexit, sys
atexit.register(lambda: print("imported", *[name for name in {heavy} if name in sys.modules]))
sys.argv[1:] = {words}
{code}
"""


def imported(tmp_path: Path, code: str, *words: str) -> set[str]:
    """The heavy packages that Python has imported when ``code`` has ended."""
    script = AFTER.format(heavy=HEAVY, words=list(words), code=code)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    line = done.stdout.splitlines()[-1]
    assert line.startswith("imported"), done.stderr
    return {*line.split()[1:]}


def command(name: str) -> str:
    return f"from sdg.commands.{name} import main; main()"


LIGHT = [
    ("sample", "--help"),
    ("train", "--help"),
    ("train",),
    ("evaluate", "--help"),
    ("evaluate",),
    ("sample", "a smiling face"),
    ("sample",),
    ("sample", "prompts_file=nowhere.txt"),
    ("sample", "prompts=[a face]", "prior.checkpoint=nowhere.pt"),
    ("sample", "+steps=3"),
    ("sample", "prompts=[a face]", "sampler.steps=0"),
    ("sample", "prompts=[a face]", "group=0"),
    ("sample", "prompts=[a face]", "guidance.scale=nan"),
    ("train", "+experiment=ffhq_clip"),
    ("sample", "guidance.every=x"),
    ("sample", "+experiment=ffhq_clip"),
    ("train", "+experiment=toyfaces_judge", "+lr=3"),
    ("evaluate", "+mention=x"),
    ("evaluate", "samples=."),
]
ALL = """
import importlib
for name, *words in {light}:
    sys.argv[1:] = words
    try:
        importlib.import_module("sdg.commands." + name).main()
    except SystemExit:
        pass
    print(name, *words, [name for name in {heavy} if name in sys.modules], flush=True)
"""


def test_what_computes_nothing_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported(tmp_path, "import sdg; " + ALL.format(light=LIGHT, heavy=HEAVY).lstrip()) == set()


def test_what_lacks_its_weights_is_refused_without_open_clip(tmp_path: Path) -> None:
    words = ["prompts=[a face]", "encoder.checkpoint=nowhere.pt"]
    assert imported(tmp_path, command("sample"), *words) == {"torch"}


def test_drawing_needs_no_lightning(tmp_path: Path) -> None:
    words = [*make_weights(tmp_path), "prompts=[a face]", "samples_per_prompt=1", "sampler.steps=1"]
    drawn = imported(tmp_path, command("sample"), *words, "trainer.accelerator=cpu", "output_dir=run")
    assert (tmp_path / "run" / "index.html").exists()
    assert drawn == {"torch"}
