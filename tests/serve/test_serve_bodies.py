"""Bodies in three forms mean the same, are bounded, and never touch the disk."""

from __future__ import annotations

import asyncio
import base64
import builtins
import io
import json
import tempfile
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from promptlet.classifier.answers.deciding import Rule
from promptlet.serve.http.bodies import (
    IN_PLACE,
    MOST_VALUES,
    PREDICT_FIELDS,
    Given,
    Limits,
    read_bytes,
    read_given,
)
from promptlet.serve.http.fields import Asked, check_answers, check_classes, settle
from promptlet.serve.http.problems import Problem

BOUNDARY = "xYz"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
JSON = "application/json"
A, B = b"\x89PNG a\r\n--xY", b"\x00\xffb"


def part(name: str, data: bytes, file_name: str | None = None) -> bytes:
    more = "" if file_name is None else f'; filename="{file_name}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def request(body: bytes, kind: str, query: str = "", size: int = 7, **headers: str) -> Request:
    """As it comes, ``size`` bytes at a time."""
    pieces = [body[i : i + size] for i in range(0, len(body), size)] or [b""]
    messages = iter(
        [
            {"type": "http.request", "body": one, "more_body": i < len(pieces) - 1}
            for i, one in enumerate(pieces)
        ]
    )

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.disconnect"})

    head = [(b"content-type", kind.encode())] if kind else []
    head += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/predict",
        "headers": head,
        "query_string": query.encode(),
    }
    return Request(scope, receive)


def read(body: bytes, kind: str, query: str = "", limits: Limits | None = None, **more: Any) -> Given:
    return asyncio.run(read_given(request(body, kind, query, **more), PREDICT_FIELDS, limits or Limits()))


def asked(body: bytes, kind: str, query: str = "", **more: Any) -> Asked:
    return settle(read(body, kind, query, **more))


def in_json(**fields: Any) -> bytes:
    images = fields.pop("images", [{"name": "a.jpg", "data": base64.b64encode(A).decode()}])
    return json.dumps({"images": images, **fields}).encode()


def refused(body: bytes, kind: str, query: str = "", **more: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        asked(body, kind, query, **more)
    return caught.value


# -- forms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 64, 10_000])
def test_parts_are_whole_however_they_come(size: int) -> None:
    given = read(
        form(
            part("images", A, "a.jpg"),
            part("prompts", b"pets"),
            part("images", B, "b.jpg"),
            part("prompts", "größe, klein".encode()),
        ),
        FORM,
        size=size,
    )
    assert [(one.name, one.data) for one in given.images] == [("a.jpg", A), ("b.jpg", B)]
    assert given.texts == {"prompts": ["pets", "größe, klein"]}


def test_an_image_needs_no_file_name() -> None:
    given = read(form(part("images", A)), FORM)
    assert [(one.name, one.data) for one in given.images] == [("", A)]


ALL = Asked(("pets", "cars, old"), ("cat", "dog"), Rule(3, 0.25, 90.0), "zero-shot")


def test_the_forms_mean_the_same() -> None:
    texts = [("prompts", "pets"), ("prompts", "cars, old"), ("class_names", "cat"), ("class_names", "dog")]
    texts += [("top", "3"), ("threshold", "0.25"), ("reject", "90"), ("new_names", "zero-shot")]
    parts = [part(name, text.encode()) for name, text in texts]
    fields = {"prompts": ["pets", "cars, old"], "class_names": ["cat", "dog"], "top": 3, "threshold": 0.25}
    query = "prompts=pets&prompts=cars,+old&class_names=cat&class_names=dog&top=3&threshold=0.25"
    assert asked(form(part("images", A, "a"), *parts), FORM) == ALL
    assert asked(in_json(**fields, reject=90, new_names="zero-shot"), JSON) == ALL
    assert asked(A, "image/png", f"{query}&reject=90&new_names=zero-shot") == ALL
    assert asked(in_json(), JSON, f"{query}&reject=90&new_names=zero-shot") == ALL


@pytest.mark.parametrize(
    ("text", "value", "accept"), [("true", True, True), ("false", False, None), ("97.5", 97.5, 97.5)]
)
def test_reject_is_a_truth_or_a_percentage(text: str, value: Any, accept: Any) -> None:
    assert asked(in_json(reject=value), JSON).rule.accept == accept
    assert asked(A, "image/png", f"reject={text}").rule.accept == accept


def test_one_value_does_where_a_list_is_expected() -> None:
    data = base64.b64encode(A).decode()
    found = asked(in_json(images=data, prompts="pets"), JSON)
    assert found.prompts == ("pets",)
    assert [one.data for one in read(in_json(images={"data": data}), JSON).images] == [A]


def test_what_is_left_out_is_as_null_and_as_an_empty_field() -> None:
    nothing = Asked((), None, Rule(), None)
    assert asked(in_json(), JSON) == nothing
    assert asked(in_json(prompts=None, top=None, reject=None), JSON) == nothing
    assert asked(form(part("images", A, "a"), part("top", b""), part("prompts", b"")), FORM) == nothing


def test_base64_of_a_page_is_read_too() -> None:
    data = "data:image/png;base64," + base64.b64encode(A).decode()
    assert read(in_json(images=[data]), JSON).images[0].data == A


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png; q=1", "IMAGE/WEBP", "application/octet-stream"])
def test_an_image_as_it_is(kind: str) -> None:
    assert [one.data for one in read(A, kind).images] == [A]


def test_a_large_json_body_is_read_in_a_thread() -> None:
    data = b"\x89PNG" + bytes(IN_PLACE)
    assert read(in_json(images=base64.b64encode(data).decode()), JSON, size=1 << 16).images[0].data == data


def test_of_a_key_that_is_there_twice_the_last_counts() -> None:
    body = b'{"top": 1, "images": "AAAA", "top": 2}'
    assert asked(body, JSON).rule.top == 2


# -- names of files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../../etc/passwd", "../../etc/passwd"),
        ("x" * 300, "x" * 200),
        ("\x1b[2J\u202ecat.jpg", r"\x1b[2J\u202ecat.jpg"),
        ("bücher.jpg", "bücher.jpg"),
    ],
)
def test_names_of_files_are_told_back_visibly_and_cut(name: str, told: str) -> None:
    data = base64.b64encode(A).decode()
    assert read(form(part("images", A, name)), FORM).images[0].name == told
    assert read(in_json(images=[{"name": name, "data": data}]), JSON).images[0].name == told


