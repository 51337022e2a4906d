"""The notebooks run, and their .ipynb files are the scripts, without outputs."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from notebooks.pair import read_cells, to_notebook
from sdg.config import ROOT

SCRIPTS = sorted((ROOT / "notebooks").glob("[0-9]*.py"))


def run(script: Path, **parameters: Any) -> dict[str, Any]:
    """Execute the cells of a percent script in turn, with other parameters; the names they leave."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(read_cells(script.read_text(encoding="utf-8"))):
        if cell.kind == "code":
            exec(compile(cell.source, f"{script.name}, cell {number}", "exec"), names)
        if "parameters" in cell.tags:
            assert parameters.keys() <= names.keys()
            names.update(parameters)
    return names


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_ipynb_is_the_script(script: Path) -> None:
    paired = script.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert paired == to_notebook(script.read_text(encoding="utf-8")), "run: python notebooks/pair.py"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_ipynb_has_no_outputs(script: Path) -> None:
    cells = json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_cells_are_read_as_jupytext_reads_them() -> None:
    script = '# %% [markdown]\n# # Title\n#\n# Text.\n\n# %%\nx = 1\n\n\n# %% tags=["parameters"]\ny = 2\n'
    assert read_cells(script) == [
        ("markdown", "# Title\n\nText.", []),
        ("code", "x = 1", []),
        ("code", "y = 2", ["parameters"]),
    ]


@pytest.mark.slow
def test_guidance_in_ten_minutes(tmp_path: Path) -> None:
    script = ROOT / "notebooks" / "01_guidance_in_ten_minutes.py"
    names = run(script, SEEDS=2, STEPS=12, SCALES=[0.0, 200.0], FOLDER=tmp_path)
    final = {scale: values[-1].mean().item() for scale, values in names["cosines"].items()}
    assert final[200.0] > final[0.0] + 0.05
    for name in ("prompts", "scales", "cosines"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert min(picture.size) > 200
