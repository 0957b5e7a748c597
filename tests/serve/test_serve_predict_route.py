"""Predict and features: each image is encoded once, each thing that fails costs itself alone."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fakes import WAIT, Server, Tokens, capture_logs, image, serve
from starlette.testclient import TestClient
from test_serve_problems import check

from promptlet.errors import BusyError, OptionError, ServiceError
from promptlet.serve.http.bodies import Limits

BAD = b"no image"
PREDICT, FEATURES = "/v1/predict", "/v1/features"


@pytest.fixture
def server() -> Server:
    return serve()


@pytest.fixture
def client(server: Server) -> TestClient:
    return TestClient(server.app)


def body(*images: bytes, **fields: Any) -> dict[str, Any]:
    """As JSON."""
    return {"images": [base64.b64encode(one).decode() for one in images], **fields}


def ask(client: TestClient, *images: bytes, **fields: Any) -> Any:
    return client.post(PREDICT, json=body(*images, **fields))


# -- answers -----------------------------------------------------------------------------------------


def test_one_image_and_one_prompt(client: TestClient, server: Server) -> None:
    files = {"images": ("cow.png", image(2))}
    answer = client.post(PREDICT, files=files, data={"prompts": "pets", "top": "2"})
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    digest = server.bank.listed()[0].digest
    prediction = {
        "prompt": "pets",
        "digest": digest,
        "class_name": "cow",
        "top": [
            {"class_name": "cow", "probability": pytest.approx(2 / 3)},
            {"class_name": "cat", "probability": pytest.approx(1 / 6)},
        ],
    }
    results = [{"index": 0, "name": "cow.png", "predictions": [prediction]}]
    facts = {"name": "fake", "fingerprint": "f" * 16, "feature_dim": 4}
    assert answer.json() == {"backbone": facts, "results": results}


def test_images_are_encoded_once_for_any_number_of_prompts(client: TestClient, server: Server) -> None:
    found = ask(client, image(1), image(2), prompts=["pets", "cars", "heads", "pets"]).json()["results"]
    assert server.encoder.calls == [([image(1), image(2)], "local")]
    assert server.bank.asked == [("pets", "cars", "heads", "pets")]
    told = [[(one["prompt"], one["class_name"]) for one in row["predictions"]] for row in found]
    assert told == [
        [("pets", "dog"), ("cars", "van"), ("heads", "tails"), ("pets", "dog")],
        [("pets", "cow"), ("cars", "bus"), ("heads", "heads"), ("pets", "cow")],
    ]


def test_class_names_a_threshold_and_more_likely_ones_than_there_are(client: TestClient) -> None:
    names = ["big, red", "small"]
    found = ask(client, image(1), prompts="pets", class_names=names, threshold=0.9, top=9).json()
    (one,) = found["results"][0]["predictions"]
    assert one["class_name"] is None
    assert [each["class_name"] for each in one["top"]] == ["small", "big, red"]


def test_much_work_is_done_in_a_thread_and_answers_the_same(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ask(client, image(1), prompts=["pets", "cars"]).content
    moved: list[Any] = []

    async def moving(work: Callable[[], Any]) -> Any:
        moved.append(work)
        return work()

    monkeypatch.setattr("promptlet.serve.http.predict.IN_PLACE", 1)
    monkeypatch.setattr("promptlet.serve.http.predict.asyncio.to_thread", moving)
    assert ask(client, image(1), prompts=["pets", "cars"]).content == few and len(moved) == 1


def test_the_only_prompt_need_not_be_named() -> None:
    client = TestClient(serve(files={"pets": b"prompt cat dog"}).app)
    assert ask(client, image(1)).json()["results"][0]["predictions"][0]["prompt"] == "pets"
    for files, said in [({}, "none that you may ask"), ({"a": b"prompt a b", "b": b"prompt a b"}, "several")]:
        found = check(ask(TestClient(serve(files=files).app), image(1)), "wrong-fields")
        assert said in found["detail"] and found["errors"][0]["field"] == "prompts"


def test_the_only_prompt_is_the_only_one_that_the_token_may_see() -> None:
    client = TestClient(serve(tokens=Tokens()).app, headers={"Authorization": "Bearer other"})
    assert ask(client, image(1)).json()["results"][0]["predictions"][0]["prompt"] == "cars"


# -- what fails costs itself alone -------------------------------------------------------------------


def test_a_bad_image_costs_itself_alone(client: TestClient) -> None:
    files = [("images", (name, data)) for name, data in (("a", image(1)), ("b", BAD), ("c", image(2)))]
    first, second, third = client.post(PREDICT, files=files, data={"prompts": "pets"}).json()["results"]
    assert [one["predictions"][0]["class_name"] for one in (first, third)] == ["dog", "cow"]
    assert second["index"] == 1 and second["name"] == "b" and "predictions" not in second
    assert second["error"]["type"] == "/problems/bad-image"
    assert second["error"]["detail"] == "cannot identify image file"


def test_images_of_which_none_can_be_read_are_a_problem_with_results(client: TestClient) -> None:
    found = check(ask(client, BAD, prompts="pets"), "bad-image")
    assert found["detail"] == "cannot identify image file"
    found = check(ask(client, BAD, BAD, prompts="pets"), "bad-image")
    assert "none of 2 images can be read; the first:" in found["detail"]
    assert [(one["index"], one["error"]["status"]) for one in found["results"]] == [(0, 422), (1, 422)]


def test_a_broken_prompt_costs_itself_alone(client: TestClient) -> None:
    answer = ask(client, image(1), image(2), BAD, prompts=["broken", "pets"])
    assert answer.status_code == 200
    for row in answer.json()["results"][:2]:
        broken, fine = row["predictions"]
        assert broken["prompt"] == "broken" and broken["error"]["status"] == 409
        assert broken["error"]["detail"] == "its end is missing" and fine["class_name"]


def test_prompts_of_which_none_answers_are_a_problem_with_results(client: TestClient) -> None:
    found = check(ask(client, image(1), prompts="broken"), "broken-prompt")
    assert found["detail"] == "broken: its end is missing"
    assert found["results"][0]["predictions"][0]["error"]["status"] == 409
    found = check(ask(client, image(1), prompts=["broken", "broken"]), "broken-prompt")
    assert "none of 2 prompts can answer" in found["detail"]


def test_reject_is_refused_by_a_prompt_that_cannot(client: TestClient) -> None:
    knows, never = ask(client, image(1), prompts=["pets", "never"], reject=True).json()["results"][0][
        "predictions"
    ]
    assert knows["class_name"] and never["error"]["type"] == "/problems/cannot-answer"
    assert "does not know 'none of these'" in never["error"]["detail"]
    check(ask(client, image(1), prompts="never", reject=90), "cannot-answer")
    assert ask(client, image(1), prompts="never", reject=False).status_code == 200


def test_a_rule_for_names_that_a_method_does_not_have(client: TestClient) -> None:
    found = check(ask(client, image(1), prompts="pets", new_names="zero-shot"), "cannot-answer")
    assert "is not possible with 'fake'" in found["detail"]


def test_a_prompt_that_fails_as_nobody_expects_costs_itself_alone() -> None:
    server = serve(files={"pets": b"prompt cat dog cow", "odd": b"prompt crash it"})
    client = TestClient(server.app)
    answer = ask(client, image(1), image(2), prompts=["odd", "pets"])
    assert answer.status_code == 200 and "secret" not in answer.text
    for row in answer.json()["results"]:
        odd, fine = row["predictions"]
        assert odd["error"]["type"] == "/problems/internal" and fine["class_name"]
        assert "the server's log says why" in odd["error"]["detail"]
    found = check(ask(client, image(1), prompts="odd"), "internal")
    assert found["detail"].startswith("odd: this prompt failed") and found["results"]
    assert server.meters.registry.get_sample_value("promptlet_prompt_failures_total") == 2


def test_a_prompt_that_is_deleted_meanwhile_is_unknown(server: Server) -> None:
    async def gone(*asked: Any, tenant: str) -> list[Any]:
        return [KeyError("pets")]

    server.bank.answerers = gone  # type: ignore[method-assign]
    found = check(ask(TestClient(server.app), image(1), prompts="pets"), "unknown-prompt")
    assert found["results"][0]["predictions"][0]["error"]["status"] == 404


def test_a_prompt_that_is_being_written_is_asked_again_later(server: Server) -> None:
    async def busy(*asked: Any, tenant: str) -> list[Any]:
        return [BusyError("pets is being written", 1.5)]

    server.bank.answerers = busy  # type: ignore[method-assign]
    answer = ask(TestClient(server.app), image(1), prompts="pets")
    assert check(answer, "busy")["detail"] == "pets: pets is being written"
    assert answer.headers["retry-after"] == "2"


# -- refusals ----------------------------------------------------------------------------------------


def test_an_unknown_prompt_is_as_one_that_is_not_allowed() -> None:
    server = serve(tokens=Tokens())
    client = TestClient(server.app, headers={"Authorization": "Bearer acme"})
    answers = [ask(client, image(1), prompts=["pets", name]) for name in ("cars", "nope")]
    found = check(answers[0], "unknown-prompt")
    assert "'cars'" in found["detail"] and found["prompts"] == ["cars"]
    assert answers[0].text.replace("cars", "nope") == answers[1].text
    assert not server.encoder.calls and not server.bank.asked


def test_nothing_is_read_before_it_is_known_who_asks() -> None:
    server = serve(tokens=Tokens())

    async def ask_as(token: str) -> int:
        read = 0

        async def receive() -> dict[str, Any]:
            nonlocal read
            read += 1
            return {"type": "http.request", "body": b"", "more_body": False}

        sent = await raw(server.app, receive, [(b"authorization", token.encode())])
        assert sent[0]["status"] == 401
        return read

    assert asyncio.run(ask_as("Bearer nobody")) == 0
    found = check(TestClient(server.app).post(PREDICT), "unauthorised")
    assert "token" in found["detail"]
    assert TestClient(server.app).post(PREDICT).headers["www-authenticate"] == "Bearer"


def test_a_busy_server_says_when_to_ask_again(client: TestClient, server: Server) -> None:
    server.encoder.error = BusyError("256 images wait already", 2.5)
    for path in (PREDICT, FEATURES):
        answer = client.post(path, json=body(image(1), **({"prompts": "pets"} if path == PREDICT else {})))
        assert check(answer, "busy")["retry_after"] == 3 and answer.headers["retry-after"] == "3"


def test_an_encoder_that_does_not_work_is_told(client: TestClient, server: Server) -> None:
    server.encoder.error = ServiceError("the encoder is gone")
    assert check(ask(client, image(1), prompts="pets"), "not-ready")["detail"] == "the encoder is gone"


def test_more_images_than_the_queue_ever_holds_are_too_many(client: TestClient, server: Server) -> None:
    server.encoder.error = OptionError("9 images are more than 8")
    check(ask(client, image(1), prompts="pets"), "body-too-large")


def test_too_many_answers_are_refused_before_any_work(server: Server) -> None:
    server = serve(Limits(max_answers=3))
    client = TestClient(server.app)
    assert ask(client, image(1), prompts="pets", top=3).status_code == 200
    before = len(server.encoder.calls)
    check(ask(client, image(1), image(2), prompts="pets", top=3), "body-too-large")
    assert len(server.encoder.calls) == before


# -- time, and clients that go away --------------------------------------------------------------------

Receive = Callable[[], Any]


async def raw(
    app: Any, receive: Receive, headers: list[tuple[bytes, bytes]], query: bytes = b"prompts=pets"
) -> list[Any]:
    """What an application sends."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PREDICT,
        "raw_path": PREDICT.encode(),
        "scheme": "http",
    }
    scope |= {"headers": headers, "query_string": query, "root_path": "", "server": ("x", 1)}
    await app(scope, receive, send)
    return sent


