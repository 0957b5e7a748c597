"""Requests as the client makes them: whom a token is sent to, what is asked again, refusals in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from random import SystemRandom
from time import sleep
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from promptlet.client.answers import in_words
from promptlet.errors import BusyError, MissingExtraError, OptionError, ServiceError, shown, why

if TYPE_CHECKING:
    import httpx

MOST_WAIT = 60.0
"""Seconds: who is told to come back later than this is not kept waiting, but told."""
FIRST_WAIT = 0.5
"""Seconds before a connection is tried again; twice as many before the next."""
REPEATABLE = ("GET", "POST", "PUT")
"""That may be sent again although the server may have had them: images are only looked at, and a prompt file
replaces itself. Of a second DELETE one could not tell whether the first had come."""
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_chance = SystemRandom()


def import_httpx() -> ModuleType:
    """Raises MissingExtraError."""
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError(
            "asking a server needs the optional package httpx: pip install 'promptlet[client]'"
        ) from error
    return httpx


class Connection:
    """To one server, from any number of threads. Never shows its token."""

    def __init__(
        self,
        url: str,
        token: str | None,
        timeout: float,
        retries: int,
        allow_http: bool,
        transport: httpx.BaseTransport | None,
    ) -> None:
        self.url, self.retries = url.rstrip("/"), retries
        place = _checked(self.url)
        if token is not None and not _TOKEN.fullmatch(token):
            raise OptionError(
                "the token is empty, or holds spaces or characters that no token has; give it as it was made"
            )
        is_near = is_loopback(place.hostname or "")
        if token is not None and place.scheme == "http" and not (is_near or allow_http):
            raise OptionError(
                f"{self.url}: over plain http the token can be read by everybody on the way; give an "
                "https:// address, or allow it with allow_http=True (--allow-http) in a network of your own"
            )
        self._token = token
        httpx = import_httpx()
        head = {"Accept": "application/json, application/problem+json", "User-Agent": "promptlet"}
        if token is not None:
            head["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=self.url,
            headers=head,
            timeout=timeout,
            transport=transport,
            trust_env=not is_near,  # no proxy stands between this machine and itself
            follow_redirects=False,  # which could lead the token elsewhere
        )

    def close(self) -> None:
        """Close what is open; nothing can be asked afterwards."""
        self._http.close()

    def status(self, path: str) -> int:
        """The status of one GET, never asked again; 0 where nobody answers."""
        httpx = import_httpx()
        try:
            return int(self._http.get(path).status_code)
        except httpx.TransportError:
            return 0

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """The answer, as JSON says it; None where it is empty.

        content: as httpx takes it. Asked again, up to ``retries`` times: where the server is busy (503),
        after the time that it says; where it cannot be reached, and the request may be sent twice. Raises
        BusyError, ServiceError.
        """
        return self._read(self._answer(method, path, content))

    def ask_for(self, path: str, kind: str) -> tuple[bytes, Mapping[str, str]]:
        """The same for a document of this kind, as it is, and the head of the answer."""
        answer = self._answer("GET", path, {"headers": {"Accept": kind}})
        if not answer.is_success:
            self._read(answer)
        if answer.headers.get("Content-Type") != kind:
            raise self.stranger(f"its answer to {path} has another form")
        return answer.content, answer.headers

    def _answer(self, method: str, path: str, content: Mapping[str, Any]) -> httpx.Response:
        for attempt in range(self.retries + 1):
            is_last = attempt == self.retries
            try:
                answer = self._send(method, path, content)
            except _UnreachedError as error:
                if is_last or not error.is_repeatable:
                    raise ServiceError(str(error)) from error.__cause__
                sleep(_with_chance(FIRST_WAIT * 2**attempt))
                continue
            if answer.status_code != 503:
                return answer
            wait = _retry_after(answer, FIRST_WAIT * 2**attempt)
            if is_last or wait > MOST_WAIT:
                raise self._busy(answer, wait, attempt + 1)
            answer.close()
            sleep(_with_chance(wait))
        raise AssertionError  # the last attempt returns or raises

    def _send(self, method: str, path: str, content: Mapping[str, Any]) -> httpx.Response:
        httpx = import_httpx()
        try:
            return self._http.request(method, path, **content)  # type: ignore[no-any-return]
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _UnreachedError(
                f"{self.url} cannot be reached ({why(error)}); is it running, and is the address right?", True
            ) from error
        except httpx.TimeoutException as error:  # who waits too long must not ask twice as much
            seconds = self._http.timeout.read
            raise _UnreachedError(
                f"{self.url} did not answer within {seconds:g} s; send fewer images at once, or wait longer "
                "(timeout=)",
                False,
            ) from error
        except httpx.TransportError as error:
            raise _UnreachedError(
                f"{self.url}: the connection was lost ({why(error)}); try again", method in REPEATABLE
            ) from error
        except httpx.DecodingError as error:
            raise self.stranger(f"its answer cannot be unpacked: {error}") from error

    def _read(self, answer: httpx.Response) -> Any:
        """What an answer holds, with whatever is no success raised as ServiceError."""
        if 300 <= answer.status_code < 400:
            place = shown(self._safe(answer.headers.get("Location", "")), 200)
            raise ServiceError(
                f"{self.url} sends elsewhere, to {place}; give the address of the server itself",
                answer.status_code,
            )
        found = self._document(answer)
        if answer.is_success:
            return found
        if not isinstance(found, dict) or "title" not in found:
            raise self.stranger(f"it answers {answer.status_code} without a reason", answer.status_code)
        raise ServiceError(f"{self.url}: {in_words(found)}", answer.status_code, found)

    def _document(self, answer: httpx.Response) -> Any:
        """The JSON of an answer; a refusal without the token, should a server repeat it."""
        if not answer.content:
            return None
        text = answer.text if answer.is_success else self._safe(answer.text)
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        try:
            if not kind.endswith(("/json", "+json")):
                raise ValueError(f"{kind or 'a document of no kind'}, not JSON")
            import json

            return json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = f"it answers {answer.status_code} with {why(error)}"
            raise self.stranger(reason, answer.status_code) from None

    def _busy(self, answer: httpx.Response, wait: float, times: int) -> ServiceError:
        found = self._document(answer)
        words = in_words(found) if isinstance(found, dict) else "it is busy"
        asked = "" if times == 1 else f"; it was asked {times} times"
        error = BusyError(f"{self.url}: {words} (try again in {wait:g} s{asked})", wait)
        error.problem = found if isinstance(found, dict) else {}
        return error

    def stranger(self, reason: str, status: int = 0) -> ServiceError:
        """That this is no server of ours, or one of another version."""
        return ServiceError(
            f"{self.url} is no promptlet server, or one of another version ({reason}); check the address",
            status,
        )

    def _safe(self, text: str) -> str:
        return text.replace(self._token, "[token]") if self._token else text


class _UnreachedError(Exception):
    """No answer came. is_repeatable: whether the same may be sent again."""

    def __init__(self, message: str, is_repeatable: bool) -> None:
        super().__init__(message)
        self.is_repeatable = is_repeatable


def _checked(url: str) -> SplitResult:
    try:
        place = urlsplit(url)
        _ = place.port
    except ValueError as error:
        raise OptionError(
            f"{shown(url)} is no address ({error}); write https://HOST or http://HOST:PORT"
        ) from None
    if place.scheme not in ("http", "https") or not place.hostname or place.query or place.fragment:
        hint = f"; did you mean http://{url}?" if re.fullmatch(r"[\w.-]+:\d+", url) else ""
        raise OptionError(
            f"{shown(url)} is no address of a server; write https://HOST or http://HOST:PORT{hint}"
        )
    if "@" in place.netloc:
        raise OptionError("the address holds a user's name or password; leave them out, and give a token")
    return place


def is_loopback(host: str) -> bool:
    """Whether this is the machine itself, so that nothing is sent over a network."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def _retry_after(answer: httpx.Response, otherwise: float) -> float:
    """Seconds. A date, which our server never gives, counts as nothing said."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", said) else otherwise


def _with_chance(wait: float) -> float:
    """A bit longer, each time another bit: who was refused together does not come back together."""
    return wait + _chance.uniform(0.0, max(wait, FIRST_WAIT) / 2)
