"""The house as docs/architecture.md draws it: which package may import which, read off the source."""

import ast
import sys
from pathlib import Path

import pytest

from sdg.composition import ROOT

FLOORS = (
    {"commands"},
    {"play", "priors"},
    {"studio"},
    {"training", "sampling", "sweep"},
    {"metrics"},
    {"data", "checkpoints", "report"},
    {"estimators", "populations"},
    {"guidance", "baselines"},
    {"networks", "diffusion"},
)
"""From top to bottom: a package imports itself, packages of lower floors, and the ground."""
PACKAGES = set[str]().union(*FLOORS)
GROUND = {
    "errors",
    "extras",
    "randomness",
    "files",
    "pixels",
    "processes",
    "stopping",
    "trainers",
    "locks",
    "progress",
    "pages",
}
BELOW = {
    "extras": {"errors"},
    "locks": {"errors", "processes"},
    "trainers": {"errors", "processes", "stopping"},
}
"""What parts of the ground stand on."""
HYDRA_SIDE = {"config", "composition", "schema", "settings", "words"}
"""For the commands and for files named in COMPOSED."""
COMPOSED = {"__main__.py", "run.py", "build.py", "networks.py"}
"""Commands of packages, what each command calls, and what a method is built by and from."""
UPSTAIRS = {"commands", "studio"}
"""Packages that compose configurations."""
ALONE = {"play": {"studio"}}
"""Packages that stand on the floor below and on the ground, and reach for nothing deeper."""

LIBRARIES: dict[str, set[str]] = {
    "diffusion": {"torch"},
    "estimators": {"torch"},
    "populations": {"torch"},
    "guidance": {"torch"},
    "baselines": {"torch"},
    "networks": {"torch", "open_clip"},
    "errors": set(),
    "randomness": {"torch"},
    "pixels": {"torch"},
}
"""All that purely computational packages may import from outside the standard library."""
FILE_MODULES = {"glob", "io", "json", "os", "pathlib", "pickle", "shutil", "tempfile", "zipfile"}

SOURCES = sorted(ROOT.glob("*.py")) + sorted((ROOT / "sdg").rglob("*.py"))
OTHERS = [path for folder in ("tests", "notebooks", "experiments") for path in (ROOT / folder).rglob("*.py")]


def imports(path: Path) -> list[tuple[str, str]]:
    """(file:line, module) of every import, also of those inside functions and for type checkers only."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = (
                [f"sdg.{alias.name}" for alias in node.names]
                if node.module == "sdg"
                else [node.module or "."]
            )
        else:
            continue
        found += [(f"{path.relative_to(ROOT).as_posix()}:{node.lineno}", module) for module in modules]
    return found


def package_of(path: Path) -> str:
    """``diffusion`` for sdg/diffusion/ddpm.py, ``errors`` for sdg/errors.py, ``entry`` for sample.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    inside = parts[0] == "sdg" and parts[1] not in ("__init__", "__main__")
    return parts[1] if inside else "entry"


def allowed(path: Path) -> set[str]:
    """The parts of sdg that a file may import."""
    package = package_of(path)
    if package == "entry":
        return HYDRA_SIDE | UPSTAIRS | {"errors"}
    if package in HYDRA_SIDE:
        return HYDRA_SIDE | GROUND
    if package not in PACKAGES:
        return BELOW.get(package, set())
    floor = next(i for i, packages in enumerate(FLOORS) if package in packages)
    below = ALONE.get(package, set[str]().union(*FLOORS[floor + 1 :]))
    ground = GROUND & {"errors", "randomness", "pixels"} if package in LIBRARIES else GROUND
    composes = path.name in COMPOSED or package in UPSTAIRS
    return {package} | below | ground | (HYDRA_SIDE if composes else set())


def offends(path: Path, module: str) -> bool:
    """Whether a file must not import a module."""
    package, (first, _, rest) = package_of(path), module.partition(".")
    if first == "sdg":
        part = rest.partition(".")[0]
        return part in PACKAGES | GROUND | HYDRA_SIDE and part not in allowed(path)
    if package not in LIBRARIES:
        return first in {"tests", "notebooks", "experiments"}
    return first in FILE_MODULES or first not in sys.stdlib_module_names | LIBRARIES[package]


def test_every_part_of_the_package_has_its_floor() -> None:
    parts = {package_of(path) for path in SOURCES} - {"entry"}
    assert parts == PACKAGES | GROUND | HYDRA_SIDE


def test_arrows_point_down() -> None:
    wrong = [f"{where} imports {m}" for path in SOURCES for where, m in imports(path) if offends(path, m)]
    assert wrong == []


@pytest.mark.parametrize(
    "path, module, wrong",
    [
        ("sdg/diffusion/x.py", "sdg.networks.unet", True),
        ("sdg/diffusion/x.py", "pytorch_lightning", True),
        ("sdg/guidance/x.py", "pathlib", True),
        ("sdg/guidance/x.py", "hydra.utils", True),
        ("sdg/guidance/x.py", "sdg.networks.time_clip", False),
        ("sdg/data/x.py", "sdg.metrics", True),
        ("sdg/guidance/x.py", "sdg.files", True),
        ("sdg/report/x.py", "sdg.files", False),
        ("sdg/metrics/x.py", "sdg.data.toyfaces", False),
        ("sdg/sampling/chains.py", "sdg.config", True),
        ("sdg/sampling/run.py", "sdg.config", False),
        ("sdg/metrics/x.py", "experiments.text_alignment.point", True),
        ("sdg/errors.py", "sdg.randomness", True),
        ("sdg/sampling/chains.py", "sdg.studio", True),
        ("sdg/studio/x.py", "sdg.composition", False),
        ("sdg/play/x.py", "sdg.studio", False),
        ("sdg/play/x.py", "sdg.sampling.method", True),
        ("sdg/play/x.py", "sdg.composition", True),
        ("sample.py", "sdg.commands.sample", False),
        ("sample.py", "sdg.diffusion.ddpm", True),
    ],
)
def test_the_rules_bite(path: str, module: str, wrong: bool) -> None:
    assert offends(ROOT / path, module) == wrong


def test_lightning_has_one_name() -> None:
    """Objects of ``lightning`` and of ``pytorch_lightning`` refuse one another."""
    strangers = [
        where
        for path in [*SOURCES, *OTHERS]
        for where, module in imports(path)
        if module.partition(".")[0] in ("lightning", "lightning_fabric")
    ]
    assert strangers == []


def test_packages_that_only_compute_open_no_files() -> None:
    calls = [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}"
        for path in SOURCES
        if package_of(path) in LIBRARIES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "torch.load", "torch.save")
    ]
    assert calls == []


def test_the_document_shows_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [name for name in sorted(PACKAGES) if f"`sdg/{name}/`" not in text] == []
