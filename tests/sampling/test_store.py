"""The store: whole files, nothing lost, nobody else's folder touched."""

import errno
import json
import os
import re
import tracemalloc
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sdg.errors import SDGError
from sdg.report.page import write_page
from sdg.report.traces import read_trace
from sdg.sampling.plan import SamplePlan
from sdg.sampling.shard import PlanShard
from sdg.sampling.store import SampleStore, reference_file

PLAN = SamplePlan(["a", "b"], [], samples_per_prompt=2, seed=0, scale=1.0)


def picture(value: int) -> torch.Tensor:
    return torch.full((3, 8, 8), value, dtype=torch.uint8)


def fill(store: SampleStore, ids: list[int]) -> None:
    for i in ids:
        store.write(PLAN[i], picture(i), {"score": i / 10})


def finished(store: SampleStore) -> list[int]:
    store.finish(PLAN.ids())
    return [record["id"] for record in store.records()]


def test_pictures_and_records_survive(tmp_path: Path):
    store = SampleStore(tmp_path / "run", "settings")
    fill(store, [2, 0])
    again = SampleStore(tmp_path / "run", "settings")
    assert not again.finish(PLAN.ids())
    records = list(again.records())
    assert [record["id"] for record in records] == [0, 2]
    assert records[1] == PLAN[2].record() | {"file": "samples/000002.png", "score": 0.2}
    assert PLAN[2].record() == {
        "id": 2,
        "prompt": "a",
        "reference": None,
        "seed": 0,
        "index": 0,
        "scale": 1.0,
    }
    with Image.open(tmp_path / "run" / records[1]["file"]) as image:
        assert image.getpixel((3, 3)) == (2, 2, 2)


def test_a_killed_run_leaves_only_whole_samples(tmp_path: Path):
    store = SampleStore(tmp_path, "settings")
    fill(store, [0, 1])
    # Killed between the record and the picture of sample 2, while writing the record of sample 3.
    (tmp_path / "samples" / "000002.part").write_bytes(b"half")
    with store.manifest.open("a") as manifest:
        manifest.write(json.dumps(PLAN[2].record()) + "\n" + '{"id": 3, "pro')
    again = SampleStore(tmp_path, "settings")
    assert again.done == {0, 1}
    fill(again, [2, 3])
    assert finished(again) == [0, 1, 2, 3]
    assert not list(tmp_path.rglob("*.part"))


def test_a_prompt_may_hold_what_else_would_end_a_line(tmp_path: Path):
    plan = SamplePlan(["a\u2028b\x85c"], [], samples_per_prompt=1, seed=0, scale=1.0, unguided=False)
    SampleStore(tmp_path, "s").write(plan[0], picture(0), {})
    again = SampleStore(tmp_path, "s")
    assert again.done == {0}
    again.finish(PLAN.ids())
    assert next(iter(again.records()))["prompt"] == "a\u2028b\x85c"


