"""Procedural cartoon faces with known attributes: any number, any resolution, no files."""

from sdg.data.toyfaces.attributes import (
    ATTRIBUTES,
    MARGINALS,
    NUISANCES,
    SPLITS,
    encode,
    sample_attributes,
    sample_nuisances,
)
from sdg.data.toyfaces.render import faces, render

__all__ = [
    "ATTRIBUTES",
    "MARGINALS",
    "NUISANCES",
    "SPLITS",
    "encode",
    "faces",
    "render",
    "sample_attributes",
    "sample_nuisances",
]
