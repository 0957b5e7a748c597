"""The service on a cluster of a head and two nodes, of which one is killed under load: each request is
answered rightly or refused in words."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray.serve")
from benchmarks.serve.cluster.clients import Clients, material_in
from benchmarks.serve.cluster.nodes import Nodes
from benchmarks.serve.cluster.scenes import scenes, until
from benchmarks.serve.cluster.service import free_port, service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Ray itself
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.skipif(
        not Path("/proc/self/stat").exists(), reason="finds a node's workers as Linux tells them"
    ),
]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    for name in ("PYTHONPATH", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back at the end
    made = Nodes()
    try:
        yield made
    finally:
        made.cluster.shutdown()


def test_a_node_is_killed_under_load(
    nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    rows = scenes(tmp_path, nodes, 2.0, told.append)
    with capsys.disabled():
        print("", *told, sep="\n")
    for one in rows:
        assert one["wrong"] == 0 and one["right"] > 0, one
    quiet, killed, again, encoders, _ = rows
    assert quiet["refused"] == quiet["asked_again"] == 0
    assert killed["asked_again"] + encoders["asked_again"] > 0  # some images were lost on their way
    assert quiet["cut"] == killed["cut"] == again["cut"] == encoders["cut"] == 0, rows  # the front lived
    assert encoders["refused"] > 0, encoders


def refusal(nodes: Nodes, folder: Path, **settings: object) -> str:
    with pytest.raises(RuntimeError) as error, service(folder, nodes.address, **settings):
        pytest.fail("it started")
    return str(error.value)


def test_a_service_that_cannot_start_says_why_and_one_that_ends_finishes(
    nodes: Nodes, tmp_path: Path
) -> None:
    wanted = material_in(tmp_path)
    said = refusal(nodes, tmp_path, encoder_gpus=1, start_seconds=7, drain_seconds=0)
    assert "waiting for 2 encoders of 2 processors and 1 GPUs each; free in the cluster now: 5 proc" in said
    assert "the service did not start within 7 s" in said and "add nodes, ask for less" in said
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = refusal(nodes, tmp_path, port=other.getsockname()[1])
    assert "the service does not start on the cluster: port " in said
    assert "is taken by another program" in said and "Traceback" not in said.rpartition("promptlet: ")[2]
    # what did not start holds no processor; and one that is ended finishes what it accepted
    port = free_port()
    with Clients(port, wanted).asking(3) as clients:
        with service(tmp_path, nodes.address, port=port) as told:
            assert told["engine"] == "ray"
            until("answers", lambda: len(clients.since(0)) > 30, 60)
            began = time.monotonic()
        after = [one.how for one in clients.done if one.ended >= began]
    assert set(after) <= {"right", "away"} and after.count("right") > 3, after
