"""Small stand-ins for the parts of a server: a bank, an encoder, tokens. They know no model."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from fastapi import FastAPI

from promptlet.classifier.answers.deciding import Answer, Rule, decide
from promptlet.errors import (
    AnswerError,
    ImageError,
    OptionError,
    PromptFileError,
    PromptletError,
    ServiceError,
)
from promptlet.serve.app import create_app
from promptlet.serve.bank.answerers import FailedError
from promptlet.serve.http.bodies import Limits
from promptlet.serve.logs import logging_to
from promptlet.serve.meters import Meters

DIM = 4
BACKBONE = {"name": "fake", "fingerprint": "f" * 16, "feature_dim": DIM}
PNG = b"\x89PNG"
BROKEN_REASON = "its end is missing"
WAIT = b"wait"
CRASH = b"crash"


def image(number: int = 1) -> bytes:
    """What the encoder takes for an image; its features depend on ``number``."""
    return PNG + bytes([number % 256]) * 8


@dataclass(frozen=True)
class Listed:
    """As `serve.bank.listing` has it."""

    name: str
    digest: str
    reason: str = ""
    method: str = "rlp"
    classes: int = 3
    bytes: int = 9
    modified: float = 1.5
    state: str = "ready"


@dataclass(frozen=True)
class Answerer:
    """As far as routes look at it."""

    prompt: str
    digest: str
    names: tuple[str, ...]
    matrix: np.ndarray | None = None
    can_reject: bool = True


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


@dataclass
class Bank:
    """Prompts are lines of text: ``prompt cat dog``. One that holds ``crash`` fails as nobody expects."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    tenants: list[str] = field(default_factory=list)
    """Whose turn each answerer had."""
    hold: asyncio.Event | None = None
    """Answerers wait for it."""
    full: bool = False
    """Whether nothing more can be written."""

    def listed(self) -> list[Listed]:
        return [self._listed(name) for name in self.files]

    def get(self, name: str) -> Listed | None:
        return self._listed(name) if name in self.files else None

    def _listed(self, name: str) -> Listed:
        data = self.files[name]
        found = Listed(name, digest_of(data), bytes=len(data), classes=len(data.split()) - 1)
        if not data.startswith(b"prompt "):
            return replace(found, digest="", state="broken", reason=BROKEN_REASON, method="", classes=0)
        return found

    def _names(self, name: str) -> tuple[str, ...]:
        data = self.files[name]
        if not data.startswith(b"prompt "):
            raise PromptFileError(BROKEN_REASON)
        return tuple(data.decode().split()[1:])

    def facts(self, name: str) -> dict[str, Any]:
        return {"class_names": self._names(name), "rejection": True, "training": {"shots": np.int64(16)}}

    async def answerer(
        self,
        name: str,
        class_names: tuple[str, ...] | None = None,
        new_names: str | None = None,
        tenant: str = "",
    ) -> Answerer:
        self.tenants.append(tenant)
        if self.hold is not None:
            await self.hold.wait()
        own = self._names(name)
        if "crash" in own:
            raise RuntimeError("a secret of the inside")
        if new_names == "zero-shot":
            raise OptionError("new_names='zero-shot' is not possible with 'fake'")
        names = class_names or own
        matrix = None if "heads" in own else np.eye(len(names), DIM, dtype=np.float32)
        return Answerer(name, digest_of(self.files[name]), names, matrix, "never" not in own)

    async def answerers(
        self,
        prompts: Sequence[str],
        class_names: Iterable[str] | None = None,
        new_names: str | None = None,
        tenant: str = "",
    ) -> list[Answerer | PromptletError | KeyError]:
        self.asked.append(tuple(prompts))
        found: list[Answerer | PromptletError | KeyError] = []
        for name in prompts:
            try:
                names = None if class_names is None else tuple(class_names)
                found.append(await self.answerer(name, names, new_names, tenant))
            except (PromptletError, KeyError) as error:
                found.append(error)
            except RuntimeError:
                found.append(FailedError())
        return found

    async def put(self, name: str, data: bytes) -> Listed:
        if self.full:
            error = OSError(28, "No space left on device", "/secret/folder")
            raise PromptFileError(f"the prompt {name!r} cannot be saved: {error.strerror}") from error
        if name == name.upper():
            raise OptionError(f"{name!r} differs from another prompt by capitals alone")
        if not data.startswith(b"prompt "):
            raise PromptFileError("it does not begin as a prompt does")
        self.files[name] = data
        return self._listed(name)

    async def delete(self, name: str) -> None:
        del self.files[name]