def waiting(server: Server, goes: bool) -> list[Any]:
    """An image that takes long; the client goes away while it is encoded, or stays."""

    async def run() -> list[Any]:
        whole = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not whole.is_set():
                whole.set()
                return {"type": "http.request", "body": WAIT, "more_body": False}
            while not (goes and server.encoder.calls):
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        return await raw(server.app, receive, [(b"content-type", b"image/png")])

    return asyncio.run(run())


def test_a_client_that_goes_away_ends_its_work(server: Server) -> None:
    with capture_logs() as lines:
        assert waiting(server, goes=True) == []
    assert server.encoder.cancelled == 1
    assert [(line["event"], line["status"]) for line in lines] == [("request", 499)]
    assert b'status="499"} 1.0' in server.meters.text()


def test_what_takes_too_long_is_given_up() -> None:
    server = serve(Limits(request_seconds=0.02))
    start, rest = waiting(server, goes=False)
    found = json.loads(rest["body"])
    assert start["status"] == 503 and found["type"] == "/problems/late" and "within 0.02 s" in found["detail"]
    assert (b"retry-after", b"1") in start["headers"] and server.encoder.cancelled == 1


def held_names(server: Server) -> int:
    """The status of an image's answer where the text side waits for ever; nothing goes on after it."""

    async def run() -> Any:
        server.bank.hold = asyncio.Event()
        pending = [{"type": "http.request", "body": image(1), "more_body": False}]

        async def receive() -> dict[str, Any]:
            if pending:
                return pending.pop()
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        sent = await raw(server.app, receive, [(b"content-type", b"image/png")])
        await asyncio.sleep(0)  # what was cancelled ends
        assert len(asyncio.all_tasks()) == 1
        return sent[0]["status"]

    return int(asyncio.run(run()))


