"""An encoder that hangs, fails on everything, or whose thread dies: told by /readyz, then the process leaves,
and whoever waits hears of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import live_material as material
import pytest
from bank_prompts import fitted
from live_server import Live, Reply, serving
from tools.watching import wait_until

from promptlet.promptfile import dumps

pytestmark = pytest.mark.slow
STUCK_SECONDS = 4.0
BROKEN = str(Path(__file__).parent / "broken_server.py")


@pytest.fixture(scope="module")
def prompt(mini: Any) -> bytes:
    return dumps(fitted(mini, "rlp"))


@contextmanager
def breaking(prompt: bytes, folder: Path, how: str) -> Iterator[tuple[Live, Path]]:
    """A server, and the file that breaks it once it is there."""
    material.write(folder / "prompts", pets=prompt)
    when = folder / "break"
    environment = {"BREAK": how, "BREAK_FILE": str(when)}
    options = [f"stuck_seconds={STUCK_SECONDS}", "wait_seconds=30", "recent_bytes=0"]
    with serving(folder / "prompts", *options, program=[BROKEN], environment=environment, code=1) as live:
        assert live.predict([material.jpeg(1)], ["pets"]).status == 200
        assert live.get("/readyz").status == 200
        yield live, when


def in_background(live: Live) -> tuple[threading.Thread, list[Reply]]:
    """Somebody who asks meanwhile."""
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(live.predict([material.jpeg(2)], ["pets"])))
    thread.start()
    return thread, replies


def test_one_that_hangs_is_not_ready_then_the_process_leaves(
    prompt: bytes, tmp_path: Path, figure: Any
) -> None:
    with breaking(prompt, tmp_path, "stuck") as (live, when):
        when.touch()
        began = time.monotonic()
        thread, replies = in_background(live)
        time.sleep(1.2)
        wait_until(lambda: live.get("/readyz").status == 503, 3, "it says that it is ready")
        noticed = time.monotonic() - began
        assert live.get("/healthz").status == 200
        ready = live.get("/readyz")
        assert ready.json["type"] == "/problems/not-ready" and int(ready.headers["retry-after"]) >= 1
        assert live.get("/v1/prompts").status == 200
        assert live.ended(2.5 * STUCK_SECONDS) == 1
        took = time.monotonic() - began
        thread.join(5)
    [reply] = replies
    assert reply.status == 503 and "nothing is answered any more" in reply.json["detail"]
    assert "the server ends with exit code 1, to be started anew" in live.log()
    figure(f"/readyz says so after {noticed:.1f} s, the process left after {took:.1f} s")


@pytest.mark.parametrize(("how", "why"), [("raises", "it fails on all"), ("dies", "a thread of it died")])
def test_one_that_died_takes_the_process_along(prompt: bytes, tmp_path: Path, how: str, why: str) -> None:
    with breaking(prompt, tmp_path, how) as (live, when):
        when.touch()
        thread, replies = in_background(live)
        assert live.ended(10) == 1
        thread.join(5)
    [reply] = replies
    assert reply.status == 503 and reply.json["type"] == "/problems/not-ready" and why in reply.json["detail"]
    assert f"the server ends with exit code 1, to be started anew: {why}" in live.log()


def test_one_that_dies_while_nobody_asks_is_found_by_the_probe(prompt: bytes, tmp_path: Path) -> None:
    with breaking(prompt, tmp_path, "raises") as (live, when):
        when.touch()
        time.sleep(1.2)  # what the last probe said is told no longer
        assert live.get("/readyz").status == 503
        assert live.ended(10) == 1