def answer(
    answerers: Sequence[Any], features: np.ndarray, rule: Rule
) -> list[OptionError | list[Answer | AnswerError]]:
    """Probabilities fall from the class whose number the image's first feature is."""
    found: list[OptionError | list[Answer | AnswerError]] = []
    for one in answerers:
        if rule.accept is not None and not one.can_reject:
            found.append(OptionError("this prompt does not know 'none of these'"))
            continue
        row: list[Answer | AnswerError] = []
        for x in features:
            shares = np.full(len(one.names), 0.5 / len(one.names))
            shares[int(x[0]) % len(one.names)] += 0.5
            row.append(decide("", shares, one.names, rule))
        found.append(row)
    return found


@dataclass
class Encoder:
    """Takes what begins as a PNG for an image; ``wait`` lasts, and ``crash`` fails as nobody expects."""

    calls: list[tuple[list[bytes], str]] = field(default_factory=list)
    cancelled: int = 0
    error: Exception | None = None
    probes: int = 0
    stuck: bool = False

    async def encode(
        self, images: Sequence[bytes], tenant: str = "", deadline: float | None = None
    ) -> list[np.ndarray | ImageError]:
        self.calls.append((list(images), tenant))
        if self.error is not None:
            raise self.error
        await asyncio.sleep(0)
        if WAIT in images:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if CRASH in images:
            raise RuntimeError("a secret of the inside")
        return [_features(data) for data in images]

    async def probe(self) -> float:
        self.probes += 1
        await asyncio.sleep(0)
        if self.stuck:
            raise ServiceError("the encoder did not answer within 10 s")
        return 0.0125

    async def close(self, drain_seconds: float) -> None:
        """Nothing is open."""


def _features(data: bytes) -> np.ndarray | ImageError:
    if not data.startswith(PNG):
        return ImageError("cannot identify image file")
    found = np.array([data[-1], 0, 3, 4], np.float32)
    found.setflags(write=False)  # as those that are given to several
    return found


@dataclass(frozen=True)
class Caller:
    """As `serve.access.tokens` has it."""

    name: str
    is_admin: bool = False
    prompts: tuple[str, ...] = ()

    def may(self, prompt: str) -> bool:
        return self.is_admin or prompt in self.prompts


LOCAL = Caller("local", is_admin=True)
CALLERS = {
    "acme": Caller("acme", prompts=("pets", "broken", "heads", "never")),
    "other": Caller("other", prompts=("cars",)),
    "admin": Caller("admin", is_admin=True),
}


class Tokens:
    """The token is the caller's name."""

    def __init__(self, callers: Mapping[str, Caller] = CALLERS) -> None:
        self.callers = callers

    def caller(self, authorization: str | None) -> Caller:
        found = self.callers.get((authorization or "").removeprefix("Bearer "))
        if found is None:
            raise ServiceError("the token is not known here", status=401)
        return found


def some_prompts() -> dict[str, bytes]:
    return {
        "pets": b"prompt cat dog cow",
        "cars": b"prompt bus van",
        "broken": b"nothing",
        "heads": b"prompt heads tails",
        "never": b"prompt never ever",
    }


@dataclass
class Server:
    """An application over fakes, with what they are made of."""

    app: FastAPI
    bank: Bank
    encoder: Encoder
    meters: Meters
    reasons: list[str]
    """The last is why it is not ready."""


def serve(
    limits: Limits | None = None,
    tokens: Tokens | None = None,
    files: Mapping[str, bytes] | None = None,
    local: Caller = LOCAL,
    **more: Any,
) -> Server:
    """more: of `create_app`, also in the place of a stand-in."""
    bank = Bank(dict(some_prompts() if files is None else files))
    encoder, meters, reasons = Encoder(), Meters(), [""]
    parts: dict[str, Any] = {"bank": bank, "encoder": encoder, "tokens": tokens, "meters": meters}
    app = create_app(
        **(parts | more),
        limits=limits or Limits(),
        backbone_facts=BACKBONE,
        ready=lambda: reasons[-1],
        local=local,  # type: ignore[arg-type]
        answer=answer,
    )
    return Server(app, bank, encoder, meters, reasons)


@contextmanager
def capture_logs() -> Iterator[list[dict[str, Any]]]:
    """The lines of the log that are written inside, once that is left."""
    stream, lines = io.StringIO(), []  # type: ignore[var-annotated]
    with logging_to("json", "debug", stream):
        yield lines
    lines += map(json.loads, stream.getvalue().splitlines())
