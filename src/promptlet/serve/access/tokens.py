"""Callers, and the tokens that tell them.

A token is ``pl_<id>_<secret>``: it is looked up by its id, and the SHA-256 of its secret is compared in a
time that does not depend on it. The secret has 256 bits of chance: its hash needs neither salt nor effort.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from pathlib import Path
from typing import Final

from promptlet.errors import PromptletError, ServiceError
from promptlet.serve.access.keeping import TOKEN, Entry, Identity, identity, read_entries

_HEADER: Final = re.compile(rf"bearer +{TOKEN}", re.ASCII | re.IGNORECASE)
_EXACT: Final = re.compile(TOKEN, re.ASCII)
LONGEST: Final = 300
"""Characters of a header that are looked at."""
AGAIN: Final = 1.0
"""Seconds after which the file is looked at again."""
_MAGIC: Final = re.compile(r"[*?\[]")
_logger = logging.getLogger("promptlet.serve")


class Unauthorised(ServiceError):  # noqa: N818 - what HTTP calls it
    """No token, or none that is known."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=401)


@dataclass(frozen=True)
class Caller:
    """Who asks: by the name of their token. patterns: the prompts that they may ask, by name or as in a
    shell; an admin may ask all."""

    name: str
    is_admin: bool = False
    patterns: tuple[str, ...] = ("*",)

    def may(self, prompt: str) -> bool:
        """Whether they may ask this prompt, and know that it is there."""
        return self.is_admin or prompt in self._names or self._pattern.fullmatch(prompt) is not None

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.patterns)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        magic = [translate(one) for one in self.patterns if _MAGIC.search(one)]
        return re.compile("|".join(magic) if magic else r"(?!)")


LOCAL: Final = Caller("local")
"""Whoever asks where there are no tokens: this machine alone, and no admin."""
_NOBODY: Final = (hashlib.sha256(b"nobody").digest(), Caller("nobody", patterns=()))
"""What a token with an unknown id is compared with, in the same time."""


class Tokens:
    """The tokens of a file, read again when it changed; a damaged one changes nothing, and is logged."""

    def __init__(
        self, path: Path, entries: Mapping[str, Entry], seen: Identity | None, clock: Callable[[], float]
    ) -> None:
        self.path = path
        self._clock = clock
        self._seen = seen
        self._looked = clock()
        self._one_reader = threading.Lock()
        self._known: dict[str, tuple[bytes, Caller]] = {}
        self._take(entries)

    @classmethod
    def read(cls, path: Path, clock: Callable[[], float] = time.monotonic) -> Tokens:
        """Those of a file. Raises OptionError where it cannot be read, or is damaged."""
        seen = identity(path)
        return cls(path, read_entries(path), seen, clock)

    def __len__(self) -> int:
        return len(self._known)

    def caller(self, authorization: str | None) -> Caller:
        """Who sends this header. Raises Unauthorised for anything but exactly a token that is known."""
        self._look_again()
        if not authorization:
            raise Unauthorised("no token was sent; send the header Authorization: Bearer pl_...")
        header = authorization if len(authorization) <= LONGEST else ""
        found = _HEADER.fullmatch(header)
        exact = _EXACT.fullmatch(header[header.rfind(" ") + 1 :]) if found else None
        if exact is None:
            raise Unauthorised(
                "the header Authorization holds no token of this form: Bearer pl_<id>_<secret>"
            )
        digest, caller = self._known.get(exact[1], _NOBODY)
        is_right = hmac.compare_digest(hashlib.sha256(exact[2].encode("ascii")).digest(), digest)
        if not is_right or caller is _NOBODY[1]:
            raise Unauthorised("the token is not known here; ask whoever runs this server for another one")
        return caller

    def refresh(self) -> None:
        """Read the file again where it is another one than before."""
        with self._one_reader:
            now = identity(self.path)
            if now == self._seen:
                return
            self._seen = now
            try:
                self._take(read_entries(self.path))
            except PromptletError as error:
                _logger.error("the tokens stay as they were: %s", error)
            else:
                _logger.info("tokens were read again: %d", len(self._known))

    def _look_again(self) -> None:
        """In a thread of its own: thousands of tokens take a moment, in which others are answered."""
        now = self._clock()
        if now - self._looked < AGAIN:
            return
        self._looked = now
        if identity(self.path) != self._seen and not self._one_reader.locked():
            threading.Thread(target=self.refresh, name="promptlet-tokens", daemon=True).start()

    def _take(self, entries: Mapping[str, Entry]) -> None:
        self._known = {
            key: (bytes.fromhex(one.sha256), Caller(one.name, one.admin, one.prompts))
            for key, one in entries.items()
        }