def test_names_that_take_too_long_free_the_images_too(server: Server) -> None:
    """The text side waits for ever; the image is encoded, and nothing goes on after the time."""
    server = serve(Limits(request_seconds=0.02))
    assert held_names(server) == 503 and len(server.encoder.calls) == 1


def test_a_full_queue_ends_the_reading_of_names(server: Server) -> None:
    server.encoder.error = BusyError("full")
    assert held_names(server) == 503


# -- features ----------------------------------------------------------------------------------------


def test_features_are_normalised_and_of_a_named_model(client: TestClient) -> None:
    found = client.post(FEATURES, json=body(image(1), BAD, image(0))).json()
    assert found["model"] == "f" * 16
    first, bad, last = found["results"]
    x = np.array([1, 0, 3, 4], np.float32)
    np.testing.assert_allclose(first["features"], x / np.linalg.norm(x), rtol=1e-6)
    assert last["features"] == pytest.approx([0, 0, 0.6, 0.8]) and last["index"] == 2
    assert bad["error"]["type"] == "/problems/bad-image"


def test_features_of_many_images_are_written_in_a_thread(client: TestClient) -> None:
    found = client.post(FEATURES, json=body(*[image(i) for i in range(20)])).json()["results"]
    assert [one["index"] for one in found] == list(range(20))


