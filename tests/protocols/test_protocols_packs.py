"""Packs: they read as the folder that they were made of, alone or within a folder, and never change."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pack_toys import DRAW, fail, record_of, run_of, write_runs
from protocol_toys import write_toy

from promptlet.backbones import Backbone
from promptlet.errors import DataError, OptionError, PackError
from promptlet.protocols import RunStore
from promptlet.protocols.bench import open_bench
from promptlet.protocols.engines.inline import run_inline
from promptlet.protocols.records.measures import MEASURES
from promptlet.protocols.records.packing import pack, unpack, write_pack
from promptlet.protocols.records.packs import open_pack

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return write_runs(tmp_path / "runs").folder


@pytest.fixture
def packed(runs: Path, tmp_path: Path) -> Path:
    pack([runs], tmp_path / "runs.jsonl.gz")
    return tmp_path / "runs.jsonl.gz"


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_a_pack_reads_as_its_folder(runs: Path, packed: Path) -> None:
    folder, one = RunStore(runs), RunStore(packed)
    assert {record["protocol"] for record in one.read_all()[0]} == set(MEASURES)
    assert json.dumps(one.read_all()) == json.dumps(folder.read_all())  # the order of fields, too
    assert one.read_plans() == folder.read_plans()
    for record in folder.read_all()[0]:
        assert one.read(record["key"]) == record and one.is_done(record["key"])
    assert one.read("absent") is None and one.name == folder.name == "runs"
    assert one.in_the_way("absent") == one.in_the_way(record["key"]) == ""


def test_a_record_is_read_anew_each_time(packed: Path) -> None:
    store = RunStore(packed)
    first, again = store.read_all()[0], store.read_all()[0]
    first[0]["samples"].clear()
    first[0]["history"][0]["loss"] = None
    assert again[0]["samples"] == DRAW == first[1]["samples"]
    assert store.read_all()[0] == again
    assert pickle.loads(pickle.dumps(store)).read_all()[0] == again


def test_a_reader_from_the_page_alone(runs: Path, packed: Path) -> None:
    header, *lines = lines_of(packed)
    assert (header["format"], header["schema"], header["records"]) == ("promptlet-results", 1, 10)
    lists = {line["list"]: line for line in lines if "list" in line}
    records = [line for line in lines if "key" in line]
    assert len(lists) == 1 + 2 and len(records) == 10  # one draw; histories of two seeds
    assert [line["key"] for line in records] == sorted(line["key"] for line in records)
    for record in records:
        record["samples"] = lists[record["samples"]["list"]]["values"]
        columns = lists[record["history"]["list"]]["columns"]
        record["history"] = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        assert record == json.loads((runs / f"{record['key']}.json").read_text())
    assert len([line for line in lines if "planned" in line]) == 10


def test_the_same_runs_give_the_same_bytes(runs: Path, packed: Path, tmp_path: Path) -> None:
    for path in sorted(runs.glob("*.json"), reverse=True):  # other times, another order of the disk
        path.write_text(path.read_text())
    pack([runs], tmp_path / "again.jsonl.gz")
    assert (tmp_path / "again.jsonl.gz").read_bytes() == packed.read_bytes()
    assert packed.read_bytes()[3:8] == bytes(5)  # neither a name nor a time


def test_unpacked_files_are_the_same_bytes(runs: Path, packed: Path, tmp_path: Path) -> None:
    assert unpack(packed, tmp_path / "again") == 10
    for path in sorted(path for path in runs.rglob("*") if path.is_file()):
        assert (tmp_path / "again" / path.relative_to(runs)).read_bytes() == path.read_bytes()
    assert unpack(packed, tmp_path / "again") == 10  # what is there already is no harm
    pack([tmp_path / "again"], tmp_path / "third.jsonl.gz")
    assert (tmp_path / "third.jsonl.gz").read_bytes() == packed.read_bytes()


@pytest.mark.parametrize("name", ["mini-harder-probe", "density-tiny", "real-clip-caltech101"])
def test_a_committed_pack_is_what_its_runs_give(name: str, tmp_path: Path) -> None:
    committed = RESULTS / f"{name}.jsonl.gz"
    unpack(committed, tmp_path / "runs")
    pack([tmp_path / "runs"], tmp_path / "again.jsonl.gz")
    assert lines_of(tmp_path / "again.jsonl.gz") == lines_of(committed)


def test_unpacking_replaces_nothing(packed: Path, tmp_path: Path) -> None:
    store, run = RunStore(tmp_path / "other"), run_of()
    store.write(run.key, record_of(run, seconds=9.0))
    with pytest.raises(PackError, match=rf"1 files hold something else .*{run.key}.*nothing was written"):
        unpack(packed, tmp_path / "other")
    assert len(list((tmp_path / "other").iterdir())) == 1
    with pytest.raises(PackError, match="a pack never changes"):
        unpack(packed, tmp_path / "folder.jsonl.gz")


def test_a_folder_of_packs_and_files_is_one(runs: Path, packed: Path, tmp_path: Path) -> None:
    both = write_runs(tmp_path / "both", seeds=(3,))
    shutil.copy(packed, tmp_path / "both")
    records, problems = both.read_all()
    assert len(records) == 15 and problems == [] and len(both.read_plans()) == 15
    assert [one["key"] for one in records] == sorted(one["key"] for one in records)
    unpack(packed, tmp_path / "both")
    assert both.read_all() == (records, [])  # twice the same is once
    pack([tmp_path / "both", packed], tmp_path / "all.jsonl.gz")
    assert RunStore(tmp_path / "all.jsonl.gz").read_all() == (records, [])


def test_the_finished_one_counts_and_a_difference_is_told(runs: Path, packed: Path, tmp_path: Path) -> None:
    store, run = RunStore(tmp_path / "both"), run_of()
    fail(store, run)
    shutil.copy(packed, tmp_path / "both")
    assert store.is_done(run.key) and len(store.read_all()[0]) == 10 and store.read_all()[1] == []
    store.write(run.key, record_of(run, seconds=9.0))
    records, [problem] = store.read_all()
    assert len(records) == 10 and store.read(run.key)["seconds"] == 9.0  # type: ignore[index]
    assert problem == (
        f"{tmp_path / 'both' / packed.name} ({run.key}): differs from {store.folder / run.key}.json, "
        "which was taken"
    )
    with pytest.raises(PackError, match=r"nothing was packed: .* differs from .*; keep one of them"):
        pack([store.folder], tmp_path / "new.jsonl.gz")


def test_what_a_pack_has_is_not_run_again(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "go").mkdir()
    shutil.copy(packed, tmp_path / "go")
    before, told = packed.read_bytes(), []
    made = [run_of(seed=seed) for seed in (1, 2, 3)]
    run_inline(made, record_of, RunStore(tmp_path / "go"), lambda what, run, _: told.append((what, run.seed)))
    assert told == [("kept", 1), ("kept", 2), ("start", 3), ("done", 3)]
    assert [path.stem for path in (tmp_path / "go").glob("*.json")] == [made[2].key]
    assert (tmp_path / "go" / packed.name).read_bytes() == before


def test_a_pack_is_not_written_to(packed: Path, tmp_path: Path) -> None:
    store, run, before = RunStore(packed), run_of(), packed.read_bytes()
    for act in (
        lambda: run_inline([run], record_of, store),
        lambda: store.write(run.key, record_of(run)),
        lambda: store.write_plan([]),
        lambda: store.make_folder("trained"),
        lambda: store.claim(run.key).__enter__(),
        lambda: RunStore(tmp_path / "new.jsonl.gz").check_writable(),
    ):
        with pytest.raises(PackError, match="a pack never changes; make a folder, lay the pack into it"):
            act()
    assert packed.read_bytes() == before and not (tmp_path / "new.jsonl.gz").exists()


def test_incomplete_runs_are_packed_where_that_is_allowed(runs: Path, tmp_path: Path) -> None:
    store, failed, missing = RunStore(runs), run_of(seed=7), run_of(seed=8)
    fail(store, failed)
    store.write_plan([failed.describe(), missing.describe()])
    with pytest.raises(PackError) as refused:
        pack([runs], tmp_path / "runs.jsonl.gz")
    assert f"1 runs failed ({failed.key}: no images) and 1 runs were asked for" in str(refused.value)
    assert missing.key in str(refused.value) and "--allow-incomplete" in str(refused.value)
    assert not list(tmp_path.glob("*.gz")) and not list(tmp_path.glob(".*"))
    found = pack([runs], tmp_path / "runs.jsonl.gz", allow_incomplete=True)
    assert (len(found.records), len(found.failed), len(found.missing)) == (11, 1, 1)
    one = RunStore(tmp_path / "runs.jsonl.gz")
    assert one.read_all() == store.read_all() and one.read_plans() == store.read_plans()


def test_a_run_on_repaired_data_stands_for_what_was_asked_for(runs: Path, tmp_path: Path) -> None:
    RunStore(runs).write_plan([run_of(data="before repair").describe()])
    assert pack([runs], tmp_path / "runs.jsonl.gz").missing == []


def test_nothing_is_packed_onto_a_file(runs: Path, packed: Path, tmp_path: Path) -> None:
    before = packed.read_bytes()
    with pytest.raises(PackError, match="is there already, and a pack never changes; give --out another"):
        pack([runs], packed)
    with pytest.raises(OptionError, match=r"the name of a pack ends in \.jsonl\.gz"):
        pack([runs], tmp_path / "runs.parquet")
    (tmp_path / "dangling.jsonl.gz").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PackError, match="is there already"):
        pack([runs], tmp_path / "dangling.jsonl.gz")
    with pytest.raises(PackError, match=r"cannot be used \("):
        pack([runs], packed / "below.jsonl.gz")
    assert packed.read_bytes() == before


def test_a_name_that_is_taken_meanwhile_is_not_taken_away(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlet.protocols.records import packing

    def slow(path: Path, *rest: Any) -> None:
        (tmp_path / "runs.jsonl.gz").write_text("another's")

    monkeypatch.setattr(packing, "_check_same", slow)
    with pytest.raises(PackError, match="is there already"):
        pack([runs], tmp_path / "runs.jsonl.gz")
    assert (tmp_path / "runs.jsonl.gz").read_text() == "another's" and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.json", "{", "damaged, is not JSON"),
        ("bad.json", '{"schema": 2}', "has schema 2, this version of Promptlet reads 1; move it"),
        ("bad.json", json.dumps({"schema": 1, **record_of(run_of())}), "it is the record of 'base-to-new"),
        (
            "bad.json",
            '{"schema": 1, "protocol": "density", "key": "other", "status": "done"}',
            "is the record",
        ),
        ("bad.json", '{"schema": 1, "protocol": "density", "key": "bad"}', "status is missing"),
        (
            "B D.json",
            '{"schema": 1, "protocol": "x", "key": "B D", "status": "done"}',
            "not the key of a run",
        ),
        ("plans/bad.json", "[]", "damaged, holds no object"),
        ("plans/bad.json", '{"schema": 2, "plan": []}', "not a plan of this version"),
        ("plans/bad.json", '{"schema": 1, "plan": [{"key": "../x"}]}', r"bad.json: asks for '../x'"),
        (
            "plans/bad.json",
            '{"schema": 1, "plan": [{"key": "z", "options": 3}]}',
            "bad.json: a run that was asked for cannot be read .options is 3, expected an object",
        ),
        (
            "bad.json",
            '{"schema": 1, "protocol": "density", "key": "bad", "status": "done", "settings": 3}',
            "settings is 3, expected an object",
        ),
    ],
)
def test_what_cannot_be_trusted_is_not_packed(
    name: str, text: str, message: str, runs: Path, tmp_path: Path
) -> None:
    (runs / name).write_text(text)
    with pytest.raises(PackError, match=f"nothing was packed: .*{message}"):
        pack([runs], tmp_path / "runs.jsonl.gz")
    assert (runs / name).read_text() == text and not list(tmp_path.glob("*.gz"))


def test_records_of_other_protocols_are_packed_as_they_are(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    other = {"schema": 1, "status": "done", "protocol": "density", "key": "one", "points": [1, 2.5]}
    store.write("one", other)
    pack([store.folder], tmp_path / "runs.jsonl.gz")
    records, [problem] = RunStore(tmp_path / "runs.jsonl.gz").read_all()
    assert records == [] and problem.endswith("(`promptlet analyze`, or a newer version); it was left out")
    unpack(tmp_path / "runs.jsonl.gz", tmp_path / "again")
    assert json.loads((tmp_path / "again" / "one.json").read_text()) == other


def test_there_must_be_something_to_pack(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackError, match="holds no record of a run"):
        pack([tmp_path / "empty"], tmp_path / "runs.jsonl.gz")
    with pytest.raises(DataError, match="no such folder of results"):
        pack([tmp_path / "absent"], tmp_path / "runs.jsonl.gz")
    with pytest.raises(PackError, match="cannot be packed"):
        write_pack(tmp_path / "odd.jsonl.gz", [{"key": "one", "x": float("nan")}])
    with pytest.raises(PackError, match="samples is an object"):
        write_pack(tmp_path / "odd.jsonl.gz", [{"key": "one", "samples": {"list": "a"}}])
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_lists_of_every_kind_come_back(tmp_path: Path) -> None:
    kinds: list[Any] = [
        *([], [{"a": 1}], [{}, {}], [{"a": 1}, {"b": 1}], [{"a": 1, "b": 2}, {"b": 1, "a": 2}]),
        *([1, {"a": 1}], [[1], [2]], [{"a": {"x": [1]}}, {"a": None}], None, "text"),
    ]
    records = [{"key": f"k{i}", "history": kind, "samples": kind} for i, kind in enumerate(kinds)]
    write_pack(tmp_path / "a.jsonl.gz", records)  # compares what it reads
    assert [found.content for found in RunStore(tmp_path / "a.jsonl.gz").places.contents()] == records


def test_reading_a_pack_loads_no_torch(packed: Path) -> None:
    code = (
        "import sys\nfrom promptlet.protocols import RunStore\n"
        "from promptlet.protocols.records import packing\n"
        f"RunStore({str(packed)!r}).read_all()\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_bench_on_a_pack_is_only_read(tiny_backbone: Backbone, tmp_path: Path) -> None:
    toy, quick = write_toy(tmp_path / "toy.npz"), {"backbone": tiny_backbone, "shots": 2}
    made = open_bench(toy, "zero_shot", seeds=(1, 2), out=tmp_path / "runs", **quick).run()
    packed = tmp_path / "runs.jsonl.gz"
    pack([tmp_path / "runs"], packed)
    shutil.rmtree(tmp_path / "runs")
    told: list[str] = []
    again = open_bench(toy, "zero_shot", seeds=(1, 2), out=packed, **quick)
    outcome = again.run(on_event=lambda what, *_: told.append(what))
    assert outcome.kept == made.done and outcome.records == made.records and told == ["kept", "kept"]
    assert outcome.is_whole and outcome.done == []
    more = open_bench(toy, "zero_shot", seeds=(1, 2, 3), out=packed, **quick)
    with pytest.raises(PackError, match=r"1 of 3 runs are not in this pack, .*lay the pack into it"):
        more.run("processes")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs.jsonl.gz", "toy.npz"]
    (tmp_path / "go").mkdir()
    shutil.copy(packed, tmp_path / "go")
    outcome = open_bench(toy, "zero_shot", seeds=(1, 2, 3), out=tmp_path / "go", **quick).run()
    assert outcome.kept == made.done and len(outcome.done) == 1 and len(outcome.records) == 3


def test_a_plan_that_was_changed_is_not_replaced(packed: Path, tmp_path: Path) -> None:
    unpack(packed, tmp_path / "again")
    [plan] = (tmp_path / "again" / "plans").iterdir()
    changed = json.dumps({**json.loads(plan.read_text()), "mine": 1})
    plan.write_text(changed)
    with pytest.raises(PackError, match=rf"1 files hold something else .*{plan.name}"):
        unpack(packed, tmp_path / "again")
    assert plan.read_text() == changed


def test_files_of_something_else_are_passed_over(runs: Path) -> None:
    before = RunStore(runs).read_all()
    (runs / "mine.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n[2]\n'))
    os.mkfifo(runs / "pipe.jsonl.gz")
    assert RunStore(runs).read_all() == before
    damaged = bytearray((runs / "mine.jsonl.gz").read_bytes())
    damaged[-6] ^= 1
    (runs / "mine.jsonl.gz").write_bytes(damaged)
    with pytest.raises(PackError, match="not a pack of results"):
        RunStore(runs).read_all()
    (runs / "mine.jsonl.gz").write_bytes(b"")
    with pytest.raises(PackError, match="not a pack of results"):
        RunStore(runs).read_all()


def test_what_is_no_file_is_no_pack(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl.gz")
    with pytest.raises(PackError, match="not a file, so no pack"):
        open_pack(tmp_path / "pipe.jsonl.gz")
    (tmp_path / "dangling.jsonl.gz").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PackError, match="a link to a pack that is not there"):
        open_pack(tmp_path / "dangling.jsonl.gz")


def test_names_that_no_disk_takes_are_refused_in_words(runs: Path, packed: Path, tmp_path: Path) -> None:
    long = "x" * 300
    for act in (
        lambda: pack([runs], tmp_path / f"{long}.jsonl.gz"),
        lambda: unpack(packed, tmp_path / long),
        lambda: RunStore(tmp_path / long).read_all(),
        lambda: RunStore(tmp_path / f"{long}.jsonl.gz").read_all(),
    ):
        with pytest.raises(PackError, match="cannot be used"):
            act()
