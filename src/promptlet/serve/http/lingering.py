"""A connection whose client is still sending is not closed at once.

Bytes that nobody read make the system cut a connection that is closed, and the answer, which was just
written, is lost on the way. So nothing more is read, and it is closed a moment later, when the client has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

LINGER: Final = 1.0
"""Seconds."""


class Lingering:
    """A transport. has_rest: whether the client is in the middle of a body."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, has_rest: Callable[[], bool]
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._has_rest = has_rest
        self._is_closing = False

    def close(self) -> None:
        """Now, or after the client had time to read."""
        if self.is_closing():
            return
        self._is_closing = True
        if self._has_rest():
            self._transport.pause_reading()
            self._loop.call_later(LINGER, self._transport.close)
        else:
            self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is, or is about to."""
        return self._is_closing or self._transport.is_closing()

    def resume_reading(self) -> None:
        """Not once it is to be closed."""
        if not self.is_closing():
            self._transport.resume_reading()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
