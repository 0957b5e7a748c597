"""Runs on a Ray cluster of several nodes in this machine: the numbers of one process, whichever node dies."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from engine_toys import assert_same_numbers, bench_of, records_of, runs_of
from test_engines_processes import image_bench, planned

from promptlet.backbones import Backbone, load_backbone
from promptlet.data import FeatureCache
from promptlet.data.images import opening as images
from promptlet.errors import EngineError, MissingExtraError
from promptlet.features import BATCH, GPU_BATCH, encode_images, find_cached
from promptlet.protocols import RunStore
from promptlet.protocols.engines import Engine, run_inline
from promptlet.protocols.engines.ray import cluster as ray_cluster
from promptlet.protocols.engines.ray import tasks
from promptlet.protocols.engines.ray.features import Encoder, _take, encode_on_ray
from promptlet.protocols.records.runs import Run
from promptlet.protocols.run.datasets import FeatureSource

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Ray itself
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
slow = pytest.mark.slow
STORE = 80 * 2**20  # bytes of shared memory of a node
HEARTBEATS = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}


class Nodes:
    """A cluster: a head without processors, where this process is, and two nodes with one each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": STORE, "_system_config": HEARTBEATS}
        self.cluster = Cluster(initialize_head=True, head_node_args={**head, "include_dashboard": False})
        self.nodes = [self.add(), self.add()]

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self) -> Any:
        return self.cluster.add_node(num_cpus=1, object_store_memory=STORE)

    def kill_a_busy_one(self) -> None:
        """A node that is at a run, with its workers, at once and without a word, as when its power fails.

        None where no node is at a run just now.
        """
        for node in self.nodes:
            [raylet] = node.all_processes["raylet"]
            workers = children(raylet.process.pid)
            if any(name.startswith("ray::_task") for name in workers.values()):
                self.nodes.remove(node)
                self.cluster.remove_node(node, allow_graceful=False)
                for pid in workers:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                return