def test_nothing_touches_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **more: Any) -> Any:
        raise AssertionError("a file was opened")

    for module, name in ((tempfile, "TemporaryFile"), (tempfile, "NamedTemporaryFile"), (io, "open")):
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", refuse)
    monkeypatch.setattr(builtins, "open", refuse)
    large = bytes(3 << 20)
    given = read(form(part("images", large, "../a.jpg"), part("images", large)), FORM, size=1 << 16)
    assert [len(one.data) for one in given.images] == [len(large)] * 2


# -- bounds ------------------------------------------------------------------------------------------


def test_bodies_are_bounded_in_every_form() -> None:
    limits = Limits(max_body_bytes=1000)
    for body, kind in [
        (form(part("images", bytes(2000), "a")), FORM),
        (in_json(images="A" * 2000), JSON),
        (bytes(1001), "image/png"),
    ]:
        found = refused(body, kind, limits=limits)
        assert found.kind.slug == "body-too-large" and "1,000 bytes" in found.detail
    assert len(read(bytes(1000), "image/png", limits=limits).images[0].data) == 1000


def test_what_is_too_large_is_not_read_to_its_end() -> None:
    taken = 0

    async def endless() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": bytes(100), "more_body": True}

    endless_request = request(b"", "image/png")
    endless_request._receive = endless
    with pytest.raises(Problem, match="larger than 1,000 bytes"):
        asyncio.run(read_bytes(endless_request, 1000))
    assert taken == 11


def test_images_are_counted_in_every_form() -> None:
    limits = Limits(max_images=2)
    two, three = [["AAAA"] * count for count in (2, 3)]
    parts = [part("images", A, str(i)) for i in range(3)]
    assert len(read(in_json(images=two), JSON, limits=limits).images) == 2
    assert len(read(form(*parts[:2]), FORM, limits=limits).images) == 2
    for body, kind in [(in_json(images=three), JSON), (form(*parts), FORM)]:
        assert refused(body, kind, limits=limits).kind.status == 413


def test_other_parts_are_counted_and_small() -> None:
    limits = Limits(max_prompts=5, max_class_names=5)
    many = [part("prompts", b"p")] * 30
    assert refused(form(part("images", A, "a"), *many), FORM, limits=limits).kind.status == 413
    assert "8,192 bytes" in refused(form(part("prompts", bytes(9000))), FORM).detail


