"""Pictures are loaded from public addresses alone, within bounds, and one that fails costs itself alone."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from promptlet.errors import ImageError
from promptlet.web import addresses
from promptlet.web.addresses import connect, is_public
from promptlet.web.loading import REDIRECTS, Loader, Stop, is_address

PICTURE = bytes(range(256)) * 40


class Pages(BaseHTTPRequestHandler):
    """What a server may do."""

    def do_GET(self) -> None:
        name, _, rest = self.path.strip("/").partition("/")
        getattr(self, f"get_{name}")(rest)

    def get_picture(self, rest: str) -> None:
        self.answer(200, PICTURE)

    def get_name(self, rest: str) -> None:
        self.answer(200, rest.encode())

    def get_missing(self, rest: str) -> None:
        self.answer(404, b"")

    def get_to(self, rest: str) -> None:
        self.answer(302, b"", Location=rest)

    def get_round(self, rest: str) -> None:
        left = int(rest)
        self.answer(307, b"", Location=f"/round/{left - 1}" if left else "/picture")

    def get_short(self, rest: str) -> None:
        self.answer(200, PICTURE[:99], length=len(PICTURE))

    def get_endless(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.drip(PICTURE, 0)

    def get_slow(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.drip(b"x", 0.05)

    def get_header(self, rest: str) -> None:
        self.drip(b"X", 0.05)

    def drip(self, data: bytes, seconds: float) -> None:
        until = time.monotonic() + 10
        try:
            while time.monotonic() < until:
                self.wfile.write(data)
                time.sleep(seconds)
        except OSError:
            pass

    def answer(self, code: int, content: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its address, on this machine."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def open_to_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine counts as public, for the test."""
    monkeypatch.setattr(addresses, "is_public", lambda number: number == "127.0.0.1" or is_public(number))


@pytest.mark.parametrize(
    "number",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::", "64:ff9b:1::1", "fec0::1", "192.0.0.192", "localhost"),
        *("", "1"),
    ],
)
def test_addresses_of_no_public(number: str) -> None:
    assert not is_public(number)


@pytest.mark.parametrize("number", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(number: str) -> None:
    assert is_public(number)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "0"])
def test_this_machine_is_not_reached_however_it_is_written(host: str, server: str) -> None:
    with pytest.raises(ImageError, match=r"no address of the public internet|is not found"):
        connect(host, int(server.rpartition(":")[2]), 1)


