"""uvicorn's server with our way to begin and end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn

from promptlet.errors import ServiceError
from promptlet.serve.addresses import Address, refused
from promptlet.serve.signals import stopped_by_signals

TICK: Final = 0.05


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
            with suppress(SystemExit):  # of newer versions of uvicorn; older ones return
                await super().startup(sockets)
        except OSError as error:
            await self.lifespan.shutdown()
            raise ServiceError(refused(self._address, error)) from None
        if self.lifespan.should_exit:
            raise ServiceError("the application did not start; the log above says why")
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
        with stopped_by_signals(self._stop, "what was being answered is lost"):
            yield

    def _stop(self) -> None:
        self.should_exit = True
