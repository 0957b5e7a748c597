"""Pictures loaded from addresses into files of their own, for as long as they are looked at."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from promptlet.errors import ImageError, why
from promptlet.reasons import reason_of
from promptlet.web.addresses import connect

REDIRECTS = 5
AT_ONCE = 8
"""Pictures that are loaded at the same time."""
_CHUNK = 1 << 16
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SAFE = "%/:=&?~#+!$,;'@()*[]"


def is_address(text: str) -> bool:
    """Whether this is an address such as https://..., and no path."""
    return _SCHEME.match(text) is not None


@dataclass(frozen=True)
class Loader:
    """max_bytes: of one picture; seconds: until all of it is here, redirects included."""

    max_bytes: int = 32 * 2**20
    seconds: float = 30.0

    @contextmanager
    def together(self, paths: Sequence[str]) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
        """For each of ``paths`` a file that holds it, which is itself where it is no address; and reasons by
        address. What was loaded is gone after the block."""
        with tempfile.TemporaryDirectory(prefix="promptlet-") as folder:
            files = {path: path for path in paths}
            wrong: dict[str, str] = {}
            named = {path: Path(folder) / str(i) for i, path in enumerate(paths) if is_address(path)}
            pool = ThreadPoolExecutor(AT_ONCE)
            try:
                loaded = {path: pool.submit(self.load, path, file) for path, file in named.items()}
                for path, future in loaded.items():
                    try:
                        future.result()
                        files[path] = str(named[path])
                    except Exception as error:
                        del files[path]
                        wrong[path] = reason_of(error)
            finally:  # after a stop, nobody waits for those that were not begun
                pool.shutdown(cancel_futures=True)
            yield files, wrong

    def load(self, address: str, file: Path) -> None:
        """Write what lies at ``address`` into ``file``. Raises ImageError with the reason."""
        try:
            with file.open("wb") as out:
                for chunk in self.chunks(address):
                    out.write(chunk)
        except OSError as error:
            raise ImageError(f"{address}: cannot be written to {file.parent} ({why(error)})") from error

    def chunks(
        self, address: str, stop: Stop | None = None, seconds: float | None = None
    ) -> Generator[bytes, None, None]:
        """What lies at ``address``, as it comes, and whole only where no ImageError with a reason follows.
        seconds: for it, where that is less than the loader's own."""
        seconds = self.seconds if seconds is None else min(self.seconds, seconds)
        until = monotonic() + seconds
        stop = stop or Stop()
        place = address
        try:
            for _ in range(REDIRECTS + 1):
                with _answering(place, until, stop) as answer:
                    further = _further(answer)
                    if not further:
                        yield from self._read(answer, until, stop)
                        return
                place = urljoin(place, further)
        except ImageError as error:
            raise ImageError(f"{address}: {error}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = monotonic() >= until
            reason = f"it took more than {seconds:.3g} s" if late else f"{_kind(error)}{why(error)}"
            raise ImageError(f"{address}: cannot be loaded ({reason}); try again, or leave it out") from error
        raise ImageError(f"{address}: leads to other addresses more than {REDIRECTS} times; leave it out")

    def _read(self, answer: http.client.HTTPResponse, until: float, stop: Stop) -> Iterator[bytes]:
        if answer.status != 200:
            raise ImageError(f"the server answers {answer.status} {answer.reason}; check the address")
        length = 0
        while chunk := answer.read1(_CHUNK):
            length += len(chunk)
            if length > self.max_bytes:
                raise ImageError(f"it is larger than {self.max_bytes / 2**20:g} MiB; make it smaller first")
            yield chunk
        stop.check()
        if monotonic() >= until:  # it was cut
            raise TimeoutError
        if answer.length:  # announced and not sent
            raise ImageError(f"the connection ended {answer.length:,} bytes before the end; try again")


class Stop:
    """By which another thread ends what is being loaded: its connections are cut, and no other begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channels: set[socket.socket] = set()
        self._is_set = False

    def set(self) -> None:
        """End it."""
        with self._lock:
            self._is_set = True
            for channel in self._channels:
                _cut(channel)

    def check(self) -> None:
        """Raise ImageError where it is to end."""
        if self._is_set:
            raise ImageError("it was given up")

    @contextmanager
    def cutting(self, channel: socket.socket) -> Iterator[None]:
        """Inside, this one is cut."""
        with self._lock:
            self.check()
            self._channels.add(channel)
        try:
            yield
        finally:
            with self._lock:
                self._channels.remove(channel)


@contextmanager
def _answering(place: str, until: float, stop: Stop) -> Iterator[http.client.HTTPResponse]:
    """What the server there answers, within the time."""
    parts = _checked(place)
    stop.check()
    connection, channel = _connection(parts, max(until - monotonic(), 0.01))
    watch = threading.Timer(max(until - monotonic(), 0.01), _cut, [channel])
    watch.daemon = True
    watch.start()
    try:
        with stop.cutting(channel):
            if isinstance(channel, ssl.SSLSocket):
                channel.do_handshake()
            path = quote(parts.path or "/", safe=_SAFE)
            query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
            headers = {
                "User-Agent": "promptlet",
                "Accept": "image/*,*/*;q=0.5",
                "Accept-Encoding": "identity",
            }
            connection.request("GET", path + query, headers=headers)
            with connection.getresponse() as answer:
                yield answer
    finally:
        watch.cancel()
        connection.close()


def _further(answer: http.client.HTTPResponse) -> str:
    """Where the picture is instead, or nothing."""
    return answer.getheader("Location", "") if answer.status in (301, 302, 303, 307, 308) else ""


def _checked(place: str) -> SplitResult:
    parts = urlsplit(place)
    if parts.scheme not in ("http", "https"):
        raise ImageError(
            f"only http and https are loaded, and this is {parts.scheme!r}; give the file itself"
        )
    if parts.username is not None or parts.password is not None:
        raise ImageError("it holds a user's name or password, which would stand in results; leave them out")
    if not parts.hostname:
        raise ImageError("it names no server; write https://SERVER/PATH")
    return parts


def _connection(
    parts: SplitResult, seconds: float
) -> tuple[http.client.HTTPConnection, socket.socket | ssl.SSLSocket]:
    """Connected to a public address; over TLS, before its handshake, where the scheme says so. No proxy of
    the environment is used: it would look up the name anew."""
    host = parts.hostname or ""
    is_safe = parts.scheme == "https"
    port = parts.port or (443 if is_safe else 80)
    plain = host if host.isascii() else host.encode("idna").decode("ascii")
    kind = http.client.HTTPSConnection if is_safe else http.client.HTTPConnection
    connection = kind(plain, port, timeout=seconds)
    channel = connect(plain, port, seconds)
    if is_safe:
        tls = ssl.create_default_context()
        channel = tls.wrap_socket(channel, server_hostname=plain, do_handshake_on_connect=False)
    connection.sock = channel
    return connection, channel


def _cut(channel: socket.socket) -> None:
    """End a connection that is too slow, whatever waits for it."""
    with suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)


def _kind(error: Exception) -> str:
    return "its certificate is not trusted: " if isinstance(error, ssl.SSLCertVerificationError) else ""
