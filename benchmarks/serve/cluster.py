"""A service on a Ray cluster of a head and two nodes in this machine, of which one is killed under load."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import photos
from benchmarks.isolated import ROOT
from benchmarks.serve import material
from benchmarks.serve.load import BOUNDARY
from promptlet.backbones import load_backbone
from promptlet.classifier.learner import PromptLearner
from promptlet.features import encode_images

STORE = 80 * 2**20
"""Bytes of shared memory of a node."""
HEARTBEATS = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
NAME = "promptlet"
ENCODER, FRONT = f"ray::ServeReplica:{NAME}-encoders:", f"ray::ServeReplica:{NAME}:"
CPUS = 2
"""Of each of the two nodes, and of an encoder: a node has room for one."""
CLIENTS, IMAGES, PROMPTS, SIZE = 6, 4, 3, (640, 480)
STARTING = 100.0
WAIT = 2.0
"""Seconds after which a request that no encoder takes is refused."""
SETTLED = 0.5
"""Seconds after which an answer is not one that was on its way."""
CLOSE = 1e-4
"""By which a probability may differ from the library's."""
REFUSALS = ("/problems/busy", "/problems/late", "/problems/not-ready")
HOWS = ("right", "refused", "cut", "away")
"""How requests end, but those that are answered wrongly; away: nobody listened."""
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