def test_features_of_no_image_that_can_be_read(client: TestClient) -> None:
    found = check(client.post(FEATURES, json=body(BAD, BAD)), "bad-image")
    assert len(found["results"]) == 2 and "no image can be read" in found["detail"]


def test_features_take_images_alone(client: TestClient) -> None:
    found = check(client.post(FEATURES, json=body(image(1), prompts="pets")), "wrong-fields")
    assert "'prompts' is no field of this; allowed: images." in found["detail"]


# -- addresses ---------------------------------------------------------------------------------------


def by_url(*urls: str) -> dict[str, Any]:
    return {"images": [{"url": url} for url in urls], "prompts": "pets"}


def test_no_address_is_loaded_unless_it_is_allowed(client: TestClient, server: Server) -> None:
    found = check(client.post(PREDICT, json=by_url("https://example.com/a.jpg")), "wrong-fields")
    assert (
        "this server loads no addresses" in found["detail"] and found["errors"][0]["field"] == "images[0].url"
    )
    assert not server.encoder.calls


@pytest.mark.parametrize("url", ["/etc/passwd", "file:///etc/passwd", "ftp://x/y", "", "http://a b", "a.jpg"])
def test_an_address_is_one_of_the_web(url: str) -> None:
    client = TestClient(serve(Limits(allow_urls=True)).app)
    answer = client.post(PREDICT, json=by_url(url))
    assert answer.status_code == 422 and "root:" not in answer.text


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a.jpg", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest"]
)
def test_private_addresses_are_not_loaded_and_tell_nothing(url: str) -> None:
    client = TestClient(serve(Limits(allow_urls=True)).app)
    found = check(client.post(PREDICT, json=by_url(url)), "bad-image")
    assert found["detail"].startswith("its address leads to no server of the public internet")
