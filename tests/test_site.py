"""The documents build as a site, without a warning: links lead somewhere, and every page can be reached."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from sdg.composition import ROOT


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("myst_nb") is None, reason="there is no Sphinx: '.[docs]' brings it (make docs)"
)
def test_the_site_builds_strictly_and_fetches_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs", ".", str(tmp_path)]
    environment = {**os.environ, "SDG_DOCS_NOTEBOOKS": "off"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "index.html").is_file()
    for page in (tmp_path / "docs").glob("*.html"):
        fetched = re.findall(
            r'<(?:script|link|img)[^>]* (?:src|href)="(https?:[^"]*)"', page.read_text("utf-8")
        )
        assert fetched == [], page.name
