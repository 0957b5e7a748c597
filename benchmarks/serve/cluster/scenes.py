"""A service on a Ray cluster of a head and two nodes in this machine, of which one is killed under load."""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.serve.cluster.clients import HOWS, IMAGES, PROMPTS, SIZE, Clients, material_in
from benchmarks.serve.cluster.nodes import CPUS, HEARTBEATS, Nodes, kill, replicas
from benchmarks.serve.cluster.service import ENCODER, FRONT, NAME, WAIT, service

CLIENTS = 6
SETTLED = 0.5
"""Seconds after which an answer is not one that was on its way."""
COLUMNS = (
    ("what", "what happened", "s"),
    ("requests", "requests", "d"),
    ("right", "right", "d"),
    ("asked_again", "encoders lost with images", "d"),
    ("refused", "refused", "d"),
    ("cut", "connections cut", "d"),
    ("away", "nobody there", "d"),
    ("wrong", "wrong", "d"),
    ("pause_s", "longest pause s", ".2f"),
    ("whole_s", "whole again after s", ".1f"),
)


def row(clients: Clients, what: str, began: float, whole: float | None) -> dict[str, Any]:
    """Of what ended between ``began`` and now. whole: when there was again as much as before."""
    ended = time.monotonic()
    seen = clients.between(began, ended)
    count = Counter(one.how if one.how in HOWS else "wrong" for one in seen)
    moments = [began, *(one.ended for one in seen if one.how == "right"), ended]
    return {
        "what": what,
        "requests": len(seen),
        **{how: count[how] for how in (*HOWS, "wrong")},
        "pause_s": max(later - earlier for earlier, later in pairwise(moments)),
        "whole_s": None if whole is None else whole - began,
        "examples": [one.how for one in seen if one.how not in HOWS][:3],
    }


def lost_encoders(port: int) -> int:
    """How often the front asked another encoder, or gave up, since one was lost that had the images."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return int(float(text.split("\npromptlet_encoder_failures_total ")[1].split()[0]))


def until(what: str, is_so: Callable[[], bool], seconds: float) -> float:
    """When it is so. Raises TimeoutError."""
    limit = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > limit:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)
    return time.monotonic()


def encoders_running(status: Any) -> int:
    """As Ray Serve tells."""
    states = status.applications[f"{NAME}-encoders"].deployments["encoder"].replica_states
    return int(states.get("RUNNING", 0))


def scenes(
    folder: Path, nodes: Nodes, seconds: float, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """What happens, one after the other, under load: nothing; a node is killed; another one comes; the front
    is killed. seconds: of each scene, at the least."""
    import ray
    from ray import serve

    wanted, rows = material_in(folder), []
    with service(folder, nodes.address) as told:
        ray.init(address=nodes.address, log_to_driver=False, logging_level="CRITICAL")
        port = int(told["url"].rpartition(":")[2])
        survivor, victim = nodes.nodes
        head = nodes.cluster.head_node
        assert [len(replicas(one, ENCODER)) for one in (survivor, victim)] == [1, 1]
        [front] = replicas(head, FRONT)
        with Clients(port, wanted).asking(CLIENTS) as clients:
            until("the first answers", lambda: len(clients.since(0)) > CLIENTS, 30)

            def scene(what: str, act: Callable[[], Any], is_whole: Callable[[float], bool]) -> None:
                began, before = time.monotonic(), lost_encoders(port)
                act()
                whole = until(what, lambda: is_whole(began), 60)
                while time.monotonic() < max(began + seconds, whole + 1):
                    time.sleep(0.05)
                rows.append(row(clients, what, began, whole))
                rows[-1]["asked_again"] = max(0, lost_encoders(port) - before)
                progress(json.dumps(rows[-1]))

            scene("nothing: two encoders", lambda: None, lambda _: True)
            scene(
                "a node is killed: one encoder is left",
                lambda: nodes.kill(victim),
                lambda _: encoders_running(serve.status()) == 1,
            )
            scene(
                "another node comes: two encoders again",
                lambda: nodes.nodes.append(nodes.add()),
                lambda _: encoders_running(serve.status()) == 2,
            )
            both = [pid for one in nodes.nodes for pid in replicas(one, ENCODER)]
            scene(
                "both encoders are killed: Ray starts others",
                lambda: kill(both),
                lambda began: encoders_running(serve.status()) == 2 and bool(clients.since(began + SETTLED)),
            )
            scene(
                "the only front is killed: Ray starts another",
                lambda: kill([front]),
                lambda began: bool(clients.since(began + SETTLED)),
            )
        ray.shutdown()
    return rows


def run(
    _device: str, quick: bool, progress: Callable[[str], None]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Settings and rows; a scene takes as many seconds at the least."""
    seconds = 3.0 if quick else 20.0
    nodes = Nodes()
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = scenes(Path(folder), nodes, seconds, progress)
    finally:
        nodes.cluster.shutdown()
    settings = {
        "backbone": "mini",
        "clients": CLIENTS,
        "images_a_request": IMAGES,
        "prompts_a_request": PROMPTS,
        "image_size": list(SIZE),
        "seconds_of_a_scene": seconds,
        "wait_seconds": WAIT,
        "health_check_of_ray": HEARTBEATS,
        "nodes": f"a head, and two nodes of {CPUS} processors by name, all on this machine",
    }
    return settings, rows