def test_the_number_that_was_judged_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere the second time gains nothing: it is looked up once."""
    asked: list[str] = []
    reached: list[tuple[str, int]] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        numbers = ["10.0.0.1", "93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]
        return [(2, 1, 6, "", (number, port)) for number in numbers]

    def reach(place: tuple[str, int], timeout: float) -> Any:
        reached.append(place)
        return "a channel"

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", reach)
    assert connect("rebinds.example", 80, 1) == "a channel"
    assert asked == ["rebinds.example"] and reached == [("93.184.216.34", 80)]


def test_all_addresses_of_a_name_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = [100.0], list[float]()

    def reach(place: tuple[str, int], timeout: float) -> Any:
        now[0] += timeout
        waited.append(timeout)
        raise TimeoutError("timed out")

    found = [(2, 1, 6, "", (f"8.8.8.{i}", 80)) for i in range(10)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", reach)
    monkeypatch.setattr(addresses, "monotonic", lambda: now[0])
    with pytest.raises(TimeoutError):
        connect("many.example", 80, 30)
    assert len(waited) == 10 and sum(waited) == pytest.approx(30)


def test_after_a_stop_no_more_are_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def load(self: Loader, address: str, file: Path) -> None:
        begun.append(address)
        time.sleep(0.05)
        if address.endswith("/0"):
            raise KeyboardInterrupt

    monkeypatch.setattr(Loader, "load", load)
    with pytest.raises(KeyboardInterrupt), Loader().together([f"https://a/{i}" for i in range(64)]):
        pass
    assert len(begun) < 64


@pytest.mark.usefixtures("open_to_here")
def test_what_is_loaded(server: str, tmp_path: Path) -> None:
    own = tmp_path / "own.png"
    own.write_bytes(b"own")
    given = [f"{server}/picture", str(own), f"{server}/to//picture", f"{server}/name/straße?a=b c"]
    with Loader().together(given) as (files, wrong):
        held = {path: Path(file).read_bytes() for path, file in files.items()}
        places = [Path(file) for path, file in files.items() if path != str(own)]
    assert wrong == {} and files[str(own)] == str(own)
    assert list(held.values()) == [PICTURE, b"own", PICTURE, b"stra%C3%9Fe?a=b%20c"]
    assert not any(place.exists() for place in places)


@pytest.mark.usefixtures("open_to_here")
@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("/missing", "answers 404 Not Found"),
        ("/short", "ended 10,141 bytes before the end"),
        ("/endless", "larger than 0.5 MiB"),
        (f"/round/{REDIRECTS}", f"more than {REDIRECTS} times"),
        ("/to/http://192.168.0.1/a.png", "leads to 192.168.0.1, which is no address of the public"),
        ("/to/http://[::1]/a.png", "leads to ::1, which is no address of the public"),
        ("/to/file:///etc/passwd", "only http and https are loaded, and this is 'file'"),
        ("/to/http://me:word@127.0.0.1/", "user's name or password"),
        ("/to/http://127.0.0.1:x/", "cannot be loaded (Port could not be cast"),
    ],
)
def test_what_is_not(page: str, told: str, server: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError) as error:
        Loader(max_bytes=2**19, seconds=5).load(server + page, tmp_path / "file")
    assert told in str(error.value) and str(error.value).startswith(f"{server}{page}: ")
    Loader().load(f"{server}/round/{REDIRECTS - 1}", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == PICTURE


@pytest.mark.usefixtures("open_to_here")
@pytest.mark.parametrize("page", ["/slow", "/header"])
def test_all_of_it_has_its_time_however_it_drips(page: str, server: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ImageError, match=r"it took more than 0.3 s"):
        Loader(seconds=0.3).load(server + page, tmp_path / "file")
    assert time.monotonic() - began < 3


@pytest.mark.usefixtures("open_to_here")
@pytest.mark.parametrize("page", ["/slow", "/header"])
def test_what_is_stopped_ends_at_once_and_no_other_begins(page: str, server: str) -> None:
    stop, found = Stop(), list[ImageError]()

    def load() -> None:
        with pytest.raises(ImageError) as error:
            b"".join(Loader().chunks(server + page, stop))
        found.append(error.value)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(stop._channels) < 2:
        time.sleep(0.001)
    time.sleep(0.05)
    began = time.monotonic()
    stop.set()
    for thread in threads:
        thread.join(5)
    assert time.monotonic() - began < 2 and len(found) == 2 and not stop._channels
    with pytest.raises(ImageError, match="it was given up"):
        list(Loader().chunks(f"{server}/picture", stop))


def test_nothing_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda number: True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ImageError, match=r"cannot be loaded \(.*refused"):
        Loader().load(f"http://127.0.0.1:{port}/a.png", tmp_path / "file")


def test_a_proxy_of_the_environment_is_not_asked(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, server)
    with pytest.raises(ImageError, match="no address of the public"):
        Loader().load("http://10.0.0.1/picture", tmp_path / "file")


@pytest.mark.parametrize("address", ["http:///a.png", "https://:80/a.png"])
def test_an_address_without_a_server(address: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="names no server"):
        Loader().load(address, tmp_path / "file")


def test_what_is_an_address() -> None:
    assert all(map(is_address, ["http://a", "HTTPS://a", "file:///a", "s3://bucket/a.png"]))
    assert not any(map(is_address, ["a.png", "C:\\a.png", "/a//b.png", "a:b.png", "://a"]))