def test_a_long_manifest_is_not_parsed_to_know_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Records of 100,000 samples, parsed, take hundreds of megabytes."""
    fill(SampleStore(tmp_path, "s"), [0, 3])
    monkeypatch.setattr(json, "loads", None)
    assert SampleStore(tmp_path, "s").done == {0, 3}


def test_a_long_run_opens_and_ends_in_little_memory(tmp_path: Path) -> None:
    """Nothing of it but numbers is held: of 4,000 samples less than a kilobyte each, with all they name."""
    plan = SamplePlan(["a"], [], samples_per_prompt=2_000, seed=0, scale=1.0)
    fill(SampleStore(tmp_path, "s"), [0])
    picture = tmp_path / "samples" / "000000.png"
    with (tmp_path / "manifest.jsonl").open("w") as manifest:
        for entry in reversed(plan):
            record = {"file": f"samples/{entry.file}", "scores": {}, "said": "9" * 5000}
            manifest.write(json.dumps(entry.record() | record) + "\n")
            if entry.id:
                os.link(picture, picture.with_name(entry.file))
    tracemalloc.start()
    try:
        store = SampleStore(tmp_path, "s")
        assert len(store.done) == len(plan) == 4_000
        assert not PlanShard(plan, store.done, batch_size=8).left()
        assert not store.finish(plan.ids())
        write_page(tmp_path, store.records(), title="long")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [record["id"] for record in store.records()] == list(range(4_000))
    pages = [path.read_text() for path in tmp_path.glob("index*.html")]
    assert [page.count("<figure>") for page in sorted(pages, key=len)] == [80, *[240] * 8]
    assert 4 * peak < store.manifest.stat().st_size


def test_what_happened_at_every_step_has_a_file_beside_the_picture(tmp_path: Path) -> None:
    guided = {"t": [999, 1], "gradient_rms": [0.5, 2.0], "scores": {"text": [0.25, 0.5], "a.b": [0.0, 1.0]}}
    trace = {"t": [999, 500, 1], "clipped": [0.0, 0.125, 1.0], "guided": guided}
    store = SampleStore(tmp_path, "s")
    store.write(PLAN[0], picture(0), {"scores": {}, "trace": trace})
    store.write(PLAN[1], picture(1), {"scores": {}, "trace": {"loss": []}})
    store.write(PLAN[2], picture(2), {"scores": {}, "trace": None})
    assert finished(store) == [0, 1, 2]
    records = list(store.records())
    assert [record["trace"] for record in records] == [
        "traces/000000.safetensors",
        "traces/000001.safetensors",
        None,
    ]
    assert [read_trace(tmp_path, record) for record in records] == [trace, {"loss": []}, None]
    columns = load_file(tmp_path / "traces" / "000000.safetensors")
    assert {name: (column.dtype, len(column)) for name, column in columns.items()} == {
        "t": (torch.int32, 3),
        "clipped": (torch.float32, 3),
        "guided.t": (torch.int32, 2),
        "guided.gradient_rms": (torch.float32, 2),
        "guided.scores.text": (torch.float32, 2),
        "guided.scores.a.b": (torch.float32, 2),
    }
    assert read_trace(tmp_path, {"trace": trace}) == trace  # as earlier versions wrote it
    (tmp_path / "traces" / "000000.safetensors").write_bytes(b"half")
    with pytest.raises(SDGError, match=r"000000.safetensors is damaged or gone: delete samples/000000.png"):
        read_trace(tmp_path, records[0])


def test_a_run_of_100_000_samples_starts_with_nothing_but_their_numbers(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        plan = SamplePlan(["a"], [], samples_per_prompt=100_000, seed=0, scale=1.0, unguided=False)
        shard = PlanShard(plan, SampleStore(tmp_path, "s").done, batch_size=8)
        assert len(shard.left(rank=1, processes=2)) == 50_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_resumed_folder_equals_undisturbed_one(tmp_path: Path):
    whole, halves = SampleStore(tmp_path / "whole", "s"), SampleStore(tmp_path / "halves", "s")
    fill(whole, [0, 1, 2, 3])
    fill(halves, [1, 3])
    halves = SampleStore(tmp_path / "halves", "s")
    fill(halves, [i for i in range(4) if i not in halves.done])
    assert whole.finish(PLAN.ids()) == halves.finish(PLAN.ids())
    assert whole.manifest.read_bytes() == halves.manifest.read_bytes()


def test_processes_fill_one_folder_and_the_first_puts_it_in_order(tmp_path: Path) -> None:
    alone = SampleStore(tmp_path / "alone", "s")
    fill(alone, [0, 1, 2, 3])
    stores = [SampleStore(tmp_path / "three", "s", rank) for rank in range(3)]
    for rank, store in enumerate(stores):
        fill(store, list(range(rank, 4, 3)))
    # A killed run leaves their manifests separate: each process must find what all have done.
    again = [SampleStore(tmp_path / "three", "s", rank) for rank in range(3)]
    assert [store.done for store in again] == [{0, 1, 2, 3}] * 3
    assert again[0].finish(PLAN.ids()) == alone.finish(PLAN.ids())
    files = [
        {path.name: path.read_bytes() for path in folder.glob("*.jsonl")}
        for folder in (alone.folder, again[0].folder)
    ]
    assert files[0] == files[1]


def test_processes_that_a_cluster_starts_at_once_may_come_before_the_first(tmp_path: Path) -> None:
    second = SampleStore(tmp_path / "run", "s", rank=1)
    first = SampleStore(tmp_path / "run", "s")
    fill(first, [0])
    fill(second, [1])
    assert finished(first) == [0, 1]


def test_a_lost_sample_is_told_and_drawn_again(tmp_path: Path) -> None:
    first, second = SampleStore(tmp_path, "s"), SampleStore(tmp_path, "s", rank=1)
    fill(first, [0, 1])
    second.lose(PLAN[2], 7)
    second.lose(PLAN[3], 4)
    assert first.finish(PLAN.ids()) == {2: 7, 3: 4}
    assert [record["id"] for record in first.records()] == [0, 1]
    again = SampleStore(tmp_path, "s")
    assert again.done == {0, 1}
    again.lose(PLAN[2], 7)
    fill(again, [2, 3])
    again.lose(PLAN[3], 1)  # from another attempt: the picture is there
    assert not again.finish(PLAN.ids())
    kept = list(again.records())
    assert [record["id"] for record in kept] == [0, 1, 2, 3]
    assert not any("lost" in record for record in kept)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_every_entry_left_is_drawn_by_one_process(processes: int) -> None:
    shard = PlanShard(PLAN, {1, 4}, batch_size=2)
    shares = [shard.left(rank, processes) for rank in range(processes)]
    assert sorted(i for share in shares for i in share) == [i for i in range(len(PLAN)) if i not in {1, 4}]
    # What others have done changes nothing for a process.
    fewer = PlanShard(PLAN, {1, 4, *shares[-1]}, batch_size=2)
    assert [fewer.left(rank, processes) for rank in range(processes - 1)] == shares[:-1]


def test_a_picture_without_a_record_is_drawn_again(tmp_path: Path):
    fill(SampleStore(tmp_path, "settings"), [0, 1])
    (tmp_path / "manifest.jsonl").unlink()
    assert SampleStore(tmp_path, "settings").done == set()


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = SampleStore(tmp_path, "settings")
    fill(store, [0])

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match=r"No space left.*000001.png"):
            fill(store, [1])
        with pytest.raises(OSError, match=r"No space left.*manifest.jsonl"):
            store.finish(PLAN.ids())
    assert not list(tmp_path.rglob("*.part"))
    again = SampleStore(tmp_path, "settings")
    assert again.done == {0}
    fill(again, [1])
    assert finished(again) == [0, 1]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(SDGError, match="not empty"):
        SampleStore(tmp_path, "settings")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_unwritable_place_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SDGError, match=r"cannot write to .*: mend that, or choose another output_dir"):
        SampleStore(tmp_path / "file" / "run", "settings")


def test_copies_of_references_have_names_that_any_page_takes():
    names = [
        reference_file(f"/some/{name}") for name in ('a "b" #1?.png', "a _b_ #1?.png", "x" * 300, "é.jpg")
    ]
    assert names[0].startswith("references/a__b___1_-")
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"references/[A-Za-z0-9_-]{1,80}\.png", name) for name in names)
    assert reference_file("face_000.png").startswith("references/face_000-")
