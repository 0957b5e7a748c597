"""Who may ask: whoever has the start-up token, and from the page itself where a browser asks.

Another page in the same browser can have it send requests here. One of another site has not the cookie, but
one at another port of this machine counts as the same site: so browsers' own headers say which page asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from promptlet.serve.access.tokens import Caller
from promptlet.serve.http.exchange import Exchange
from promptlet.serve.http.problems import Problem
from promptlet.serve.http.shared import GUARDED
from promptlet.teach.http.names import Names
from promptlet.teach.http.token import StartToken

SAFE: Final = ("GET", "HEAD")
OPEN: Final = frozenset(("/healthz", "/readyz"))
OURS: Final = ("/v1/projects", "/v1/events")
OTHERS: Final = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/problems/")
"""What the paths of the server's own routes begin with."""
ICON: Final = "/favicon.ico"
"""Asked for by browsers beside a page that names no picture, such as the one without a token: there is none,
which is no fault that their consoles should tell."""
PAGE: Final = Caller("page", is_admin=True)
"""Who has the token may do everything: the server is theirs."""
_ORIGIN: Final = re.compile(r"https?://([^/\s@]+)", re.ASCII)
LONGEST: Final = 8192
"""Characters of cookies that are looked at."""


@dataclass(frozen=True)
class Guard:
    """Pure ASGI. names: of this server, which a browser may know it by. is_whole: else only the page and its
    projects are guarded, and the server's other routes are as they were."""

    app: ASGIApp
    token: StartToken
    names: Names
    is_whole: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, headers = str(scope["path"]), _headers(scope)
        if path == ICON:
            await Response(status_code=204)(scope, receive, send)
            return
        given = _token_of(scope) if path == "/" and scope["method"] == "GET" else None
        if given is not None and self.token.is_right(given):
            await _let_in(self.token, headers)(scope, receive, send)
            return
        refusal = self._refusal(scope, headers)
        if refusal is None:
            scope.setdefault("state", {})[GUARDED] = PAGE
            scope["state"]["tenant"] = PAGE.name
        elif guarded(self.is_whole, path):
            if _wants_page(scope, headers) and refusal.kind.status == 401:
                await HTMLResponse(_hint(given is not None), 401)(scope, receive, send)
            else:
                await Exchange(scope, send).refuse(refusal)
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Problem | None:
        """Why this is not from who has the token; None where it is."""
        if self.token.is_in(headers.get("authorization", "")):
            return None
        if not self.token.is_right(_cookie_of(headers, self.token.cookie)):
            return Problem(
                "unauthorised",
                "open the page by the address that promptlet teach printed when it started, with its token; "
                "programs send the header Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        if not self.names.has(headers.get("host", "")):
            return Problem(
                "wrong-host",
                f"this server is not called {headers.get('host', '')[:200]}; open it by the address that it "
                "printed when it started",
            )
        if scope["method"] not in SAFE:
            return None if _is_from_here(headers) else _foreign(headers)
        site = headers.get("sec-fetch-site", "same-origin")
        is_visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return None if site in ("same-origin", "none") or is_visit else _foreign(headers)


def guarded(is_whole: bool, path: str) -> bool:
    """Whether a path needs the token."""
    if path in OPEN:
        return False
    is_ours = any(path == one or path.startswith(f"{one}/") for one in OURS)
    is_others = path.startswith(OTHERS) and not is_ours
    return is_whole or not is_others


def _headers(scope: Scope) -> dict[str, str]:
    """By name, in small letters; of one that is there twice both, so that neither is right."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        joint = "; " if key == "cookie" else ", "
        found[key] = f"{found[key]}{joint}{text}" if key in found else text
    return found


def _token_of(scope: Scope) -> str | None:
    query = scope.get("query_string", b"").decode("latin-1")
    given = parse_qs(query[:LONGEST], keep_blank_values=True).get("token")
    return None if given is None else given[-1]


def _cookie_of(headers: dict[str, str], name: str) -> str:
    """Its value; empty where there is none."""
    try:
        jar: SimpleCookie = SimpleCookie(headers.get("cookie", "")[:LONGEST])
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


def _is_from_here(headers: dict[str, str]) -> bool:
    """Whether a browser says that this page asks: its origin is the host that is asked, and what browsers say
    of the site is the same. One of the two must be there."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is None:
        return site == "same-origin"
    found = _ORIGIN.fullmatch(origin)
    is_own = found is not None and found[1].lower() == headers.get("host", "").lower()
    return is_own and site in (None, "same-origin")


def _foreign(headers: dict[str, str]) -> Problem:
    where = headers.get("origin", "another page")[:200]
    return Problem(
        "foreign-page",
        f"this was asked by {where}, and only the page of this server may ask; open that one. Programs send "
        "the header Authorization: Bearer TOKEN, and no cookie",
    )


def _let_in(token: StartToken, headers: dict[str, str]) -> Response:
    """To the page, without the token in its address. Where a page of others led here, browsers hold the
    cookie back on a redirect: then a page of ours leads on."""
    site = headers.get("sec-fetch-site", "none")
    if site in ("none", "same-origin"):
        answer = Response(status_code=303, headers={"Location": "/"})
    else:
        answer = HTMLResponse(_ON)
    answer.headers["Set-Cookie"] = token.set_cookie()
    return answer


def _wants_page(scope: Scope, headers: dict[str, str]) -> bool:
    is_api = str(scope["path"]).startswith(OTHERS)
    return scope["method"] in SAFE and not is_api and "text/html" in headers.get("accept", "")


def _hint(was_wrong: bool) -> str:
    said = (
        "<p role='alert'><strong>This token is not right.</strong> Each start of the server has another one."
        if was_wrong
        else "<p>This page is only for you: it opens by the address that the server printed when it started."
    )
    return _HEAD + said + _FORM


_HEAD: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Promptlet: who are you?</title>"
    "<meta name=viewport content='width=device-width, initial-scale=1'><main><h1>Promptlet</h1>"
)
_FORM: Final = (
    "<p>Look at the window where <code>promptlet teach</code> runs. Open the address that stands there, or "
    "copy what stands behind <code>token=</code>:"
    "<form method=get action='/'><p><label>Token <input name=token type=password required autocomplete=off "
    "spellcheck=false></label> <button>Open</button></form></main></html>"
)
_ON: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Promptlet</title>"
    "<meta http-equiv=refresh content='0;url=/'><p><a href='/'>Open the page</a></html>"
)
