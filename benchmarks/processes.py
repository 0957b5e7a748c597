"""Whole processes: what they take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
KIB = 1 if sys.platform == "darwin" else 1024
"""What `ru_maxrss` counts in."""


LAUNCHER = (
    "import resource, subprocess, sys\n"
    "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    "sys.exit(code)\n"
)
"""The most memory of a process counts what it was forked from: so that is a small one."""


class Used(NamedTuple):
    """Seconds of CPU (user and system) and of wall time of a process."""

    cpu: float
    wall: float


def process(command: Sequence[str], environment: Mapping[str, str]) -> Used:
    """What it takes until it has ended. Raises RuntimeError where it fails."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    ) as child:
        assert child.stderr is not None
        said = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{list(command[1:4])} failed: {said.decode()[-500:]}")
    return Used(used.ru_utime + used.ru_stime, time.perf_counter() - began)


def peak_bytes(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """The most memory that a process holds until it has ended. Raises CalledProcessError where it fails."""
    launch = [sys.executable, "-S", "-c", LAUNCHER, *command]
    done = subprocess.run(launch, cwd=ROOT, check=True, capture_output=True, text=True, env=dict(environment))
    return int(done.stdout) * KIB


def with_sources(**more: str) -> dict[str, str]:
    """The environment of a process that imports this checkout."""
    path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    return {**os.environ, **more, "PYTHONPATH": path}