def children(parent: int) -> dict[int, str]:
    """Processes that ``parent`` has started, with what they call themselves, as Linux tells."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after_name = path.read_text().rpartition(")")[2].split()
            if int(after_name[1]) == parent:
                found[int(path.parent.name)] = path.with_name("cmdline").read_text()
    return found


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    monkeypatch.setenv("PYTHONPATH", ":".join(path for path in sys.path if path))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    nodes = Nodes()
    try:
        yield nodes
    finally:
        nodes.cluster.shutdown()


@slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds a node's workers as Linux tells them")
def test_a_node_is_killed_in_the_middle(tiny_backbone: Backbone, tmp_path: Path, nodes: Nodes) -> None:
    bench = bench_of(tmp_path, tiny_backbone)
    runs = runs_of(bench, "coop", seeds=range(8), epochs=150)
    told: list[tuple[str, str]] = []

    def on_event(what: str, run: Run, record: dict[str, Any]) -> None:
        told.append((what, run.key))
        if what == "lost":
            assert "dead" in record["reason"] or "died" in record["reason"], record
        if what == "done" and len(nodes.nodes) == 2:
            nodes.kill_a_busy_one()

    Engine("ray", address=nodes.address).run(runs, bench, on_event)
    times = {
        what: [key for told_, key in told if told_ == what] for what in ("start", "lost", "done", "failed")
    }
    keys = sorted(run.key for run in runs)
    assert len(times["lost"]) >= 1 and times["failed"] == []
    assert sorted(times["done"]) == keys and sorted(times["start"]) == keys  # nothing lost, nothing twice
    finished = {key: told.index(("done", key)) for key in keys}
    assert all(told.index(("lost", key)) < finished[key] for key in times["lost"])  # only what was under way
    inline = replace(bench, store=RunStore(tmp_path / "inline"))
    run_inline(runs, inline.execute, inline.store)
    assert_same_numbers(inline.store, bench.store)
    again: list[str] = []
    Engine("ray", address=nodes.address).run(runs, bench, lambda what, *_: again.append(what))
    assert again == ["kept"] * len(runs)


@slow
def test_a_training_travels_to_the_runs_that_share_it(
    tiny_backbone: Backbone, tmp_path: Path, nodes: Nodes
) -> None:
    bench = bench_of(tmp_path, tiny_backbone)
    runs = runs_of(bench, "zero_shot,coop,rlp", "cross-dataset")
    Engine("ray", address=nodes.address).run(runs, bench)
    inline = replace(bench, store=RunStore(tmp_path / "inline"))
    run_inline(runs, inline.execute, inline.store)
    assert_same_numbers(inline.store, bench.store)
    records = records_of(bench.store)
    reused = [record["trained"]["reused"] for record in records.values() if "trained" in record]
    assert len(reused) == 8 and sum(reused) == 4  # coop and rlp, two seeds, two targets: four trainings
    trained = {path.name for path in (bench.store.folder / "trained").glob("*.prompt")}
    assert trained == {path.name for path in (inline.store.folder / "trained").glob("*.prompt")}


@slow
def test_images_are_encoded_on_the_nodes(
    tiny_backbone: Backbone, tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = image_bench(tmp_path, tiny_backbone, cache=True)
    [dataset] = bench.datasets.values()
    paths = [str(item.path) for item in dataset.split.test]
    seen: list[tuple[int, int]] = []
    bench.features.on_progress = lambda done, total: seen.append((done, total))
    runs = planned(bench, views=2)
    hashed = count_hashing(monkeypatch)
    Engine("ray", address=nodes.address).run(runs, bench)
    assert len(hashed) == 12  # 6 to test on, 2 shots of 3 classes
    expected = encode_images(tiny_backbone, paths)
    np.testing.assert_allclose(bench.features.of(dataset, dataset.split.test), expected, atol=1e-5)
    assert find_cached(tiny_backbone, paths, 1, bench.features.cache).keys() == set(paths)
    assert sum(total for done, total in seen if done == total) == len(paths) + 2 * 6  # 2 shots of 3 classes
    inline = replace(bench, features=FeatureSource(tiny_backbone), store=RunStore(tmp_path / "inline"))
    run_inline(runs, inline.execute, inline.store)
    assert_same_numbers(inline.store, bench.store)


@slow
def test_a_cluster_that_cannot_encode_is_told(tiny_backbone: Backbone, tmp_path: Path, nodes: Nodes) -> None:
    folder = Path(shutil.copytree(tiny_backbone.name, tmp_path / "model"))
    bench = image_bench(tmp_path, load_backbone(folder, "cpu"), cache=True)
    runs = planned(bench, "zero_shot")
    shutil.rmtree(folder)
    with pytest.raises(EngineError, match=r"images cannot be encoded on the cluster \(.*every node needs"):
        Engine("ray", address=nodes.address).run(runs, bench)


@slow
def test_what_is_said_meanwhile_is_heard(
    tiny_backbone: Backbone, tmp_path: Path, nodes: Nodes, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = bench_of(tmp_path, tiny_backbone)
    runs = runs_of(bench, "zero_shot")
    Engine("ray", address=nodes.address).run(runs, bench, lambda what, *_: print(what))
    assert capsys.readouterr().out.split() == ["start", "start", "done", "done"]


def test_the_encoder_leaves_out_what_cannot_be_read(tiny_backbone: Backbone, tmp_path: Path) -> None:
    bench = image_bench(tmp_path, tiny_backbone, cache=False)
    [dataset] = bench.datasets.values()
    paths = [str(item.path) for item in dataset.split.test]
    Path(paths[1]).write_bytes(b"no image")
    batch = Encoder(tiny_backbone, views=2)({"path": np.array(paths)})
    assert batch["is_read"].tolist() == [True, False, *[True] * (len(paths) - 2)]
    expected = encode_images(tiny_backbone, [paths[0]], views=2)[:, 0]
    np.testing.assert_allclose(batch["features"][0].reshape(2, -1), expected, atol=1e-6)


def test_features_are_cached_under_what_the_worker_computes_with(
    tiny_backbone: Backbone, tmp_path: Path
) -> None:
    bench = image_bench(tmp_path, tiny_backbone, cache=False)
    [dataset] = bench.datasets.values()
    cache = FeatureCache(tmp_path / "cache")
    rows = {"path": np.array([str(item.path) for item in dataset.split.test])}
    torch.set_float32_matmul_precision("medium")
    try:
        batch = Encoder(tiny_backbone, views=1)(rows)
    finally:
        torch.set_float32_matmul_precision("highest")
    _take(FeatureSource(tiny_backbone, cache), batch, range(1))
    [identity] = cache.stats().by_fingerprint
    assert identity.startswith(f"{tiny_backbone.image_fingerprint}-")


class OneNode:
    """What `encode_on_ray` asks of Ray, in this process; what happens meanwhile can be said."""

    def __init__(self, before: Callable[[], Any] = tuple, after: Callable[[], Any] = tuple) -> None:
        self.exceptions, self.data = ray.exceptions, self
        self.before, self.after = before, after
        self.encoded: list[str] = []

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 1.0}

    def from_items(self, rows: list[dict[str, str]], override_num_blocks: int) -> OneNode:
        self.paths = [row["path"] for row in rows]
        return self

    def map_batches(self, encoder: Any, fn_constructor_args: tuple[Any, ...], **_: Any) -> OneNode:
        self.encoder = encoder(*fn_constructor_args)
        return self

    def iter_batches(self, **_: Any) -> Iterator[dict[str, Any]]:
        self.before()
        batch = self.encoder({"path": np.array(self.paths)})
        self.encoded += self.paths
        self.after()
        yield batch


def count_hashing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes of files, or of their bytes, that this process makes from now on."""
    own, made = images._file_hash, list[str]()

    def counting(source: Path | bytes) -> str:
        made.append(own(source))
        return made[-1]

    monkeypatch.setattr(images, "_file_hash", counting)
    return made