class Nodes:
    """A head with one processor, for a front, and two nodes for an encoder each. The environment of this
    process is theirs."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        os.environ["PYTHONPATH"] = ":".join(path for path in sys.path if path)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        head = {"num_cpus": 1, "object_store_memory": STORE, "_system_config": HEARTBEATS}
        self.cluster = Cluster(initialize_head=True, head_node_args={**head, "include_dashboard": False})
        self.nodes = [self.add(), self.add()]

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self) -> Any:
        return self.cluster.add_node(num_cpus=CPUS, object_store_memory=STORE)

    def kill(self, node: Any) -> None:
        """At once and without a word, with all its processes, as when its power fails."""
        workers = workers_of(node)
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)
        kill(list(workers))


def kill(processes: Sequence[int]) -> None:
    """At once; those that are there."""
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def workers_of(node: Any) -> dict[int, str]:
    """Processes that a node has started, with what they call themselves, as Linux tells."""
    [raylet] = node.all_processes["raylet"]
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == raylet.process.pid:
                found[int(path.parent.name)] = path.with_name("cmdline").read_text()
    return found


def replicas(node: Any, kind: str) -> list[int]:
    """The processes of a node that are encoders, or fronts."""
    return [pid for pid, name in workers_of(node).items() if name.startswith(kind)]


class Wanted(NamedTuple):
    """What is right: of each image by name, the class name and probability of each prompt."""

    images: dict[str, bytes]
    answers: dict[str, dict[str, tuple[str, float]]]


def material_in(folder: Path) -> Wanted:
    """Prompts in ``folder``/prompts, photos, and what the library says of them."""
    backbone = load_backbone("mini", "cpu", "float32")
    prompts = material.write_bank(folder / "prompts", backbone, PROMPTS)
    images = {f"{seed}.jpg": photos.jpeg(*SIZE, seed) for seed in range(8)}
    features = encode_images(backbone, list(images.values()))[0]
    answers: dict[str, dict[str, tuple[str, float]]] = {name: {} for name in images}
    for prompt in prompts:
        learner = PromptLearner.load(folder / "prompts" / f"{prompt}.prompt", backbone)
        for name, row in zip(images, learner.predict_proba(features), strict=True):
            best = int(np.argmax(row))
            answers[name][prompt] = learner.class_names_[best], float(row[best])
    return Wanted(images, answers)


class One(NamedTuple):
    """A request: when it ended, by `time.monotonic`; how: one of `HOWS`, or what was wrong."""

    ended: float
    how: str


@dataclass
class Clients:
    """Threads that ask the port of a service again and again, each on a connection that it keeps."""

    port: int
    wanted: Wanted
    done: list[One] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self, count: int) -> Iterator[Clients]:
        """Inside, they do; the last answers are waited for."""
        threads = [threading.Thread(target=self._ask_all, args=(k,)) for k in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join(90)
            assert not any(thread.is_alive() for thread in threads), "a request was never answered"

    def between(self, began: float, ended: float) -> list[One]:
        return [one for one in list(self.done) if began <= one.ended < ended]

    def since(self, began: float, how: str = "right") -> list[One]:
        return [one for one in list(self.done) if one.ended >= began and one.how == how]

    def _ask_all(self, number: int) -> None:
        draw = np.random.default_rng(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=75)
        while not self._is_over.is_set():
            names = [str(one) for one in draw.choice(list(self.wanted.images), IMAGES, replace=False)]
            try:
                how = self._ask(connection, names)
            except (OSError, http.client.HTTPException) as error:
                connection.close()  # the next request opens it again
                how = "away" if isinstance(error, ConnectionRefusedError) else "cut"
            self.done.append(One(time.monotonic(), how))
            if how != "right":
                time.sleep(0.1)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, names: Sequence[str]) -> str:
        body, kind = form([(name, self.wanted.images[name]) for name in names], self._prompts())
        connection.request("POST", "/v1/predict", body, {"Content-Type": kind})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        if (
            answer.status == 503
            and told["type"] in REFUSALS
            and told["detail"]
            and answer.headers["Retry-After"]
        ):
            return "refused"
        if answer.status != 200:
            return f"{answer.status}: {told}"
        for name, result in zip(names, told["results"], strict=True):
            if result["name"] != name or "predictions" not in result:
                return f"{name}: {result}"
            found = {one["prompt"]: one["top"][0] for one in result["predictions"]}
            for prompt, (class_name, probability) in self.wanted.answers[name].items():
                one = found[prompt]
                if one["class_name"] != class_name or abs(one["probability"] - probability) > CLOSE:
                    return f"{name} by {prompt}: {one}, and not {class_name} with {probability}"
        return "right"

    def _prompts(self) -> list[str]:
        return list(next(iter(self.wanted.answers.values())))


def form(images: Sequence[tuple[str, bytes]], prompts: Sequence[str]) -> tuple[bytes, str]:
    """A multipart body, and its type."""
    boundary = BOUNDARY.decode()
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="images"; filename="{name}"\r\n\r\n'.encode()
        + image
        + b"\r\n"
        for name, image in images
    ]
    parts += [
        f'--{boundary}\r\nContent-Disposition: form-data; name="prompts"\r\n\r\n{one}\r\n'.encode()
        for one in prompts
    ]
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def free_port() -> int:
    """One that a front takes again when it is started anew."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def service(folder: Path, address: str, **settings: object) -> Iterator[dict[str, Any]]:
    """``promptlet serve --engine ray`` over the prompts of ``folder``: what it says; ended by Ctrl-C.
    Raises RuntimeError with its log where it does not start."""
    given = {
        "engine": "ray",
        "ray_address": address,
        "ray_name": NAME,
        "prompts": folder / "prompts",
        "backbone": "mini",
        "dtype": "float32",
        "port": free_port(),
        "min_encoders": 2,
        "max_encoders": 2,
        "encoder_cpus": CPUS,
        "start_seconds": STARTING,
        "recent_bytes": 0,
        "class_cache": "off",
        "wait_seconds": WAIT,
        "log_level": "warning",
        **settings,
    }
    words = ["serve", "--json", *(word for one in given.items() for word in ("--set", f"{one[0]}={one[1]}"))]
    with (folder / "service.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "promptlet", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.endswith("}\n"):  # an error has several lines
            text = f"{line}{process.stdout.read()}{(folder / 'service.log').read_text()}"
            raise RuntimeError(f"it did not start: {text}")
        yield json.loads(line)
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
        assert code == 0, (folder / "service.log").read_text()
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


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
