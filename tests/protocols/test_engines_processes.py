"""Runs in processes: the numbers of one process, whatever happens to the workers."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from engine_toys import assert_same_numbers, bench_of, records_of, runs_of
from PIL import Image

from promptlet.backbones import Backbone
from promptlet.data import FeatureCache
from promptlet.protocols import RunStore
from promptlet.protocols.engines import Engine, run_inline
from promptlet.protocols.engines import processes as engine
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import FeatureSource, open_dataset
from promptlet.protocols.run.execution import Workbench

slow = pytest.mark.slow


def pids() -> set[int]:
    return {child.pid for child in active_children() if child.pid is not None}


@slow
@pytest.mark.parametrize("protocol", ["base-to-new", "all-names", "few-shot", "cross-dataset"])
def test_the_numbers_are_those_of_the_inline_engine(
    tiny_backbone: Backbone, tmp_path: Path, protocol: str
) -> None:
    bench = bench_of(tmp_path, tiny_backbone)
    runs = runs_of(bench, protocol=protocol)
    Engine("processes", 2).run(runs, bench)
    inline = replace(bench, store=RunStore(tmp_path / "inline"))
    run_inline(runs, inline.execute, inline.store)
    assert len(records_of(bench.store)) == len(runs)
    assert_same_numbers(inline.store, bench.store)
    assert not pids()


@slow
def test_a_killed_worker_costs_nothing_but_time(tiny_backbone: Backbone, tmp_path: Path) -> None:
    bench = bench_of(tmp_path, tiny_backbone)
    runs = runs_of(bench, "coop", seeds=range(4), epochs=40)
    told: list[tuple[str, str, str]] = []

    def on_event(what: str, run: Run, record: dict[str, Any]) -> None:
        told.append((what, run.key, str(record.get("reason", ""))))
        if what == "done" and sum(event[0] == "done" for event in told) == 1:
            for pid in pids():  # all of them: at least one is at a run
                os.kill(pid, signal.SIGKILL)

    Engine("processes", 2).run(runs, bench, on_event)
    lost = [(key, reason) for what, key, reason in told if what == "lost"]
    assert 1 <= len(lost) <= 2 and all("its process was ended by SIGKILL" in reason for _, reason in lost)
    assert sorted(key for what, key, _ in told if what == "done") == sorted(run.key for run in runs)
    inline = replace(bench, store=RunStore(tmp_path / "inline"))
    run_inline(runs, inline.execute, inline.store)
    assert_same_numbers(inline.store, bench.store)


@slow
def test_no_worker_outlives_ctrl_c(tiny_backbone: Backbone, tmp_path: Path) -> None:
    bench = bench_of(tmp_path, tiny_backbone)
    seen: set[int] = set()

    def on_event(what: str, run: Run, record: dict[str, Any]) -> None:
        if what == "done":
            seen.update(pids())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Engine("processes", 2).run(runs_of(bench, "coop", seeds=range(4), epochs=60), bench, on_event)
    assert seen and not pids() and len(records_of(bench.store)) == 1


@slow
def test_a_bench_that_cannot_be_opened_is_told_by_every_run(tiny_backbone: Backbone, tmp_path: Path) -> None:
    bench = bench_of(tmp_path, tiny_backbone)
    file, name = tmp_path / "bench", tiny_backbone.name.encode()
    file.write_bytes(pickle.dumps(bench).replace(name, b"/" + b"x" * (len(name) - 1)))
    pool = engine._Processes(file, 1)
    try:
        pool.start(runs_of(bench)[0])
        _, record = pool.next()
    finally:
        pool.close()
    assert isinstance(record, dict) and record["status"] == "failed" and "does not exist" in record["reason"]


def write_images(folder: Path) -> Path:
    for part, count in (("train", 3), ("test", 2)):
        for i, name in enumerate(("cat", "dog", "box")):
            (folder / part / name).mkdir(parents=True)
            for j in range(count):
                colour = (80 * i, 40 * j, 200 - 60 * i)
                Image.new("RGB", (40, 40), colour).save(folder / part / name / f"{j}.png")
    return folder


def image_bench(tmp_path: Path, backbone: Backbone, cache: bool) -> Workbench:
    dataset = open_dataset(str(write_images(tmp_path / "pictures")))
    own = FeatureCache(tmp_path / "cache") if cache else None
    return Workbench({dataset.name: dataset}, FeatureSource(backbone, own), RunStore(tmp_path / "runs"))


def planned(bench: Workbench, methods: str = "zero_shot,coop", views: int = 1) -> list[Run]:
    from promptlet.protocols.planning import Settings, parse_methods, plan_runs

    [dataset] = bench.datasets.values()
    settings = Settings(epochs=1, views=views)
    fingerprint = bench.features.backbone.fingerprint
    return plan_runs("few-shot", [dataset], parse_methods(methods), [2], [1], fingerprint, settings=settings)


def test_images_are_encoded_here_and_travel_as_features(tiny_backbone: Backbone, tmp_path: Path) -> None:
    bench = image_bench(tmp_path, tiny_backbone, cache=False)
    [dataset] = bench.datasets.values()
    runs = planned(bench, views=2)
    engine.encode_here(runs, bench)
    test, train = ([str(i.path) for i in part] for part in (dataset.split.test, dataset.split.train))
    assert (
        bench.features.lacking(test, 1) == [] and len(bench.features.lacking(train, 1)) == 3
    )  # 2 of 3 drawn
    travelled = pickle.loads(pickle.dumps(bench))
    assert travelled.features.lacking(test, 1) == [] and travelled.features.on_progress is None
    for path in train + test:
        Path(path).write_bytes(b"no image any more")
    records = [travelled.execute(run) for run in runs]
    assert all(record["images"] == 6 for record in records)


def test_what_is_done_or_reads_images_is_not_encoded(tiny_backbone: Backbone, tmp_path: Path) -> None:
    bench = image_bench(tmp_path, tiny_backbone, cache=False)
    assert bench.wanted(planned(bench, "vpt")) == {}
    runs = planned(bench, "zero_shot")
    run_inline(runs, bench.execute, bench.store)
    again = replace(bench, features=FeatureSource(tiny_backbone))
    engine.encode_here(runs, again)
    [dataset] = bench.datasets.values()
    assert len(again.features.lacking([str(i.path) for i in dataset.split.test], 1)) == 6


def test_images_that_cannot_be_read_are_told_by_their_runs(tiny_backbone: Backbone, tmp_path: Path) -> None:
    bench = image_bench(tmp_path, tiny_backbone, cache=True)
    [dataset] = bench.datasets.values()
    dataset.split.test[0].path.write_bytes(b"no image")
    [run] = planned(bench, "zero_shot")
    engine.encode_here([run], bench)
    run_inline([run], bench.execute, bench.store)
    record = bench.store.read(run.key)
    assert record is not None and dataset.split.test[0].path.name in record["reason"]


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("cpu", None, []),
        ("mps", None, []),
        ("cuda:1", "0,1", []),
        ("cuda:0", "4,6", ["4", "6"]),
        ("cuda", "4,6", ["4", "6"]),
        ("cuda", None, ["0", "1", "2"]),
    ],
)
def test_workers_take_turns_at_the_gpus_that_are_visible(
    monkeypatch: pytest.MonkeyPatch, device: str, visible: str | None, expected: list[str]
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    cards = engine._cards(device)
    assert cards == expected
    monkeypatch.setattr(engine, "cores", lambda: 8)
    assert engine._most(device, cards) == (8 if device == "cpu" else max(1, len(cards)))


def test_each_worker_is_spawned_with_its_own_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Five workers of two cards."""
    spawned: list[Any] = []

    class Context:
        Pipe = staticmethod(lambda: (SimpleNamespace(), SimpleNamespace(close=lambda: None)))

        @staticmethod
        def Process(target: Any, args: Any, **_: Any) -> Any:  # noqa: N802 - multiprocessing's own name
            return SimpleNamespace(start=lambda: spawned.append(args[-1]))

    monkeypatch.setattr(engine, "get_context", lambda kind: Context if kind == "spawn" else None)
    pool = engine._Processes(tmp_path / "bench", 5, ["4", "6"])
    for _ in range(5):
        pool._spawn()
    assert spawned == ["4", "6", "4", "6", "4"]


@slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds processes as Linux tells them")
def test_workers_end_when_their_process_is_killed(tmp_path: Path, clip_folder: Path) -> None:
    """The process that leads is killed hard: it can say nothing to its workers."""
    import subprocess
    import sys

    code = f"""
import sys; sys.path[:0] = {sys.path!r}
from pathlib import Path
from engine_toys import bench_of, runs_of
from promptlet.backbones import load_backbone
from promptlet.protocols.engines import Engine
from multiprocessing import active_children
if __name__ == "__main__":
    bench = bench_of(Path({str(tmp_path)!r}), load_backbone({str(clip_folder)!r}, "cpu"))
    tell = lambda what, *_: what == "done" and print(*(c.pid for c in active_children()), flush=True)
    Engine("processes", 2).run(runs_of(bench, "coop", seeds=range(9), epochs=400), bench, tell)
"""
    script = tmp_path / "leader.py"
    script.write_text(code)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout is not None
        workers = [int(word) for word in leader.stdout.readline().split()]
        leader.kill()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers and not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_bad_image_costs_itself_alone(tiny_backbone: Backbone, tmp_path: Path) -> None:
    for cache in (True, False):
        bench = image_bench(tmp_path / str(cache), tiny_backbone, cache=cache)
        [dataset] = bench.datasets.values()
        first, second, *_ = (item.path for item in dataset.split.test)
        first.write_bytes(b"no image")
        second.unlink()
        engine.encode_here(planned(bench, "zero_shot"), bench)
        test = [str(item.path) for item in dataset.split.test]
        assert bench.features.lacking(test, 1) == [str(first), str(second)]


@slow
def test_a_worker_that_dies_while_it_starts_is_noticed(tiny_backbone: Backbone, tmp_path: Path) -> None:
    """Its bench is larger than what a pipe holds."""
    bench = bench_of(tmp_path, tiny_backbone)
    bench.features.adopt([(f"{i}.png", 0) for i in range(20_000)], np.zeros((20_000, 16), np.float32))
    killed: list[int] = []

    def kill_the_first() -> None:
        while not pids():
            time.sleep(0.001)
        killed.append(min(pids()))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    told: list[str] = []
    [run] = runs_of(bench, "zero_shot", seeds=[1])
    Engine("processes", 1).run([run], bench, lambda what, *_: told.append(what))
    killer.join()
    assert killed and told == ["start", "lost", "done"]


@slow
def test_workers_that_cannot_start_end_it_at_once(tmp_path: Path) -> None:
    """A script without the guard: its workers run it again, which Python forbids."""
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import promptlet as pl\n"
        f"bench = pl.open_bench('mini-land', 'zero_shot', backbone='mini', out={str(tmp_path / 'runs')!r})\n"
        "bench.run('processes')\n"
    )
    words = [sys.executable, str(script)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    last = ended.stderr.strip().splitlines()[-1]
    assert ended.returncode == 1, ended.stderr
    assert "EngineError: worker processes do not start (they end with code 1" in last
    assert list((tmp_path / "runs").glob("*.json")) == []
