"""Chromium without a window, told what to do over two pipes (its DevTools protocol): no driver is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 60.0
_READS, _WRITES = 3, 4
"""The numbers of the pipes, as Chromium knows them."""


class Page:
    """An empty page, until it is sent somewhere."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = os.fdopen(reads, "rb", 0), os.fdopen(writes, "wb", 0)
        self._number, self._left, self._session = 0, b"", ""
        self._address = ""
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        attached = self.tell("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.tell("Page.enable")

    def go(self, address: str) -> None:
        """Send it to an address, as a browser writes it."""
        self._address = address
        self.tell("Page.navigate", url=address)

    def html(self) -> str:
        """As it stands now; nothing while it is on its way."""
        asked = f"location.href === {json.dumps(self._address)} && document.documentElement?.outerHTML || ''"
        return str(self.tell("Runtime.evaluate", expression=asked)["result"]["value"])

    def until(self, *words: str) -> str:
        """The page once it holds one of these words."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            html = self.html()
            if any(word in html for word in words):
                return html
            time.sleep(0.05)
        raise AssertionError(f"none of {words} in {self.html()}")

    def tell(self, method: str, **parameters: Any) -> Any:
        """The result of one command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        self._writes.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> Any:
        while b"\0" not in self._left:
            read = self._reads.read(1 << 16)
            assert read, "Chromium has ended"
            self._left += read
        text, _, self._left = self._left.partition(b"\0")
        return json.loads(text)

    def close(self) -> None:
        self._reads.close()
        self._writes.close()


@contextmanager
def browsing(home: Path) -> Iterator[Page]:
    """A browser of this block alone, with its files below ``home``."""
    to_browser, from_browser = os.pipe(), os.pipe()
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
    pipes = f'exec {_READS}<&{to_browser[0]} {_WRITES}>&{from_browser[1]}; exec "$@"'
    browser = subprocess.Popen(
        ["bash", "-c", pipes, "chromium", *command, f"--user-data-dir={home}"],
        pass_fds=(to_browser[0], from_browser[1]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    page = Page(from_browser[0], to_browser[1])
    try:
        yield page
    finally:
        page.close()
        browser.terminate()
        browser.wait(30)
