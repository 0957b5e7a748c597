"""uvicorn's server with our way to begin and end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn

from promptlet.errors import ServiceError
from promptlet.serve.addresses import Address, refused
from promptlet.serve.logs import flush

STOPS: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
TICK: Final = 0.05
_logger = logging.getLogger("promptlet.serve")


class Server(uvicorn.Server):
    """Ends quietly at a signal, at once at a second Ctrl-C. on_listening: called when it can be asked.

    leave_seconds: after a signal, how long it is still asked, while it says that it is not ready, so that
    whoever sends requests here finds another place.
    """

    def __init__(
        self, config: uvicorn.Config, address: Address, leave_seconds: float, on_listening: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._address = address
        self._leave_seconds = leave_seconds
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises ServiceError where the application does not begin, or the port was taken meanwhile."""
        try:
            await super().startup(sockets)
        except OSError as error:
            await self.lifespan.shutdown()
            raise ServiceError(refused(self._address, error)) from None
        except SystemExit:
            raise ServiceError("the application did not start; the log above says why") from None
        self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Be asked a while longer, then finish what was accepted."""
        self.server_state.is_leaving = True  # type: ignore[attr-defined]
        loop = asyncio.get_running_loop()
        until = loop.time() + self._leave_seconds
        while loop.time() < until and not self.force_exit:
            await asyncio.sleep(TICK)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Inside, signals end the server; they are not raised again behind it, as uvicorn does."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in STOPS if hasattr(signal, name)]
        before = {one: signal.getsignal(one) for one in numbers}
        own = [one for one, handler in before.items() if handler is not signal.SIG_IGN]
        for one in own:
            signal.signal(one, self.handle_exit)
        try:
            yield
        finally:
            for one in own:
                signal.signal(one, before[one])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as Python calls it
        """The first signal begins the end. Clusters repeat theirs, which changes nothing; a person who
        presses Ctrl-C again means it."""
        if not self.should_exit:
            self.should_exit = True
            _logger.info("stopping: %s", signal.Signals(sig).name)
        elif sig == signal.SIGINT:
            _logger.warning("ended at once; what was being answered is lost")
            flush()
            os._exit(128 + sig)