@slow
def test_a_file_is_hashed_once_to_look_it_up_and_once_on_its_node(
    tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, node = image_bench(tmp_path, tiny_backbone, cache=True), OneNode()
    runs = planned(bench, "coop", views=1) + planned(bench, "coop", views=2)  # the shots once and twice
    hashed = count_hashing(monkeypatch)
    encode_on_ray(node, runs, bench, on_gpu=False)
    assert len(node.encoded) == len(set(node.encoded)) == 12  # 6 to test on, 2 shots of 3 classes
    assert len(hashed) == 2 * 12
    again, idle = replace(bench, features=FeatureSource(tiny_backbone, bench.features.cache)), OneNode()
    encode_on_ray(idle, runs, again, on_gpu=False)
    assert idle.encoded == [] and len(hashed) == 3 * 12


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_image_that_changes_meanwhile_is_cached_as_what_was_encoded(
    tiny_backbone: Backbone, tmp_path: Path, when: str
) -> None:
    bench = image_bench(tmp_path, tiny_backbone, cache=True)
    [dataset] = bench.datasets.values()
    changing = str(dataset.split.test[0].path)
    old = shutil.copy(changing, tmp_path / "old.png")
    new = shutil.copy(dataset.split.train[-1].path, tmp_path / "new.png")
    node = OneNode(**{when: lambda: shutil.copy(new, changing)})
    encode_on_ray(node, planned(bench, "zero_shot"), bench, on_gpu=False)
    right, wrong = (new, old) if when == "before" else (old, new)
    [[expected]] = encode_images(tiny_backbone, [right])
    np.testing.assert_allclose(bench.features.of(dataset, dataset.split.test)[0, 0], expected, atol=1e-5)
    found = find_cached(tiny_backbone, [str(right), str(wrong)], 1, bench.features.cache)
    assert list(found) == [str(right)]
    np.testing.assert_allclose(found[str(right)][0], expected, atol=1e-5)


def test_an_image_that_is_gone_once_encoded_is_cached_all_the_same(
    tiny_backbone: Backbone, tmp_path: Path
) -> None:
    bench = image_bench(tmp_path, tiny_backbone, cache=True)
    [dataset] = bench.datasets.values()
    going, kept = dataset.split.test[0].path, str(tmp_path / "kept.png")
    node = OneNode(after=lambda: shutil.move(going, kept))
    encode_on_ray(node, planned(bench, "zero_shot"), bench, on_gpu=False)
    assert list(find_cached(tiny_backbone, [kept], 1, bench.features.cache)) == [kept]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "127.0.0.1:{port}",
            r"address='127.0.0.1:\d+': no Ray cluster answers there \(.*refused.*\); start one",
        ),
        ("head", "address='head' is no address of a Ray cluster; give host:port or auto"),
        ("head:port", "address='head:port' is no address"),
        ("127.0.0.1:99999", "address='127.0.0.1:99999': no Ray cluster answers there"),
        ("ray://127.0.0.1:1", "is no address of a Ray cluster; give host:port or auto"),
    ],
)
def test_an_address_that_does_not_answer(
    tiny_backbone: Backbone, tmp_path: Path, address: str, message: str
) -> None:
    bench = bench_of(tmp_path, tiny_backbone)
    with pytest.raises(EngineError, match=message):
        Engine("ray", address=address.format(port=free_port())).run(runs_of(bench), bench)
    assert not ray.is_initialized()


