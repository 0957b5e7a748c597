"""What browsers are told with every answer: nothing of others is loaded, framed, guessed or passed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
IMAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
"""Of an image that is opened by itself: whatever it holds, nothing of it runs."""
ALWAYS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), "
    + ", ".join(
        f"{name}=()"
        for name in (
            "accelerometer",
            "autoplay",
            "display-capture",
            "geolocation",
            "gyroscope",
            "hid",
            "magnetometer",
            "microphone",
            "midi",
            "payment",
            "serial",
            "usb",
            "xr-spatial-tracking",
        )
    ),
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
"""Unless an answer says something else under the same name."""


@dataclass(frozen=True)
class Headers:
    """Pure ASGI, around everything, so that refusals have them, too."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                names = {name.lower() for name, _ in headers}
                more = [(name, value) for name, value in _ENCODED if name not in names]
                message = {**message, "headers": headers + more}
            await send(message)

        await self.app(scope, receive, told)


_ENCODED: Final = [(name.encode("ascii"), value.encode("ascii")) for name, value in ALWAYS.items()]
