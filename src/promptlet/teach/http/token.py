"""The start-up token of a page: who opens the address that the server printed is let in, and nobody else."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

LONGEST: Final = 300
"""Characters of a token, or a header, that are looked at."""
_BEARER: Final = "bearer "


@dataclass(frozen=True)
class StartToken:
    """port: of the server, for cookies are of a machine and not of a port."""

    port: int
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def cookie(self) -> str:
        """What its cookie is called."""
        return f"promptlet-teach-{self.port}"

    def is_right(self, given: str) -> bool:
        """Whether this is the token; the time does not tell how much of it is right."""
        return hmac.compare_digest(_digest(given[:LONGEST]), _digest(self.secret))

    def is_in(self, authorization: str) -> bool:
        """Whether the header Authorization holds it."""
        is_bearer = authorization[: len(_BEARER)].lower() == _BEARER
        return is_bearer and self.is_right(authorization[len(_BEARER) :].strip())

    def set_cookie(self) -> str:
        """For this browser, until it is closed; not told to scripts, nor sent for pages of others."""
        return f"{self.cookie}={self.secret}; Path=/; HttpOnly; SameSite=Strict"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
