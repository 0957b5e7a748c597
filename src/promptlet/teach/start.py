"""A server with the page: `promptlet serve` over a folder of projects, with its routes and its guard."""

from __future__ import annotations

import asyncio
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.middleware import Middleware

from promptlet.errors import BackboneError, OptionError
from promptlet.serve import start
from promptlet.serve.addresses import Address
from promptlet.serve.http.shared import Added
from promptlet.serve.parts import Parts, backbone_name, open_place
from promptlet.serve.settings import MIB, ServeSettings, read_settings
from promptlet.serve.start import Adding, Started
from promptlet.teach.events import Events
from promptlet.teach.http.desk import Desk
from promptlet.teach.http.following import looking
from promptlet.teach.http.guard import Guard, guarded
from promptlet.teach.http.headers import Headers
from promptlet.teach.http.names import names_of
from promptlet.teach.http.routes import routes
from promptlet.teach.http.schemas import MODELS
from promptlet.teach.http.token import StartToken
from promptlet.teach.projects.shelf import Shelf
from promptlet.teach.projects.smalls import Smalls

if TYPE_CHECKING:
    from promptlet.teach.learning.learning import Learning

MINI: Final = "mini"


def adding(shelf: Shelf, is_whole: bool = True) -> Adding:
    """What makes a server one with the page. is_whole: whether all of it is guarded, else the page and its
    projects alone."""
    return Adding(partial(_added, shelf, is_whole), _names if is_whole else None, is_whole)


def _names(address: Address) -> frozenset[str] | None:
    return names_of(address).alone


def _added(shelf: Shelf, is_whole: bool, parts: Parts, address: Address, url: str) -> Added:
    token, events = StartToken(urlsplit(url).port or 80), Events()
    learning = _learning(shelf, events, parts)
    desk = Desk(shelf, Smalls(), events, learning, _backbone(parts))

    def changed(project: str, revision: int) -> None:
        events.tell(project, "state", {"revision": revision})
        learning.changed(project)

    @asynccontextmanager
    async def life() -> AsyncIterator[None]:
        try:
            async with looking(desk):
                yield
        finally:
            await asyncio.to_thread(learning.close)

    shelf.on_change = changed
    return Added(
        partial(routes, desk),
        lifespan=[life()],
        middleware=[Middleware(Guard, token=token, names=names_of(address), is_whole=is_whole)],
        around=Headers,
        models=MODELS,
        guards=partial(guarded, is_whole),
        page=f"{url}/?token={token.secret}",
    )


def _learning(shelf: Shelf, events: Events, parts: Parts) -> Learning:
    """It shares the features of images with the library, and tells the bank of prompts that are new."""
    from promptlet.data import FeatureCache
    from promptlet.teach.learning.learning import Learning

    return Learning(
        shelf,
        parts.backbone,
        cache=FeatureCache(),
        on_event=events.tell,
        saved=lambda project: parts.bank.refresh([project]),
        is_asked=lambda: bool(getattr(parts.encoder, "is_busy", False)),
    )


def _backbone(parts: Parts) -> dict[str, Any]:
    """What pages are told of it."""
    return {"name": parts.facts["name"], "input_size": max(parts.backbone.images.spec.size)}


def run(
    projects: Path,
    given: Mapping[str, Any],
    tell: Callable[[Started], None],
    backbone: str,
    is_opened: bool = True,
) -> None:
    """`promptlet teach`: serve until SIGTERM or Ctrl-C. given: settings of the server, None for none.
    backbone: where none is given, and no prompt names one. is_opened: whether the browser is to show it.

    Raises PromptletErrors where it cannot start.
    """
    shelf = Shelf(projects)

    def told(started: Started) -> None:
        tell(started)
        if is_opened:
            opening = threading.Thread(target=webbrowser.open, args=(started.page,), daemon=True)
            opening.name = "promptlet-browser"
            opening.start()

    try:
        settings = _settings(projects, given, backbone)
        start.run(settings, told, adding(shelf))
    except BackboneError as error:
        if given.get("backbone") == MINI:
            raise
        raise BackboneError(
            f"{str(error).rstrip('.')}. To look around without it: promptlet teach --backbone {MINI}, a "
            "small one that is in the package and knows drawn pictures alone"
        ) from error
    finally:
        shelf.close()


def run_beside(settings: ServeSettings, tell: Callable[[Started], None]) -> None:
    """`promptlet serve` with the setting ``projects``: its routes are as they were, and the page is there.
    Raises OptionError for settings that do not go together."""
    projects = Path(str(settings.projects))
    if settings.engine == "ray":
        raise OptionError("--set projects keeps a folder of this machine: it goes with --engine local alone")
    if settings.cors_origins:
        raise OptionError("--set projects and cors_origins do not go together: no other page may ask there")
    if "prompts" in settings.model_fields_set and Path(settings.prompts).resolve() != projects.resolve():
        raise OptionError(
            f"--prompts {settings.shown_prompts} is another folder than --set projects={projects}, where the "
            "page keeps its prompts; leave --prompts out, or name the same"
        )
    shelf = Shelf(projects)
    try:
        more = adding(shelf, is_whole=False)
        start.run(settings.model_copy(update={"prompts": str(projects)}), tell, more)
    finally:
        shelf.close()


def _settings(projects: Path, given: Mapping[str, Any], backbone: str) -> ServeSettings:
    """Room for photos as they are, and for slow ways to another machine, unless the environment says
    something else; one token, and no page of others."""
    own = {"max_body_bytes": 256 * MIB, "max_held_bytes": 1024 * MIB, "log_level": "warning"}
    own |= {"body_seconds": 300.0, "request_seconds": 300.0, "drain_seconds": 5.0}
    settings = read_settings({**given, "prompts": str(projects)})
    more = {name: value for name, value in own.items() if name not in settings.model_fields_set}
    never = {"token_file": None, "cors_origins": (), "engine": "local", "ray_address": None}
    settings = settings.model_copy(update={**more, **never})
    if settings.backbone is None:
        named = backbone_named_in(settings) or backbone
        settings = settings.model_copy(update={"backbone": named})
    return settings


def backbone_named_in(settings: ServeSettings) -> str:
    """The backbone that prompts in a folder of projects name; empty where there is none yet."""
    source = open_place(settings)
    return backbone_name(settings, source) if source.look() else ""
