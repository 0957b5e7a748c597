"""``promptlet serve --engine ray`` on a cluster, in a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.isolated import ROOT
from benchmarks.serve.cluster.nodes import CPUS

NAME = "promptlet"
ENCODER, FRONT = f"ray::ServeReplica:{NAME}-encoders:", f"ray::ServeReplica:{NAME}:"
"""How the processes of the service call themselves."""
STARTING = 100.0
WAIT = 2.0
"""Seconds after which a request that no encoder takes is refused."""


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
