"""What a page must never do: write errors, break its own policy, or ask anybody but its own server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Request

REPORTING = """addEventListener('securitypolicyviolation', (event) => console.error(
  `policy broken: ${event.violatedDirective} ${event.blockedURI} in ${event.sourceFile}`));"""
OFFLINE = re.compile(r"net::ERR_(CONNECTION|INTERNET|EMPTY|INCOMPLETE|SOCKET|NETWORK|ABORTED|CONTENT_LENGTH)")
OWN = ("blob:", "data:")


@dataclass
class Watch:
    """Faults so far. allowed: patterns of console errors that the test brings about itself."""

    origin: str
    faults: list[str] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        self.allowed.append(re.compile(pattern))

    def allow_outage(self) -> None:
        """The test takes the server or the network away: the browser itself tells so in the console."""
        self.allowed.append(OFFLINE)

    def on(self, context: BrowserContext) -> Watch:
        context.add_init_script(REPORTING)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"uncaught: {error.error}"))
        context.on("request", self._request)
        return self

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        self.requests.append(f"{request.method} {request.url}")
        if not request.url.startswith((f"{self.origin}/", *OWN)):
            self.faults.append(f"asks elsewhere: {request.url}")

    def told(self) -> list[str]:
        """Faults that nobody allowed."""
        return [one for one in self.faults if not any(pattern.search(one) for pattern in self.allowed)]
