"""What is sent, request by request, and what is made of the answers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_service import Fake, items
from loopback import Asked, Reply, as_json, listening, problem
from PIL import Image

from promptlet.client import Client, images
from promptlet.errors import ImageError, OptionError, PromptFileError, ServiceError


def test_a_request_says_what_was_asked_and_no_more(fake: Fake, tmp_path: Path) -> None:
    folder = tmp_path / "secret folder"
    folder.mkdir()
    (folder / 'a "b".jpg').write_bytes(b"cat")
    with fake.client(token="pl_id_secret") as client:
        found = client.predict(
            [folder / 'a "b".jpg', b"dog"],
            prompts=["pets", "birds"],
            class_names=["cat", "hot dog, large"],
            top=3,
            threshold=np.float64(0.5),
            reject=95,
            new_names="blend",
        )
        client.predict(b"dog", prompts="pets", reject=True)
        client.predict([b"dog"])
    first, second, third = fake.asked
    assert (first.method, first.path) == ("POST", "/v1/predict")
    assert first.headers["authorization"] == "Bearer pl_id_secret"
    assert first.fields == {
        "prompts": ["pets", "birds"],
        "class_names": ["cat", "hot dog, large"],
        "top": ["3"],
        "threshold": ["0.5"],
        "reject": ["95"],
        "new_names": ["blend"],
    }
    assert [data for _, data in first.images] == [b"cat", b"dog"]
    assert b"secret folder" not in first.body
    assert second.fields == {"prompts": ["pets"], "reject": ["true"]} and third.fields == {}
    assert [(one.name, one.predictions[0].class_name) for one in found] == [
        (str(folder / 'a "b".jpg'), "cat"),
        ("image 2", "dog"),
    ]
    assert found[0].predictions[0].top == (("cat", 0.75),) and found[0].predictions[0].digest == "d1"


def test_images_of_every_kind_arrive_as_they_are(client: Client, fake: Fake, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    array = draw.integers(0, 256, (5, 4, 3), np.uint8)
    path = tmp_path / "x.png"
    Image.fromarray(array).save(path)
    content = path.read_bytes()
    with path.open("rb") as file:
        kinds: list[Any] = [str(path), path, content, bytearray(content), file, io.BytesIO(content)]
        kinds += [Image.fromarray(array), array, array / 255.0]
        found = client.predict(kinds)
    [asked] = fake.asked
    assert len(found) == len(kinds) == len(asked.images)
    assert [data for _, data in asked.images[:6]] == [content] * 6
    for _, data in asked.images:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), array)
    assert [one.name for one in found[:4]] == [str(path), str(path), "image 3", "image 4"]
    for one in (str(path), content, array, Image.fromarray(array)):  # one alone
        assert len(client.predict(one)) == 1


def test_a_pillow_image_is_sent_as_the_library_reads_it(client: Client, fake: Fake) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    out = io.BytesIO()
    Image.new("CMYK", (6, 3), (0, 99, 0, 0)).save(out, "JPEG", exif=exif)
    client.predict([Image.open(out)])
    [(_, data)] = fake.asked[0].images
    sent = Image.open(io.BytesIO(data))
    assert (sent.format, sent.mode, sent.size) == ("PNG", "RGB", (3, 6))


def test_many_are_sent_in_portions_and_come_back_in_order(client: Client, fake: Fake) -> None:
    given = [f"{i}".encode() for i in range(150)]
    found = client.predict(iter(given))
    assert [len(one.images) for one in fake.asked] == [64, 64, 22]
    assert [one.predictions[0].class_name for one in found] == [f"{i}" for i in range(150)]
    assert found[149].name == "image 150"


def test_portions_are_bounded_in_bytes_too(
    client: Client, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MOST_BYTES", 10)
    client.predict([b"1234", b"1234", b"1234", b"123456789012", b"1"])
    assert [len(one.images) for one in fake.asked] == [2, 1, 1, 1]
    assert client.predict([]) == [] and len(fake.asked) == 4


def test_no_more_is_read_than_is_sent_next(client: Client, fake: Fake) -> None:
    read: list[int] = []

    def given() -> Any:
        for i in range(130):
            read.append(i)
            yield b"x"

    at_send: list[int] = []
    own = fake.answer
    fake.answer = lambda asked: (at_send.append(len(read)), own(asked))[1]
    client.predict(given())
    assert at_send == [65, 129, 130]


def test_a_server_that_takes_fewer_at_once_is_sent_fewer_from_then_on(client: Client, fake: Fake) -> None:
    def answer(asked: Asked) -> Reply:
        if len(asked.images) > 3 or asked.images[0][1] == b"huge":
            return problem("body-too-large", 413, "The body is too large", "send fewer")
        return as_json({"results": items(asked)})

    fake.answer = answer
    given = [b"0", b"1", b"2", b"3", b"4", b"5", b"huge", b"7"]
    found = client.predict(given)
    assert [one.predictions[0].class_name if not one.error else "" for one in found] == [
        *("0", "1", "2", "3", "4", "5", "", "7")
    ]
    assert found[6].error == "The body is too large: send fewer" and found[6].problem["status"] == 413
    assert [len(one.images) for one in fake.asked] == [8, 4, 2, 2, 2, 2, 1, 1]
    client.predict(given[:3])
    assert [len(one.images) for one in fake.asked[8:]] == [1, 1, 1]


def test_one_bad_image_costs_itself_alone(client: Client, fake: Fake, tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        told = items(asked)
        for one in told:
            if asked.images[one["index"]][1] == b"bad":
                del one["predictions"]
                one["error"] = {
                    "type": "/problems/bad-image",
                    "title": "It cannot be read",
                    "detail": "cut off",
                }
        return as_json({"results": told})

    fake.answer = answer
    missing, empty = tmp_path / "none.jpg", tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    found = client.predict([missing, b"cat", b"bad", empty, tmp_path, b"dog", "a\0b", io.StringIO("text")])
    assert [one.predictions[0].class_name if one.predictions else None for one in found] == [
        *(None, "cat", None, None, None, "dog", None, None)
    ]
    assert [data for _, data in fake.asked[0].images] == [b"cat", b"bad", b"dog"]
    told = [one.error for one in found]
    assert "No such file" in told[0] and told[2] == "It cannot be read: cut off" and "0 bytes" in told[3]
    assert told[4] and told[6] and "'rb'" in told[7]
    assert found[0].name == str(missing) and found[2].problem["type"] == "/problems/bad-image"
    assert found[2].name == "image 3"
    fake.asked.clear()
    assert client.predict([missing, empty])[1].error and fake.asked == []  # nobody is asked


def test_where_no_image_can_be_read_each_has_its_reason(client: Client, fake: Fake) -> None:
    bad = [{"index": i, "name": "", "error": {"title": "bad", "detail": f"no. {i}"}} for i in (1, 0)]
    fake.answer = lambda _: problem("bad-image", 422, "bad", "no image could be read", results=bad)
    assert [one.error for one in client.predict([b"a", b"b"])] == ["bad: no. 0", "bad: no. 1"]
    fake.answer = lambda _: problem("broken-prompt", 409, "This prompt is not served", "cut off", results=bad)
    with pytest.raises(ServiceError, match="not served: cut off") as caught:
        client.predict([b"a", b"b"])
    assert caught.value.status == 409 and caught.value.problem["type"] == "/problems/broken-prompt"
    fake.answer = lambda _: problem("bad-image", 422, "bad", "x", results=bad[:1])
    with pytest.raises(ServiceError, match="bad: x"):
        client.predict([b"a", b"b"])


def test_a_prompt_that_cannot_answer_stands_beside_those_that_can(client: Client, fake: Fake) -> None:
    wrong = {"prompt": "x", "error": {"title": "It is broken", "detail": "cut off"}}

    def answer(asked: Asked) -> Reply:
        told = items(asked)
        told[0]["predictions"].append(wrong)
        return as_json({"results": told})

    fake.answer = answer
    good, bad = client.predict(b"cat")[0].predictions
    assert (good.class_name, good.error) == ("cat", "")
    assert (bad.prompt, bad.class_name, bad.error) == ("x", None, "It is broken: cut off")


def test_features_and_vectors(client: Client, fake: Fake) -> None:
    fake.answer = lambda asked: as_json(
        {"results": [{"index": i, "name": "", "features": [i, 0.5]} for i in range(len(asked.images))][::-1]}
    )
    assert [one.features for one in client.features([b"a", b"b"])] == [(0.0, 0.5), (1.0, 0.5)]
    assert fake.asked[0].path == "/v1/features" and fake.asked[0].fields == {}
    fake.answer = lambda _: as_json({"class_names": ["cat", "dog"], "vectors": [[1, 2, 3], [4, 5, 6]]})
    names, rows = client.vectors("pets")
    assert names == ("cat", "dog") and rows.dtype == np.float32 and rows.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (fake.asked[1].method, fake.asked[1].path) == ("GET", "/v1/prompts/pets/vectors")
    fake.answer = lambda _: as_json({"class_names": ["cat"], "vectors": [[1, 2, 3], [4, 5, 6]]})
    with pytest.raises(ServiceError, match="another form"):
        client.vectors("pets")


def test_more_vectors_than_text_can_hold_come_as_numbers(client: Client, fake: Fake) -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    out = io.BytesIO()
    np.save(out, rows)
    digests = ["d1", "d1"]

    def answer(asked: Asked) -> Reply:
        if asked.path == "/v1/prompts/pets":
            return as_json({"name": "pets", "digest": digests[0], "class_names": ["cat", "dog"]})
        if asked.headers["accept"] != "application/x-npy":
            return problem("not-acceptable", 406, "This is too much for this form", "ask for .npy")
        return 200, {"Content-Type": "application/x-npy", "ETag": f'"{digests[1]}"'}, out.getvalue()

    fake.answer = answer
    names, found = client.vectors("pets")
    assert names == ("cat", "dog") and found.tolist() == rows.tolist()
    digests[1] = "d2"
    with pytest.raises(ServiceError, match="was replaced while it was read"):
        client.vectors("pets")
    digests[1], out = "d1", io.BytesIO(b"no numbers")
    with pytest.raises(ServiceError, match="another form"):
        client.vectors("pets")


def test_a_long_list_of_prompts_is_read_to_its_end(client: Client, fake: Fake) -> None:
    pages = {"": (["a", "b"], "b"), "?after=b": (["c"], None)}

    def answer(asked: Asked) -> Reply:
        names, further = pages[asked.path.removeprefix("/v1/prompts")]
        return as_json({"count": 3, "prompts": [{"name": name} for name in names], "next": further})

    fake.answer = answer
    assert [one["name"] for one in client.prompts()] == ["a", "b", "c"]
    pages["?after=b"] = ([], "b")
    with pytest.raises(ServiceError, match="another form"):
        client.prompts()


def test_prompts_are_listed_shown_sent_and_removed(client: Client, fake: Fake, tmp_path: Path) -> None:
    told = {"name": "pets.v2", "classes": 2}
    fake.answer = lambda asked: as_json({"prompts": [told]} if asked.path == "/v1/prompts" else told)
    file = tmp_path / "pets.v2.prompt"
    file.write_bytes(b"\x00\xffprompt")
    assert client.prompts() == [told] and client.prompt("pets.v2") == told
    assert client.upload(file) == told and client.upload(str(file), name="other") == told
    fake.answer = lambda _: (204, {}, b"")
    assert client.delete("pets.v2") is None
    assert [(one.method, one.path) for one in fake.asked] == [
        ("GET", "/v1/prompts"),
        ("GET", "/v1/prompts/pets.v2"),
        ("PUT", "/v1/prompts/pets.v2"),
        ("PUT", "/v1/prompts/other"),
        ("DELETE", "/v1/prompts/pets.v2"),
    ]
    assert fake.asked[2].body == b"\x00\xffprompt"
    assert fake.asked[2].headers["content-type"] == "application/octet-stream"
    with pytest.raises(PromptFileError, match=r"none\.prompt cannot be read"):
        client.upload(tmp_path / "none.prompt")


@pytest.mark.parametrize("name", ["", "../pets", "a/b", ".pets", "pets?x", "a" * 101, "café", "a\n"])
def test_a_name_is_never_a_path(client: Client, fake: Fake, name: str) -> None:
    for ask in (client.prompt, client.vectors, client.delete):
        with pytest.raises(OptionError, match="is no name of a prompt on a server"):
            ask(name)
    assert fake.asked == []


def test_slips_of_the_caller_are_told_at_once(client: Client, fake: Fake) -> None:
    with pytest.raises(OptionError, match="class_names='a,b' is one text; give a list"):
        client.predict(b"x", class_names="a,b")
    with pytest.raises(OptionError, match="is no list of names"):
        client.predict(b"x", prompts=[])
    with pytest.raises(OptionError, match="int is no list of images"):
        client.predict(3)
    with pytest.raises(OptionError, match="NoneType is no image; give paths, bytes"):
        client.predict([b"x", None])
    assert fake.asked == [] and issubclass(ImageError, Exception)


def test_it_is_used_from_threads_over_a_real_connection() -> None:
    found: dict[int, list[str | None]] = {}
    with (
        listening(lambda asked: as_json({"results": items(asked)})) as server,
        Client(server.url + "/") as client,
    ):

        def ask(k: int) -> None:
            results = client.predict([f"{k}.{i}".encode() for i in range(70)], prompts="pets")
            found[k] = [one.predictions[0].class_name for one in results]

        threads = [threading.Thread(target=ask, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert found == {k: [f"{k}.{i}" for i in range(70)] for k in range(8)}
    assert len(server.asked) == 16 and server.asked[0].path == "/v1/predict"


def test_neither_torch_nor_numpy_is_loaded() -> None:
    code = """
import json, sys
import httpx
from promptlet.client import Client
answer = {"results": [{"index": 0, "predictions": []}]}
transport = httpx.MockTransport(lambda request: httpx.Response(200, json=answer))
with Client("http://localhost:1", transport=transport) as client:
    client.predict([b"x"])
heavy = ("torch", "numpy", "PIL", "typer", "fastapi", "promptlet.data", "promptlet.serve")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and json.loads(done.stdout) == []
