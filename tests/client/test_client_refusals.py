"""What goes wrong: servers that are busy, lost, strange or refuse; and tokens, which are never shown."""

from __future__ import annotations

import logging
import sys
from typing import Any

import httpx
import pytest
from fake_service import Fake, items
from loopback import as_json, listening, problem

from promptlet.client import Client
from promptlet.client.connection import FIRST_WAIT, is_loopback
from promptlet.errors import BusyError, MissingExtraError, OptionError, ServiceError

TOKEN = "pl_abc_TopSecret123"
BUSY = problem("busy", 503, "More is asked", "the queue is full", {"Retry-After": "2"})


def test_a_busy_server_is_asked_again_after_the_time_it_says(fake: Fake, waits: list[float]) -> None:
    replies = [BUSY, BUSY]
    fake.answer = lambda asked: replies.pop() if replies else as_json({"results": items(asked)})
    with fake.client() as client:
        assert client.predict(b"cat")[0].predictions[0].class_name == "cat"
    assert len(fake.asked) == 3 and len(waits) == 2
    assert all(2.0 <= wait <= 3.0 for wait in waits) and waits[0] != waits[1]
    assert fake.asked[0].images == fake.asked[2].images


@pytest.mark.parametrize("retries", [0, 2])
def test_one_that_stays_busy_is_told_as_such(fake: Fake, waits: list[float], retries: int) -> None:
    fake.answer = lambda _: BUSY
    with fake.client(retries=retries) as client, pytest.raises(BusyError) as caught:
        client.predict(b"cat")
    assert len(fake.asked) == retries + 1 and len(waits) == retries
    error = caught.value
    assert (error.status, error.retry_after, error.problem["title"]) == (503, 2.0, "More is asked")
    assert "http://127.0.0.1:8080: More is asked: the queue is full (try again in 2 s" in str(error)


def test_nobody_is_kept_waiting_for_long_or_by_nonsense(fake: Fake, waits: list[float]) -> None:
    fake.answer = lambda _: problem("busy", 503, "Busy", "", {"Retry-After": "3600"})
    with fake.client() as client, pytest.raises(BusyError, match="try again in 3600 s"):
        client.predict(b"cat")
    assert len(fake.asked) == 1 and waits == []
    fake.answer = lambda _: (503, {"Content-Type": "text/html", "Retry-After": "Wed, 21 Oct 2026"}, b"<p>")
    with fake.client() as client, pytest.raises(ServiceError, match="503 with text/html, not JSON"):
        client.predict(b"cat")
    assert len(fake.asked) == 5  # a proxy's 503 is asked again too
    assert [FIRST_WAIT * 2**i <= wait <= FIRST_WAIT * 2**i * 1.5 for i, wait in enumerate(waits)] == [
        True
    ] * 3


@pytest.mark.parametrize(
    ("error", "method", "times"),
    [
        (httpx.ConnectError("refused"), "DELETE", 4),
        (httpx.ConnectTimeout("slow"), "POST", 4),
        (httpx.ReadError("reset"), "POST", 4),
        (httpx.RemoteProtocolError("went away"), "GET", 4),
        (httpx.ReadError("reset"), "DELETE", 1),
        (httpx.ReadTimeout("slow"), "POST", 1),
        (httpx.ReadTimeout("slow"), "GET", 1),
    ],
    ids=repr,
)
def test_only_what_may_be_sent_twice_is(
    error: httpx.TransportError, method: str, times: int, waits: list[float]
) -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        raise error

    with (
        Client("http://127.0.0.1:1", TOKEN, transport=httpx.MockTransport(handle)) as client,
        pytest.raises(ServiceError, match=r"http://127.0.0.1:1.*(reached|lost|did not answer)") as caught,
    ):
        {"GET": client.prompts, "POST": lambda: client.predict(b"x"), "DELETE": lambda: client.delete("x")}[
            method
        ]()
    assert asked == [method] * times and len(waits) == times - 1
    assert caught.value.status == 0 and TOKEN not in str(caught.value)


def test_a_lost_connection_is_made_anew(fake: Fake) -> None:
    times = iter([httpx.ConnectError("refused"), httpx.ReadError("reset")])

    def handle(request: httpx.Request) -> httpx.Response:
        for error in times:
            raise error
        return fake.handle(request)

    with Client("http://127.0.0.1:1", transport=httpx.MockTransport(handle)) as client:
        assert client.predict(b"cat")[0].predictions[0].class_name == "cat"


def test_a_refusal_is_told_in_words_with_its_document(fake: Fake) -> None:
    fake.answer = lambda _: problem(
        "unknown-prompt", 404, "There is no such prompt", "no prompt is called 'pest'", prompt="pest"
    )
    with fake.client() as client, pytest.raises(ServiceError) as caught:
        client.predict(b"x", prompts="pest")
    told = caught.value
    assert str(told) == "http://127.0.0.1:8080: There is no such prompt: no prompt is called 'pest'"
    assert (told.status, told.problem["prompt"]) == (404, "pest") and len(fake.asked) == 1


HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ((200, HTML, b"<html>It works!"), "200 with text/html, not JSON"),
        ((404, HTML, b"<html>Not found"), "404 with text/html, not JSON"),
        ((500, {}, b"oops"), "500 with a document of no kind"),
        ((200, {"Content-Type": "application/json"}, b"{"), "200 with"),
        ((200, {"Content-Type": "application/json"}, b"[" * 100_000), "200 with"),
        (as_json({"message": "Not Found"}, 404), "404 without a reason"),
        (as_json([1, 2]), "another form"),
        (as_json({"results": []}), "another form"),
        (as_json({"results": [{"index": 0}]}), "another form"),
        (as_json({"results": [{"index": 7, "predictions": []}]}), "another form"),
        ((204, {}, b""), "another form"),
        ((502, {}, b""), "502 without a reason"),
    ],
    ids=range(12),
)
def test_what_is_no_server_of_ours_is_told_as_such(fake: Fake, reply: Any, told: str) -> None:
    fake.answer = lambda _: reply
    with fake.client() as client, pytest.raises(ServiceError, match="is no promptlet server") as caught:
        client.predict(b"x")
    assert told in str(caught.value) and "check the address" in str(caught.value)


def test_nobody_is_sent_elsewhere_with_a_token(fake: Fake) -> None:
    fake.answer = lambda _: (302, {"Location": "https://evil.example/v1/predict"}, b"")
    with (
        fake.client("https://a.example", TOKEN) as client,
        pytest.raises(ServiceError, match=r"sends elsewhere, to 'https://evil\.example"),
    ):
        client.predict(b"x")
    assert len(fake.asked) == 1


def test_a_token_is_never_shown(
    fake: Fake, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.answer = lambda asked: problem(
        "unauthorised", 401, "A valid token is needed", f"got {asked.headers['authorization']}", token=TOKEN
    )
    with fake.client(token=TOKEN) as client, pytest.raises(ServiceError) as caught:
        assert TOKEN not in repr(client) + str(client)
        client.predict(b"x")
    shown = f"{caught.value} {caught.value.problem} {caught.value!r} {caplog.text} {capsys.readouterr()}"
    assert "TopSecret" not in shown and "[token]" in str(caught.value)
    fake.answer = lambda _: (302, {"Location": f"https://x.example/?t={TOKEN}"}, b"")
    with fake.client(token=TOKEN) as client, pytest.raises(ServiceError) as caught:
        client.predict(b"x")
    assert "TopSecret" not in str(caught.value)


@pytest.mark.parametrize(
    "token", ["", "Top Secret", "TopSecret\n", "TopSecrét", "TopSecret\r\nX: y", "x" * 5000]
)
def test_a_token_that_is_none_is_refused_without_a_word_of_it(token: str) -> None:
    with pytest.raises(OptionError, match="the token is empty, or holds") as caught:
        Client("https://a.example", token)
    assert "TopSecr" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://localhost:1", True),
        ("http://[::1]:8080", True),
        ("https://prompts.example", True),
        ("http://prompts.example", False),
        ("http://10.0.0.3:8080", False),
        ("http://0.0.0.0:8080", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
    ],
)
def test_over_plain_http_a_token_goes_to_this_machine_alone(url: str, is_allowed: bool) -> None:
    Client(url).close()
    Client(url, TOKEN, allow_http=True).close()
    if is_allowed:
        Client(url, TOKEN).close()
        return
    with pytest.raises(OptionError, match="over plain http the token can be read") as caught:
        Client(url, TOKEN)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:8080", "did you mean http://localhost:8080?"),
        ("ftp://a.example", "no address of a server"),
        ("http://", "no address of a server"),
        ("", "no address of a server"),
        ("http://a.example:99999", "is no address"),
        ("http://[::1", "is no address"),
        ("https://a.example/?token=x", "no address of a server"),
        ("https://me:hunter2@a.example", "a user's name or password"),
    ],
)
def test_an_address_is_checked(url: str, told: str) -> None:
    with pytest.raises(OptionError) as caught:
        Client(url)
    assert told in str(caught.value) and "hunter2" not in str(caught.value)


def test_an_address_may_have_a_path(fake: Fake) -> None:
    with fake.client("https://a.example/prompts/") as client:
        client.predict(b"x")
        assert repr(client) == "Client('https://a.example/prompts')"
    assert fake.asked[0].path == "/prompts/v1/predict"


def test_this_machine_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with listening(lambda _: as_json({"prompts": []})) as server, Client(server.url, TOKEN) as client:
        assert client.prompts() == []
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert is_loopback("LOCALHOST.") and not is_loopback("localhost.example")


def test_whether_it_is_ready(fake: Fake, waits: list[float]) -> None:
    with fake.client() as client:
        fake.answer = lambda _: as_json({"status": "ready"})
        assert client.is_ready()
        fake.answer = lambda _: problem("not-ready", 503, "Not ready", "", {"Retry-After": "5"})
        assert not client.is_ready()
    assert [one.path for one in fake.asked] == ["/readyz"] * 2 and waits == []
    with Client("http://127.0.0.1:9", timeout=1) as nobody:
        assert not nobody.is_ready()


def test_without_httpx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptlet\[client\]'"):
        Client("http://127.0.0.1:8080")
