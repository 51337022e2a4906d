import json
from pathlib import Path

import pytest
import torch

from sdg.errors import SDGError
from sdg.metrics.files import read_files
from sdg.metrics.folder import read_manifest
from tests.metrics.examples import record, write_run


def picture(value: int, height: int = 4, width: int = 4) -> torch.Tensor:
    return torch.full((3, height, width), value, dtype=torch.uint8)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", [(record("a face", i), picture(i)) for i in range(5)])


def files(run: Path) -> list[Path]:
    return [run / record["file"] for record in read_manifest(run)]


def test_pictures_come_in_the_order_of_their_files(run: Path) -> None:
    batches = list(read_files(files(run)[::-1], batch_size=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert torch.equal(torch.cat(batches)[:, :, 0, 0], torch.tensor([4, 3, 2, 1, 0])[:, None].expand(5, 3))


def test_says_what_makes_a_run_unfinished(run: Path) -> None:
    manifest = run / "manifest.jsonl"
    whole = manifest.read_text()

    (run / "index.html").unlink()
    with pytest.raises(
        SDGError, match=r"unfinished \(it has no index.html yet\): repeat its sample.py command"
    ):
        read_manifest(run)
    manifest.write_text("".join(whole.splitlines(keepends=True)[:-2]))
    with pytest.raises(SDGError, match="2 of its pictures are not in the manifest"):
        read_manifest(run)
    manifest.write_text(whole[:-20])
    with pytest.raises(SDGError, match="its manifest is cut short"):
        read_manifest(run)
    manifest.write_text("")
    with pytest.raises(SDGError, match="its manifest is empty"):
        read_manifest(run)
    manifest.write_text(whole)
    (run / "samples" / "000003.png").unlink()
    with pytest.raises(SDGError, match="1 of its 5 pictures are missing"):
        read_manifest(run)


def test_a_prompt_may_hold_what_else_would_end_a_line(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [(record("a\u2028face", 0), picture(0))])
    text = json.dumps(read_manifest(run)[0], ensure_ascii=False)
    (run / "manifest.jsonl").write_text(text + "\n", encoding="utf-8")
    assert read_manifest(run)[0]["prompt"] == "a\u2028face"


def test_says_what_a_manifest_lacks(tmp_path: Path) -> None:
    said = record("a face", 1)
    del said["prompt"]
    run = write_run(tmp_path / "run", [(record("a face", 0), picture(0)), (said, picture(1))])
    with pytest.raises(SDGError, match=r"line 2 of .*manifest.jsonl says no prompt: give the output_dir"):
        read_manifest(run)


def test_refuses_what_is_no_run(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(
            SDGError, match=r"holds no manifest.jsonl: give the output_dir of a sample.py run"
        ):
            read_manifest(folder)
    (tmp_path / "manifest.jsonl").write_text(json.dumps(["not", "a", "record"]) + "\n")
    with pytest.raises(SDGError, match="cut short"):
        read_manifest(tmp_path)


def test_refuses_mixed_sizes_and_broken_pictures(tmp_path: Path) -> None:
    samples = [(record("a face", 0), picture(0)), (record("a face", 1), picture(1, height=6, width=8))]
    run = write_run(tmp_path / "mixed", samples)
    with pytest.raises(SDGError, match=r"000001.png is 8x6 where the pictures before it are 4x4"):
        list(read_files(files(run), batch_size=1))
    (run / "samples" / "000001.png").write_bytes(b"\x89PNG but no more")
    with pytest.raises(SDGError, match=r"000001.png is empty, damaged or no picture"):
        list(read_files(files(run), batch_size=2))


def test_what_earlier_versions_kept_of_every_step_takes_no_memory(tmp_path: Path) -> None:
    traced = record("a", 0) | {"trace": {"t": [1, 0]}}
    named = record("a", 1) | {"trace": "traces/000001.safetensors"}
    run = write_run(tmp_path / "run", [(each, torch.zeros(3, 2, 2).byte()) for each in (traced, named)])
    first, second = read_manifest(run)
    assert "trace" not in first
    assert second["trace"] == "traces/000001.safetensors"
