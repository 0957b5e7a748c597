"""A server in a process of its own, for as long as it is measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.isolated import ROOT

START_SECONDS = 300


@dataclass
class Server:
    """Where it listens, its process, and how long its start took."""

    port: int
    process: subprocess.Popen[str]
    start_s: float

    @property
    def resident_bytes(self) -> int:
        """Of its memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(text.split("VmRSS:")[1].split()[0]) * 1024

    @property
    def cpu_s(self) -> float:
        """Seconds that its threads computed so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(prompts: Path, backbone: str, *options: str) -> Iterator[Server]:
    """``promptlet serve`` on a free port, ready; it is told to stop at the end."""
    words = ["serve", "--prompts", str(prompts), "--backbone", backbone, "--port", "0", "--json", *options]
    log = (prompts.parent / "server.log").open("w", encoding="utf-8")
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "promptlet", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()  # it is written when requests are answered
        if not line:
            raise RuntimeError(
                f"the server did not start: {Path(log.name).read_text(encoding='utf-8')[-500:]}"
            )
        told = json.loads(line)
        yield Server(int(told["url"].rsplit(":", 1)[1].strip("/")), process, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
