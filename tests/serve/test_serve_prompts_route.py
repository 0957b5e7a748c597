"""Prompts are listed to those who may ask them, and changed by admins, whole and not blindly."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
import pytest
from fakes import Caller, Server, Tokens, digest_of, serve, some_prompts
from starlette.testclient import TestClient
from test_serve_problems import check

from promptlet.serve.http.bodies import Limits

NEW = b"prompt one two"
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def server() -> Server:
    return serve(tokens=Tokens())


def client_of(server: Server, token: str) -> TestClient:
    return TestClient(server.app, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def admin(server: Server) -> TestClient:
    return client_of(server, "admin")


@pytest.fixture
def acme(server: Server) -> TestClient:
    return client_of(server, "acme")


def tag(data: bytes) -> str:
    return f'"{digest_of(data)}"'


PETS = some_prompts()["pets"]

# -- lists -------------------------------------------------------------------------------------------


def test_a_list_holds_what_the_caller_may_ask(admin: TestClient, acme: TestClient) -> None:
    everything = admin.get("/v1/prompts").json()
    assert [one["name"] for one in everything["prompts"]] == sorted(some_prompts())
    assert everything["count"] == 5 and everything["next"] is None
    own = acme.get("/v1/prompts").json()
    assert [one["name"] for one in own["prompts"]] == ["broken", "heads", "never", "pets"]
    assert own["count"] == 4


def test_an_entry_says_what_is_known_and_why_one_is_broken(admin: TestClient) -> None:
    broken, cars, *_ = admin.get("/v1/prompts").json()["prompts"]
    assert broken["state"] == "broken" and broken["reason"] == "its end is missing"
    assert cars == {
        "name": "cars",
        "state": "ready",
        "reason": "",
        "digest": digest_of(b"prompt bus van"),
        "method": "rlp",
        "classes": 2,
        "bytes": 14,
        "modified": 1.5,
    }


def test_pages_of_a_list_meet(admin: TestClient, server: Server) -> None:
    server.bank.files = {f"p{i:03}": NEW for i in range(25)}
    names: list[str] = []
    query: dict[str, Any] = {"limit": 10}
    sizes = []
    while True:
        page = admin.get("/v1/prompts", params=query).json()
        names += [one["name"] for one in page["prompts"]]
        sizes.append(len(page["prompts"]))
        assert page["count"] == 25
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert names == sorted(server.bank.files) and sizes == [10, 10, 5]


def test_a_page_goes_on_where_a_prompt_was_deleted(admin: TestClient, server: Server) -> None:
    server.bank.files = dict.fromkeys("abcd", NEW)
    assert admin.get("/v1/prompts?limit=2").json()["next"] == "b"
    del server.bank.files["b"]
    found = admin.get("/v1/prompts?limit=2&after=b").json()
    assert [one["name"] for one in found["prompts"]] == ["c", "d"] and found["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=10001", "limit=-1", "limit=", "page=2"])
def test_a_wrong_page_is_told(query: str, admin: TestClient) -> None:
    check(admin.get(f"/v1/prompts?{query}"), "wrong-fields")


# -- one ---------------------------------------------------------------------------------------------


def test_one_prompt_is_told_with_its_facts(acme: TestClient) -> None:
    answer = acme.get("/v1/prompts/pets")
    found = answer.json()
    assert found["name"] == "pets" and found["state"] == "ready" and found["rejection"] is True
    assert found["class_names"] == ["cat", "dog", "cow"] and found["training"] == {"shots": 16}
    assert answer.headers["etag"] == tag(PETS) and answer.headers["cache-control"] == "private, no-cache"


def test_a_broken_one_is_told_with_its_reason(acme: TestClient) -> None:
    answer = acme.get("/v1/prompts/broken")
    assert answer.status_code == 200 and "etag" not in answer.headers
    assert answer.json()["state"] == "broken" and answer.json()["reason"] == "its end is missing"


@pytest.mark.parametrize("header", ["{}", "W/{}", '"other", {}', "*"])
def test_what_is_known_is_not_told_again(header: str, acme: TestClient) -> None:
    for path in ("/v1/prompts/pets", "/v1/prompts/pets/vectors"):
        answer = acme.get(path, headers={"If-None-Match": header.format(tag(PETS))})
        assert answer.status_code == 304 and not answer.content and answer.headers["etag"] == tag(PETS)
        assert acme.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/prompts/{}", "/v1/prompts/{}/vectors"])
def test_one_that_is_not_allowed_is_as_one_that_is_not_there(path: str, acme: TestClient) -> None:
    texts = [acme.get(path.format(name)) for name in ("cars", "nope")]
    check(texts[0], "unknown-prompt")
    assert texts[0].text.replace("cars", "nope") == texts[1].text
    assert texts[0].headers.keys() == texts[1].headers.keys()


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "%00", "a" * 3000, "%FF", "%E2%80%AE", ".hidden"])
def test_a_name_that_none_can_have_is_unknown(name: str, admin: TestClient) -> None:
    answer = admin.get(f"/v1/prompts/{name}")
    assert answer.status_code == 404 and len(answer.content) < 1500


# -- class features ----------------------------------------------------------------------------------


def test_vectors_are_told_with_their_names(acme: TestClient) -> None:
    answer = acme.get("/v1/prompts/pets/vectors")
    found = answer.json()
    assert found["prompt"] == "pets" and found["digest"] == digest_of(PETS) and found["model"] == "f" * 16
    assert found["class_names"] == ["cat", "dog", "cow"] and found["vectors"] == np.eye(3, 4).tolist()
    assert answer.headers["etag"] == tag(PETS)


def test_vectors_as_a_file_of_numpy(acme: TestClient) -> None:
    answer = acme.get("/v1/prompts/pets/vectors", headers={"Accept": "application/x-npy"})
    found = np.load(io.BytesIO(answer.content), allow_pickle=False)
    assert answer.headers["content-type"] == "application/x-npy" and found.dtype == np.dtype("<f4")
    np.testing.assert_array_equal(found, np.eye(3, 4))


def test_too_many_numbers_for_json_are_told_as_a_file(
    acme: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptlet.serve.http.prompts.NUMBERS_AS_JSON", 11)
    found = check(acme.get("/v1/prompts/pets/vectors"), "not-acceptable")
    assert found["allowed"] == ["application/x-npy"]
    assert acme.get("/v1/prompts/pets/vectors", headers={"Accept": "application/x-npy"}).status_code == 200


def test_a_method_without_vectors_says_so(acme: TestClient) -> None:
    assert (
        "does not answer by one vector a class"
        in check(acme.get("/v1/prompts/heads/vectors"), "no-vectors")["detail"]
    )
    check(acme.get("/v1/prompts/broken/vectors"), "broken-prompt")


# -- changes -----------------------------------------------------------------------------------------


def test_a_prompt_is_put_replaced_and_deleted(admin: TestClient, server: Server) -> None:
    made = admin.put("/v1/prompts/new", content=NEW, headers=RAW)
    assert made.status_code == 201 and made.headers["location"] == "/v1/prompts/new"
    assert made.json()["digest"] == digest_of(NEW) and made.headers["etag"] == tag(NEW)
    other = admin.put("/v1/prompts/new", content=b"prompt a b")
    assert other.status_code == 200 and "location" not in other.headers
    gone = admin.delete("/v1/prompts/new")
    assert gone.status_code == 204 and not gone.content and "new" not in server.bank.files
    check(admin.delete("/v1/prompts/new"), "unknown-prompt")


@pytest.mark.parametrize("name", [".new", "-new", "new prompt", "a" * 101, "nëu", "a;b", "..", "a%00"])
def test_a_name_is_a_plain_one(name: str, admin: TestClient, server: Server) -> None:
    answer = admin.put(f"/v1/prompts/{name}", content=NEW, headers=RAW)
    assert answer.status_code in (404, 405, 422) and set(server.bank.files) == set(some_prompts())


def test_what_is_no_prompt_changes_nothing(admin: TestClient, server: Server) -> None:
    found = check(admin.put("/v1/prompts/pets", content=b"nonsense", headers=RAW), "wrong-prompt-file")
    assert "nothing was changed: it does not begin" in found["detail"] and server.bank.files["pets"] == PETS


def test_a_name_that_the_bank_refuses_is_told_as_a_field(admin: TestClient) -> None:
    found = check(admin.put("/v1/prompts/PETS", content=NEW, headers=RAW), "wrong-fields")
    assert found["errors"][0]["field"] == "name" and "by capitals alone" in found["detail"]


def test_a_prompt_file_is_sent_as_it_is(admin: TestClient) -> None:
    found = check(admin.put("/v1/prompts/new", files={"file": NEW}), "unknown-form")
    assert "application/octet-stream" in found["detail"]


def test_a_prompt_file_is_bounded(server: Server) -> None:
    admin = client_of(serve(Limits(max_prompt_bytes=10), Tokens()), "admin")
    assert "10 bytes" in check(admin.put("/v1/prompts/new", content=NEW), "body-too-large")["detail"]


def test_a_full_disk_is_told_without_its_path(admin: TestClient, server: Server) -> None:
    server.bank.full = True
    answer = admin.put("/v1/prompts/new", content=NEW, headers=RAW)
    assert "No space left on device" in check(answer, "not-stored")["detail"] and "secret" not in answer.text


def test_two_admins_do_not_overwrite_each_other(admin: TestClient, server: Server) -> None:
    seen = {"If-Match": admin.get("/v1/prompts/pets").headers["etag"], **RAW}
    assert admin.put("/v1/prompts/pets", content=NEW, headers=seen).status_code == 200
    found = check(admin.put("/v1/prompts/pets", content=b"prompt x y", headers=seen), "changed-meanwhile")
    assert digest_of(NEW) in found["detail"] and server.bank.files["pets"] == NEW
    check(admin.delete("/v1/prompts/pets", headers=seen), "changed-meanwhile")
    assert admin.delete("/v1/prompts/pets", headers={"If-Match": tag(NEW)}).status_code == 204


def test_a_new_prompt_may_ask_for_its_name_to_be_free(admin: TestClient) -> None:
    free = {"If-None-Match": "*", **RAW}
    assert admin.put("/v1/prompts/new", content=NEW, headers=free).status_code == 201
    check(admin.put("/v1/prompts/new", content=NEW, headers=free), "changed-meanwhile")
    check(admin.put("/v1/prompts/none", content=NEW, headers={"If-Match": "*"}), "changed-meanwhile")


def test_of_two_at_the_same_time_one_is_first(server: Server) -> None:
    """Both expect the name to be free; the second waits until the first is done, and then it is not."""
    import httpx

    own = server.bank.put

    async def slowly(name: str, data: bytes) -> Any:
        await asyncio.sleep(0.01)
        return await own(name, data)

    server.bank.put = slowly  # type: ignore[method-assign]

    async def run() -> list[int]:
        head = {"Authorization": "Bearer admin", "If-None-Match": "*", **RAW}
        transport = httpx.ASGITransport(server.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=head) as client:
            done = await asyncio.gather(*(client.put("/v1/prompts/new", content=NEW) for _ in range(3)))
        return sorted(one.status_code for one in done)

    assert asyncio.run(run()) == [201, 412, 412]


def test_only_admins_change_prompts_and_others_learn_nothing(acme: TestClient, server: Server) -> None:
    answers = [acme.put(f"/v1/prompts/{name}", content=NEW) for name in ("pets", "cars", "new")]
    answers += [acme.delete(f"/v1/prompts/{name}") for name in ("pets", "cars", "new")]
    check(answers[0], "admin-only")
    assert {one.text for one in answers} == {answers[0].text}
    assert server.bank.files == some_prompts()


def test_without_tokens_the_local_caller_says_who_may(server: Server) -> None:
    open_client = TestClient(serve().app)
    assert open_client.put("/v1/prompts/new", content=NEW).status_code == 201
    closed = TestClient(serve(local=Caller("local")).app)
    found = check(closed.put("/v1/prompts/new", content=NEW), "admin-only")
    assert "without tokens; start it with --token-file" in found["detail"]