def test_names_are_counted() -> None:
    limits = Limits(max_prompts=3, max_class_names=4)
    assert "3 at most" in refused(in_json(prompts=list("abcd")), JSON, limits=limits).detail
    assert "4 at most" in refused(in_json(class_names=list("abcde")), JSON, limits=limits).detail
    found = refused(in_json(class_names=["a", "b"], prompts=["p", "q", "r"]), JSON, limits=limits)
    assert "2 class names for 3 prompts are more than 4 in all" in found.detail


def test_answers_are_counted() -> None:
    limits, few = Limits(max_answers=100), Asked(("p",), None, Rule(top=5), None)
    check_answers(10, [100, 5], few, limits)
    check_answers(50, [2], few, limits)  # no more are told than there are
    with pytest.raises(Problem, match="make 105 answers; 100 are told"):
        check_answers(7, [100, 100, 100], few, limits)


# -- what is wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("top", 0, "top=0 is outside 1 and more"),
        ("top", 1.5, "top=1.5 is not allowed; give a whole number"),
        ("top", True, "top=True is not allowed"),
        ("top", "3", "top='3' is not allowed"),
        ("top", 10**30, "is outside 1 to 1,000,000"),
        ("threshold", 1.5, "threshold=1.5 must be a number 0 or more, 1 at most"),
        ("threshold", "high", "threshold='high' must be a number"),
        ("reject", 100, "reject=100 is not allowed; give true, false, or the percentage"),
        ("reject", 1, "reject=1 is not allowed"),
        ("reject", "yes", "reject='yes' is not allowed"),
        ("new_names", "zeroshot", "new_names='zeroshot' is not allowed; give one of learned"),
        ("new_names", 3, "new_names=3 is not allowed"),
        ("prompts", [], "prompts is an empty list"),
        ("prompts", [""], "prompts[0] is ''; give a text of 1 to 1,024 characters"),
        ("prompts", ["a", 3], "prompts[1] is 3"),
        ("prompts", {"a": 1}, "prompts={'a': 1} is no list of names"),
        ("prompts", ["x" * 1025], "give a text of 1 to 1,024"),
        ("class_names", ["cat"], "class_names"),
        ("class_names", ["cat", "Cat"], "class_names"),
        ("class_names", "cat", "class_names"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(field: str, value: Any, said: str) -> None:
    found = refused(in_json(**{field: value}), JSON)
    assert found.kind.slug == "wrong-fields" and said in found.detail
    assert [one["field"] for one in found.members["errors"]] == [field]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("top=three", "top='three' is not allowed"),
        ("top=3&top=4", "top is given 2 times"),
        ("threshold=nan", "must be a number"),
        ("threshold=1e999", "must be a number"),
        ("reject=maybe", "reject='maybe' is not allowed"),
        ("top=" + "9" * 500, "is not allowed; give a whole number"),
        ("images=a.jpg", "images is a text here"),
    ],
)
def test_a_wrong_text_says_what_is_allowed(query: str, said: str) -> None:
    assert said in refused(A, "image/png", query).detail


def test_all_wrong_fields_are_told_at_once() -> None:
    found = refused(in_json(top=0, threshold=2, reject="x"), JSON)
    assert [one["field"] for one in found.members["errors"]] == ["top", "threshold", "reject"]


@pytest.mark.parametrize(
    ("body", "kind", "query"),
    [
        (in_json(prompt="pets"), JSON, ""),
        (form(part("images", A, "a"), part("prompt", b"pets")), FORM, ""),
        (A, "image/png", "prompt=pets"),
        (form(part("prompt", A, "a")), FORM, ""),
    ],
)
def test_an_unknown_field_is_named_with_those_there_are(body: bytes, kind: str, query: str) -> None:
    found = refused(body, kind, query)
    assert found.kind.slug == "wrong-fields" and "'prompt' is no field of this" in found.detail
    assert (
        "allowed: images, prompts, class_names" in found.detail and "Did you mean 'prompts'?" in found.detail
    )


