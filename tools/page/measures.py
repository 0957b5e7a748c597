"""What a page costs: bytes and requests of its first load, times of its frames, memory of its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FRAMES = """() => {
  const seen = { last: 0, times: [], over: false };
  globalThis.framesSeen = seen;
  const tick = (now) => {
    if (seen.last) seen.times.push(now - seen.last);
    seen.last = now;
    if (!seen.over) requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}"""


@dataclass
class Load:
    """Requests that were answered so far, by path, and their bytes on the wire, heads included."""

    paths: list[str] = field(default_factory=list)
    bytes: int = 0


@contextmanager
def loading(page: Page) -> Iterator[Load]:
    """What a page asks for while the block runs."""
    session, load = page.context.new_cdp_session(page), Load()

    def finished(event: dict[str, Any]) -> None:
        load.bytes += int(event["encodedDataLength"])

    session.on("Network.responseReceived", lambda event: load.paths.append(event["response"]["url"]))
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    yield load
    session.detach()


@contextmanager
def frames(page: Page) -> Iterator[list[float]]:
    """Milliseconds between the frames of a block; they are there when it ends."""
    times: list[float] = []
    page.evaluate(FRAMES)
    yield times
    times += page.evaluate("() => { framesSeen.over = true; return framesSeen.times; }")


def share(times: list[float], part: float) -> float:
    """The time that this part of the frames did not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def in_words(times: list[float]) -> str:
    late = sum(time > 50 for time in times)
    return (
        f"{len(times)} frames, median {median(times):.0f} ms, 95 % within {share(times, 0.95):.0f} ms, "
        f"longest {max(times):.0f} ms, {late} beyond 50 ms"
    )


def tab_mib(browser: Browser, what: str = "VmRSS") -> float:
    """Memory of the largest process that shows a page; VmHWM: the most so far."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return max(_mib(one["id"], what) for one in processes if one["type"] == "renderer")


def _mib(process: int, what: str) -> float:
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(text.split(f"{what}:")[1].split()[0]) / 1024
