"""The parts of a server, each made of settings: the backbone, the bank, the encoder, the application."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promptlet.promptfile.backbone import without_folders
from promptlet.serve.access.tokens import Tokens
from promptlet.serve.http.limits import HeldBytes, RequestId, layers
from promptlet.serve.logs import flush
from promptlet.serve.named import Named, backbone_of, named_by
from promptlet.serve.settings import ServeSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from promptlet.backbones import Backbone
    from promptlet.data import FeatureCache
    from promptlet.serve.bank import Bank, Source
    from promptlet.serve.encoder import Encoder, LocalEncoder
    from promptlet.serve.http.shared import Added
    from promptlet.serve.meters import Meters

LEAVE_SECONDS = 0.5
LAST_SECONDS = 5.0
"""For an encoder to end, once nobody waits for it."""
LEAST_CLASS_BYTES = 64 << 20
"""Of class features, that a request may need whatever is kept."""
_logger = logging.getLogger("promptlet.serve")


@dataclass(frozen=True)
class Parts:
    """What a server is made of, besides its application. facts: what is told of the backbone."""

    backbone: Backbone
    bank: Bank
    encoder: Encoder
    meters: Meters
    tokens: Tokens | None
    facts: Mapping[str, Any]


def make_parts(settings: ServeSettings, tokens: Tokens | None) -> Parts:
    """All of them, after the prompts were looked at. Raises PromptletError."""
    meters = make_meters()
    source = open_place(settings)
    backbone = make_backbone(settings, source)
    bank = make_bank(settings, source, backbone, meters)
    encoder = make_encoder(settings, backbone, meters)
    return Parts(backbone, bank, encoder, meters, tokens, backbone_facts(backbone))


def make_meters() -> Meters:
    """Counters of this server alone."""
    from promptlet.serve.meters import Meters

    return Meters()


def open_place(settings: ServeSettings) -> Source:
    """Where the prompt files lie."""
    from promptlet.serve.bank import open_source

    return open_source(settings.prompts)


def make_backbone(settings: ServeSettings, source: Source) -> Backbone:
    """The one of the settings, else the one that the prompt files name."""
    name = backbone_name(settings, source)
    from promptlet.backbones import load_backbone

    return load_backbone(name, settings.device, settings.dtype)


def backbone_name(settings: ServeSettings, source: Source) -> str:
    """That of the settings, else that which the prompt files tell. Raises OptionError, BackboneError."""
    return settings.backbone or backbone_of(_named(source), settings.shown_prompts)


def _named(source: Source) -> Iterator[Named]:
    from promptlet.serve.bank.sources import side_by_side

    def read(prompt: str) -> Named:
        try:
            return named_by(prompt, source.read(prompt))
        except OSError:  # the bank says why
            return Named(prompt)

    return side_by_side(source, read, [name for name, seen in source.look().items() if not seen.problem])


def make_bank(settings: ServeSettings, source: Source, backbone: Backbone, meters: Meters) -> Bank:
    """The prompts over a backbone, after a first look at all of them."""
    from promptlet.serve.bank import Bank

    return Bank(
        source,
        backbone,
        memory_bytes=settings.class_bytes,
        cache=class_cache_of(settings),
        queue=settings.queue_prompts,
        tenant_share=tenant_share_of(settings),
        wait_seconds=settings.wait_seconds,
        meters=meters,
    )


def tenant_share_of(settings: ServeSettings) -> float:
    """Of what is bounded for all; without tokens there is one tenant."""
    return settings.tenant_share if settings.token_file else 1.0


def class_cache_of(settings: ServeSettings) -> FeatureCache | None:
    """Where features of classes are kept on the disk; a folder of their own beside the images' cache."""
    from promptlet.data.cache.features import default_folder
    from promptlet.serve.bank.disk import class_cache

    if settings.class_cache == "off":
        return None
    return class_cache(settings.class_cache or default_folder() / "classes")


def make_encoder(settings: ServeSettings, backbone: Backbone, meters: Meters) -> LocalEncoder:
    """What encodes images, in this process."""
    from promptlet.serve.encoder import LocalEncoder

    return LocalEncoder(
        backbone,
        most=settings.batch,
        queue_images=settings.queue_images,
        wait_seconds=settings.wait_seconds,
        tenant_share=tenant_share_of(settings),
        recent_bytes=settings.recent_bytes,
        max_pixels=settings.max_pixels,
        stuck_seconds=settings.stuck_seconds,
        meters=meters,
        on_stuck=leave,
    )


def make_app(
    settings: ServeSettings,
    parts: Parts,
    names: Collection[str] | None,
    reason: Callable[[], str],
    added: Added | None = None,
) -> ASGIApp:
    """The application with its limits. names: that it answers to, None for all. reason: why the server is not
    ready, empty where it is. added: what another room adds to it."""
    from promptlet.serve.app import create_app
    from promptlet.serve.bank import watching
    from promptlet.serve.http.bodies import Limits
    from promptlet.serve.http.urls import Urls

    limits = Limits(
        max_body_bytes=settings.max_body_bytes,
        max_images=settings.max_images,
        max_prompts=settings.max_prompts,
        max_class_names=settings.max_class_names,
        max_answers=settings.max_answers,
        max_prompt_bytes=settings.max_prompt_bytes,
        max_class_bytes=max(settings.class_bytes, LEAST_CLASS_BYTES),
        max_urls=settings.max_urls,
        metrics_open=settings.metrics_open,
        request_seconds=settings.request_seconds,
        allow_urls=settings.allow_urls,
    )
    held = HeldBytes(
        settings.max_held_bytes,
        parts.meters.held_body_bytes.set,
        tenant_share=tenant_share_of(settings),
        least=settings.max_body_bytes,
    )
    urls = Urls(
        limits,
        held=held,
        meters=parts.meters,
        tenant_share=tenant_share_of(settings),
        wait_seconds=settings.wait_seconds,
    )
    app = create_app(
        bank=parts.bank,
        encoder=parts.encoder,
        tokens=parts.tokens,
        limits=limits,
        meters=parts.meters,
        backbone_facts=parts.facts,
        ready=reason,
        urls=urls,
        lifespan=[watching(parts.bank)],
        middleware=layers(settings, held, names),
        added=added,
    )
    return RequestId(app) if added is None else added.around(RequestId(app))


def backbone_facts(backbone: Backbone) -> dict[str, Any]:
    """What is told of a backbone, without the folder that it lies in."""
    return {
        "name": without_folders(backbone.name),
        "fingerprint": backbone.fingerprint,
        "feature_dim": backbone.feature_dim,
        "device": str(backbone.device),
        "dtype": backbone.arithmetic,
    }


def leave(reason: str) -> None:
    """The process ends in a moment, when those who wait have heard why: threads that hang would hold it for
    ever. Whoever runs it starts it anew."""
    _logger.critical("the server ends with exit code 1, to be started anew: %s", reason)
    flush()
    try:
        threading.Thread(target=_end, name="promptlet-leave", daemon=True).start()
    except RuntimeError:  # there is no room for a thread
        os._exit(1)


def _end() -> None:
    time.sleep(LEAVE_SECONDS)
    flush()
    os._exit(1)