def test_a_field_in_query_and_body_is_ambiguous() -> None:
    assert "given in the query and in the body" in refused(in_json(top=1), JSON, "top=2").detail


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (3, 'images[0] is 3; give {"data": BASE64'),
        ({"data": "AAAA", "url": "http://x"}, "needs either data"),
        ({"name": "a"}, "needs either data"),
        ({"data": 5}, "images[0].data is 5; give a text"),
        ({"data": "AAAA", "size": 3}, "images[0] has 'size'; allowed: name, data, url"),
        ("AAA", "images[0].data is no base64"),
        ("AA A", "images[0].data is no base64"),
        ("AA\nAA", "images[0].data is no base64"),
        ("AA-_", "images[0].data is no base64"),
        ("AAAA====", "images[0].data is no base64"),
        ("ä", "images[0].data is no base64"),
        ("data:image/png,AAAA", "is an address without base64"),
    ],
)
def test_a_wrong_image_in_json_is_placed(image: Any, said: str) -> None:
    found = refused(in_json(images=[image]), JSON)
    assert found.kind.slug == "wrong-fields" and said in found.detail


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b'{"top": NaN}', "is no JSON"),
        (b'{"prompts": "\xff"}', "is no JSON"),
        (b"[1]", "the JSON is [1]; send one object"),
        (b'{"images": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"images": "AAAA", "prompts": ' + b"[" * 500 + b"]" * 500 + b"}", "prompts"),
        (b'{"prompts": ["\\ud800"], "images": "AAAA"}', ""),
    ],
)
def test_json_that_is_none_is_refused(body: bytes, said: str) -> None:
    found = refused(body, JSON)
    assert found.kind.slug in ("malformed-body", "wrong-fields") and said in found.detail


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (form(part("images", A, "a"))[:-20], FORM, "ends before its last boundary"),
        (b"", FORM, "ends before its last boundary"),
        (b"nonsense", FORM, "is no multipart"),
        (form(part("images", A, "a")), "multipart/form-data", "names no boundary"),
        (b"--xYz\r\nContent-Type: image/png\r\n\r\nA\r\n--xYz--\r\n", FORM, "a part of it has no name"),
        (b"--xYz\r\n" + b"X: y\r\n" * 50 + b"\r\n", FORM, "is no multipart"),
        (form(part("images", A, "x" * 9000)), FORM, "is no multipart"),
        (form(part("images", A, "a")), f"multipart/form-data; boundary={'b' * 300}", "is no multipart"),
    ],
)
def test_multipart_that_is_none_is_refused(body: bytes, kind: str, said: str) -> None:
    found = refused(body, kind)
    assert found.kind.slug == "malformed-body" and said in found.detail


def test_a_text_that_is_no_utf8_is_refused() -> None:
    found = refused(form(part("images", A, "a"), part("prompts", b"\xff")), FORM)
    assert "'prompts' is no text in UTF-8" in found.detail


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("application/x-www-form-urlencoded", "-H 'Content-Type: image/jpeg'"),
        ("text/plain", "Content-Type 'text/plain' is not read here; send multipart/form-data"),
        ("", "Content-Type '' is not read here"),
    ],
)
def test_an_unknown_form_says_which_there_are(kind: str, said: str) -> None:
    found = refused(A, kind)
    assert found.kind.status == 415 and said in found.detail


def test_a_packed_body_is_not_unpacked() -> None:
    found = refused(A, "image/png", content_encoding="gzip")
    assert found.kind.status == 415 and "'gzip' is not unpacked here" in found.detail


def test_no_image_is_no_request() -> None:
    for body, kind in [(b"{}", JSON), (in_json(images=[]), JSON), (form(part("prompts", b"p")), FORM)]:
        assert "no image was sent" in refused(body, kind).detail


def test_who_goes_away_while_sending_is_noticed() -> None:
    gone = request(b"", "image/png")

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    gone._receive = receive
    with pytest.raises(ClientDisconnect):
        asyncio.run(read_given(gone, PREDICT_FIELDS, Limits()))


def test_json_of_very_many_values_is_refused_before_it_is_read() -> None:
    body = b'{"prompts": [' + b"[]," * MOST_VALUES + b"[]]}"
    with pytest.raises(Problem, match="the JSON has about") as found:
        asyncio.run(read_given(request(body, JSON, size=1 << 20), PREDICT_FIELDS, Limits()))
    assert found.value.kind.slug == "body-too-large"


def test_class_features_of_one_request_are_bounded() -> None:
    limits = Limits(max_class_bytes=4 * 100 * 8)
    check_classes(100, 8, limits)
    with pytest.raises(Problem, match="101 classes together") as found:
        check_classes(101, 8, limits)
    assert found.value.kind.slug == "body-too-large"
