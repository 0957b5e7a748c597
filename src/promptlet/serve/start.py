"""A server from its settings: what is said of it, how it begins and ends.

The port is taken before anything heavy is loaded, and listened at once an image went through the encoder.
SIGTERM and Ctrl-C: not ready from then on, no new connections, what was accepted is finished, exit code 0.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import shlex
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from promptlet.errors import OptionError
from promptlet.serve import parts as made
from promptlet.serve.access.tokens import Tokens
from promptlet.serve.addresses import Address, address_of, bound, url_of
from promptlet.serve.http.connections import HEAD_BYTES, Bounds, protocol_class
from promptlet.serve.http.limits import LOOPBACK
from promptlet.serve.http.shared import Added
from promptlet.serve.logs import logging_to
from promptlet.serve.memory import keep_freed_memory
from promptlet.serve.parts import Parts
from promptlet.serve.server import Server
from promptlet.serve.settings import ServeSettings

_logger = logging.getLogger("promptlet.serve")


@dataclass(frozen=True)
class Started:
    """What is said once a server listens. broken: prompts that are not served, with the reason of each."""

    url: str
    prompts: str
    ready: int
    broken: tuple[tuple[str, str], ...]
    backbone: dict[str, Any]
    needs_token: bool
    example: str
    probe_seconds: float
    engine: str
    page: str = ""

    def facts(self) -> dict[str, Any]:
        """For machines."""
        broken = [{"name": name, "reason": reason} for name, reason in self.broken]
        told = {**asdict(self), "broken": broken, "metrics": f"{self.url}/metrics"}
        return told if self.page else {key: value for key, value in told.items() if key != "page"}


@dataclass(frozen=True)
class Adding:
    """What another room adds to a server. make: given its parts, and the address that it listens at and is
    asked at. names: that it answers to, None for all; left out: those of a server without it. is_guarded:
    whether who has no token is told nothing, so that others may reach it."""

    make: Callable[[Parts, Address, str], Added]
    names: Callable[[Address], frozenset[str] | None] | None = None
    is_guarded: bool = False


def run(settings: ServeSettings, tell: Callable[[Started], None], adding: Adding | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C. tell: called once it listens. adding: what another room adds.

    Raises OptionError for settings that do not go together; other PromptletErrors where it cannot start.
    """
    if settings.ray_address is not None:
        raise OptionError(f"--ray-address {settings.ray_address} goes with --engine ray alone")
    with logging_to(settings.log_format, settings.log_level):
        address = address_of(settings.host, settings.port)
        if adding is None or not adding.is_guarded:
            check_access(settings, address)
        tokens = None if settings.token_file is None else Tokens.read(settings.token_file)
        if tokens is not None and not len(tokens):
            _logger.warning(
                "%s holds no token yet: nobody can ask; promptlet serve-token", settings.token_file
            )
        with closing(bound(address)) as sock:
            room_for(settings.connections)
            keep_freed_memory()
            parts = made.make_parts(settings, tokens)
            asyncio.run(_serve(settings, parts, address, sock, tell, adding))
        _logger.info("stopped")


def check_access(settings: ServeSettings, address: Address) -> None:
    """Raise OptionError where others could reach a server that has no tokens."""
    if settings.token_file is None and not address.is_loopback:
        raise OptionError(
            f"--host {settings.host} can be reached by others, who need tokens: promptlet serve-token "
            "tokens.toml --name ME makes one, then give --token-file tokens.toml; or leave --host out to "
            "serve this machine alone"
        )


async def _serve(
    settings: ServeSettings,
    parts: Parts,
    address: Address,
    sock: socket.socket,
    tell: Callable[[Started], None],
    adding: Adding | None,
) -> None:
    server: Server | None = None

    def reason() -> str:
        return "the server is being stopped" if server is not None and server.should_exit else ""

    try:
        added = None if adding is None else adding.make(parts, address, url_of(sock))
        names = adding.names(address) if adding and adding.names else names_of(address, parts)
        app = made.make_app(settings, parts, names, reason, added)
        seconds = await parts.encoder.probe()
        gc.collect()
        gc.freeze()  # the model and the bank stay: to look through them takes as long as many an answer
        server = Server(
            config_of(settings, app),
            address,
            settings.leave_seconds,
            lambda: tell(told(settings, parts, sock, seconds, "" if added is None else added.page)),
        )
        await server.serve(sockets=[sock])
    finally:
        await parts.encoder.close(0.0 if server is None else made.LAST_SECONDS)
        parts.bank.close()


def names_of(address: Address, parts: Parts) -> frozenset[str] | None:
    """The names that a server without tokens answers to: those of this machine alone."""
    own = f"[{address.host}]" if ":" in address.host else address.host
    return LOOPBACK | {own} if parts.tokens is None else None


def config_of(settings: ServeSettings, app: ASGIApp) -> uvicorn.Config:
    """How uvicorn runs it: our protocol, our lines of log, no version told, nobody's headers believed."""
    bounds = Bounds(settings.head_seconds, settings.body_seconds, settings.connections)
    return uvicorn.Config(
        app,
        http=protocol_class(bounds),
        ws="none",
        loop="asyncio",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=math.ceil(settings.keep_alive_seconds),
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
        h11_max_incomplete_event_size=HEAD_BYTES,
    )


def told(
    settings: ServeSettings, parts: Parts, sock: socket.socket, seconds: float, page: str = ""
) -> Started:
    """What there is, and how to ask."""
    listed = parts.bank.listed()
    ready = sorted(one.name for one in listed if one.state == "ready")
    broken = tuple((one.name, one.reason) for one in listed if one.state != "ready")
    url = url_of(sock)
    return Started(
        url=url,
        prompts=settings.shown_prompts,
        ready=len(ready),
        broken=broken,
        backbone=dict(parts.facts),
        needs_token=parts.tokens is not None,
        example=how_to_ask(url, ready[0] if ready else "", parts.tokens is not None),
        probe_seconds=seconds,
        engine=settings.engine,
        page=page,
    )


def how_to_ask(url: str, prompt: str, needs_token: bool) -> str:
    """A line for a shell."""
    token = ' -H "Authorization: Bearer $TOKEN"' if needs_token else ""
    if not prompt:
        return f"curl{token} {url}/v1/prompts"
    return f"curl{token} -F images=@photo.jpg -F prompts={shlex.quote(prompt)} {url}/v1/predict"


def room_for(connections: int) -> None:
    """Let the process have as many files open, as far as the system allows."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        wanted = connections + 512
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            if most < wanted:
                _logger.warning(
                    "%d files may be open here; --set connections=%d fits", most, max(most - 512, 1)
                )
