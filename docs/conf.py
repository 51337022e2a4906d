"""The documentation as a site: ``make docs``, then open build/docs/index.html; no server is needed.

Sphinx reads the documents where they are, so that they also read well in a checkout.
"""

import os
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

from sdg import __version__

project, author, copyright = "sdg", "the sdg developers", "the sdg developers"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "notebooks/*.ipynb",
    "experiments/**.md",
    "checkpoints/**.md",
]
exclude_patterns = ["build/**", "outputs/**", ".venv/**"]

myst_enable_extensions = ["dollarmath"]  # the equations of notebooks
myst_heading_anchors = 5
nb_execution_mode = os.environ.get("SDG_DOCS_NOTEBOOKS", "cache")
nb_execution_timeout = 3600
nb_execution_raise_on_error = True
if not Path(__file__).parents[1].joinpath("package").is_dir():
    nb_execution_excludepatterns = ["03_*"]  # its pictures are fetched by whoever wants to run it

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"sdg {version}"
html_extra_path = ["site"]
html_show_search_summary = False  # they would be fetched, which a page without a server may not


def setup(app: Any) -> None:
    """Equations as MathML, which browsers show by themselves: MathJax would be fetched from elsewhere."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(tex2mathml(node.astext(), as_block=True))
    raise nodes.SkipNode
