"""A Ray cluster of a head and two nodes in this machine, and the processes of each."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STORE = 80 * 2**20
"""Bytes of shared memory of a node."""
HEARTBEATS = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
CPUS = 2
"""Of each of the two nodes, and of an encoder: a node has room for one."""


class Nodes:
    """A head with one processor, for a front, and two nodes for an encoder each. The environment of this
    process is theirs."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        os.environ["PYTHONPATH"] = ":".join(path for path in sys.path if path)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        config = dict(HEARTBEATS)  # Ray adds its own to it
        head = {"num_cpus": 1, "object_store_memory": STORE, "_system_config": config}
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
