"""TensorFlow.js's weight files, and the package of face networks in them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sdg.checkpoints.face_api import NETWORKS, face_api_hash, find_face_api, load_face_api
from sdg.checkpoints.tfjs import read_tfjs
from sdg.errors import SDGError
from sdg.networks.face_layers import Conv, Separable

QUANTISED = {"dtype": "uint8", "scale": 0.5, "min": -1.0}


def write(folder: Path, weights: list[dict[str, Any]], *shards: bytes, stem: str = "net") -> Path:
    """A manifest and its shards."""
    paths = [f"{stem}-shard{number}" for number in range(len(shards))]
    for path, shard in zip(paths, shards, strict=True):
        (folder / path).write_bytes(shard)
    manifest = folder / f"{stem}-weights_manifest.json"
    manifest.write_text(json.dumps([{"paths": paths, "weights": weights}]))
    return manifest


def entry(name: str, shape: list[int], quantization: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "shape": shape, "dtype": "float32"}
    return found | ({"quantization": quantization} if quantization else {})


def test_reads_floats_and_quantised_numbers_across_shards(tmp_path: Path) -> None:
    numbers = np.array([1.5, -2.0, 3.25], "<f4").tobytes()
    weights = [entry("a/b", [1, 3]), entry("q", [2, 2], QUANTISED)]
    found = read_tfjs(write(tmp_path, weights, numbers[:5], numbers[5:] + bytes([0, 1, 2, 255])))
    assert found["a/b"].tolist() == [[1.5, -2.0, 3.25]]
    assert found["q"].tolist() == [[-1.0, -0.5], [0.0, 126.5]]
    assert found["q"].dtype == torch.float32


@pytest.mark.parametrize(
    "weights, shard, line",
    [
        ([entry("a", [3])], bytes(8), r"net-shard0 in .* is cut short: 8 bytes end before a"),
        ([entry("a", [1])], bytes(8), "has 8 bytes where net-weights_manifest.json tells of 4"),
        ([{"name": "a", "shape": [1]}], bytes(4), "an entry without its name, shape and type"),
        ([entry("a", [1], {"dtype": "int4"})], bytes(4), r"a of .* is of int4 \[1\], which is not read"),
    ],
)
def test_damaged_files_end_in_one_line(
    tmp_path: Path, weights: list[dict[str, Any]], shard: bytes, line: str
) -> None:
    with pytest.raises(SDGError, match=line):
        read_tfjs(write(tmp_path, weights, shard))


def test_missing_files_and_strange_manifests_end_in_one_line(tmp_path: Path) -> None:
    manifest = write(tmp_path, [entry("a", [1])], bytes(4))
    (tmp_path / "net-shard0").unlink()
    with pytest.raises(SDGError, match="names net-shard0, which cannot be read"):
        read_tfjs(manifest)
    with pytest.raises(SDGError, match=r"there is no other.json in"):
        read_tfjs(tmp_path / "other.json")
    for text, line in (
        ("{}{", "is no manifest"),
        ('{"a": 1}', "is no manifest"),
        ('[{"paths": ["../a"], "weights": []}]', "names '../a', which is not beside it"),
    ):
        manifest.write_text(text)
        with pytest.raises(SDGError, match=line):
            read_tfjs(manifest)


class Networks(nn.Module):
    """One layer in place of each network."""

    def __init__(self) -> None:
        super().__init__()
        self.expression, self.age_sex, self.identity = Conv(1, 2, 3), Separable(2, 1), Conv(1, 1, 1)


def package(folder: Path) -> Path:
    """A folder like the package's, whose weights count up."""
    shapes: dict[str, dict[str, list[int]]] = {
        "expression": {"filters": [3, 3, 1, 2], "bias": [2]},
        "age_sex": {"depthwise_filter": [3, 3, 2, 1], "pointwise_filter": [1, 1, 2, 1], "bias": [1]},
        "identity": {"filters": [1, 1, 1, 1], "bias": [1]},
    }
    (folder / "model").mkdir()
    for name, stem in NETWORKS.items():
        weights = [entry(key, shape) for key, shape in shapes[name].items()]
        count = sum(int(np.prod(shape)) for shape in shapes[name].values())
        write(folder / "model", weights, np.arange(count, dtype="<f4").tobytes(), stem=stem)
    return folder / "model"


def test_kernels_get_pytorchs_axes(tmp_path: Path) -> None:
    folder, networks = package(tmp_path), Networks()
    assert find_face_api(tmp_path) == folder == find_face_api(folder)
    load_face_api(networks, folder)
    # (row, column, in, out): the second output of the first row's second column is number 1 · 2 + 1.
    assert networks.expression.filters[1, 0, 0, 1] == 3
    # (row, column, channel, 1): the second channel there likewise.
    assert networks.age_sex.depthwise_filter[1, 0, 0, 1] == 3
    before = face_api_hash(folder)
    (folder / f"{NETWORKS['identity']}-shard0").write_bytes(bytes(8))
    assert face_api_hash(folder) != before


def test_says_how_to_get_the_package_and_refuses_another(tmp_path: Path) -> None:
    get = "npm pack @vladmandic/face-api@"
    for folder in (None, tmp_path):
        with pytest.raises(SDGError, match=get):
            find_face_api(folder)
    folder = package(tmp_path)
    write(folder, [entry("filters", [1])], bytes(4), stem=NETWORKS["identity"])
    with pytest.raises(SDGError, match=r"does not fit @vladmandic/face-api 1\.7: bias is missing \(2 such"):
        load_face_api(Networks(), folder)
    (folder / f"{NETWORKS['age_sex']}-weights_manifest.json").unlink()
    with pytest.raises(SDGError, match=r"no age_gender_model-weights_manifest.json in .*: give the whole"):
        load_face_api(Networks(), folder)
