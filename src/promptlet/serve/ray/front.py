"""A process of the cluster that answers HTTP: the whole application, whose images are encoded by others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ray.util import get_node_ip_address

from promptlet.errors import ServiceError
from promptlet.serve import parts as made
from promptlet.serve.access.tokens import Tokens
from promptlet.serve.addresses import address_of, bound
from promptlet.serve.logs import logging_to
from promptlet.serve.parts import Parts
from promptlet.serve.ray.remote import RemoteEncoder
from promptlet.serve.server import Server
from promptlet.serve.settings import ServeSettings
from promptlet.serve.start import Started, config_of, names_of, room_for, told

if TYPE_CHECKING:
    from promptlet.serve.bank import Bank
    from promptlet.serve.meters import Meters

EVERYWHERE = ("0.0.0.0", "::")


class Front:
    """Listens at the host and port of the settings, on the node where it runs.

    given: settings. encoders: the handle of the deployment of `ClusterEncoder`. It keeps nothing but what can
    be had again: its bank is read from the place of the prompts. Several of a node share the port.
    """

    async def __init__(self, given: Mapping[str, Any], encoders: Any) -> None:  # type: ignore[misc]
        """Awaited by Ray."""
        settings = ServeSettings.model_construct(**given)
        self._open = ExitStack()
        self._open.enter_context(logging_to(settings.log_format, settings.log_level))
        address = address_of(settings.host, settings.port)
        tokens = None if settings.token_file is None else Tokens.read(settings.token_file)
        sock = bound(address, is_shared=True)
        try:
            room_for(settings.connections)
            parts = await self._parts(settings, tokens, encoders)
            app = made.make_app(settings, parts, names_of(address, parts), self._reason)
            seconds = await parts.encoder.probe()
            listening = asyncio.Event()
            config = config_of(settings, app)
            self._server = Server(config, address, settings.leave_seconds, listening.set)
            self._serving = asyncio.create_task(self._server.serve(sockets=[sock]))
            waiting = asyncio.create_task(listening.wait())
            await asyncio.wait((self._serving, waiting), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            await self.check_health()
        except BaseException:
            sock.close()
            raise
        self._told = _reached(settings, told(settings, parts, sock, seconds))

    async def _parts(self, settings: ServeSettings, tokens: Tokens | None, encoders: Any) -> Parts:
        """The encoders tell of their own backbone."""
        meters = made.make_meters()
        bank = await asyncio.to_thread(_bank, settings, meters)
        self._open.callback(bank.close)
        backbone, seconds = bank.backbone, settings.wait_seconds
        encoder = RemoteEncoder(encoders, backbone.fingerprint, wait_seconds=seconds, meters=meters)
        return Parts(backbone, bank, encoder, meters, tokens, await encoder.facts())

    def _reason(self) -> str:
        return "the server is being stopped" if self._server.should_exit else ""

    async def told(self) -> Started:
        """What is said once it listens."""
        return self._told

    async def check_health(self) -> None:
        """Asked by Ray now and then: raises where it does not listen any more."""
        if self._serving.done():
            self._serving.result()
            raise ServiceError("this front does not listen any more")

    async def end(self) -> None:
        """What was accepted is finished."""
        if hasattr(self, "_serving"):
            self._server.should_exit = True
            await asyncio.wait((self._serving,))
        self._open.close()


class FrontReplica(Front):
    """The same as Ray ends it, which awaits this method."""

    async def __del__(self) -> None:
        await self.end()


def _bank(settings: ServeSettings, meters: Meters) -> Bank:
    """That of a front: its backbone is on the processor, for texts alone."""
    source = made.open_place(settings)
    backbone = made.make_backbone(settings.model_copy(update={"device": "cpu"}), source)
    return made.make_bank(settings, source, backbone, meters)


def _reached(settings: ServeSettings, started: Started) -> Started:
    """With the address of this node, where it listens at all of them."""
    if settings.host not in EVERYWHERE:
        return started
    own = get_node_ip_address()
    url = f"http://{f'[{own}]' if ':' in own else own}:{started.url.rpartition(':')[2]}"
    return replace(started, url=url, example=started.example.replace(started.url, url))