def test_ray_is_an_extra(tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    bench = bench_of(tmp_path, tiny_backbone)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptlet\[ray\]'"):
        Engine("ray").run(runs_of(bench), bench)


@slow
def test_somebody_else_listens(
    tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "TO_ANSWER", 8.0)
    bench = bench_of(tmp_path, tiny_backbone)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(EngineError, match="no answer within 8 s"):
            Engine("ray", address=address).run(runs_of(bench), bench)


class Cards:
    """Stands in for Ray on a cluster of eight processors and two GPUs."""

    def __init__(self) -> None:
        self.needs: dict[str, Any] = {}

    def remote(self, **needs: Any) -> Callable[[Any], Any]:
        self.needs = needs
        return lambda _task: SimpleNamespace(remote=lambda *given: len(given) and object())

    def put(self, given: Any) -> Any:
        return given

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 8.0, "GPU": 2.0}


def test_a_gpu_has_one_run_at_a_time(
    tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "head_of", lambda _ray: "")
    monkeypatch.setattr(tasks, "check_head", lambda _head: None)
    bench, cards = image_bench(tmp_path, tiny_backbone, cache=False), Cards()
    runs = planned(bench, "coop") * 3
    pool = tasks._Tasks(cards, bench, lambda *_: None, None, True, str(tmp_path))
    assert cards.needs["num_gpus"] == 1 and "num_cpus" not in cards.needs
    for run in runs[:2]:
        assert pool.is_free()
        pool.start(run)
    assert not pool.is_free()
    assert tasks._Tasks(cards, bench, lambda *_: None, None, False, str(tmp_path)).is_free()
    assert cards.needs["num_cpus"] == 1


def test_images_are_encoded_by_all_gpus(
    tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlet.protocols.engines.ray import features

    asked: dict[str, Any] = {}

    def map_batches(_encoder: Any, **given: Any) -> Any:
        asked.update(given)
        return SimpleNamespace(iter_batches=lambda **_: iter(()))

    cards = Cards()
    cards.data = SimpleNamespace(  # type: ignore[attr-defined]
        from_items=lambda items, **_: SimpleNamespace(map_batches=map_batches)
    )
    source = FeatureSource(tiny_backbone)
    features._encode(cards, source, [f"{i}.png" for i in range(500)], range(1), True)
    assert asked["num_gpus"] == 1 and asked["batch_size"] == GPU_BATCH > BATCH
    assert (asked["compute"].min_size, asked["compute"].max_size) == (1, 2)


def test_a_gpu_by_its_number_is_refused() -> None:
    tasks.check_card(torch.device("cpu"))
    tasks.check_card(torch.device("cuda"))
    tasks.check_card(torch.device("cuda:0"))
    with pytest.raises(EngineError, match=r"device cuda:1 with the engine ray: .* give --device cuda"):
        tasks.check_card(torch.device("cuda:1"))
