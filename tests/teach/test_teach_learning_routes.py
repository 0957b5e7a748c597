"""The routes of what is learned, over a real bank and encoder of a tiny model."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from colours import QUICK, SOON, colours_in
from fastapi.testclient import TestClient

from promptlet.serve.addresses import address_of
from promptlet.serve.http.problems import KINDS
from promptlet.serve.parts import make_app, make_parts
from promptlet.serve.settings import read_settings
from promptlet.teach.projects.shelf import Shelf
from promptlet.teach.start import adding

P = "/v1/projects/colours"
URL = "http://127.0.0.1:8765"


@pytest.fixture
def client(clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Who has the token, over the project "colours"."""
    monkeypatch.setenv("PROMPTLET_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "projects"
    own = Shelf(root)
    colours_in(own)
    given = {"prompts": str(root), "backbone": str(clip_folder), "class_cache": "off", "device": "cpu"}
    settings = read_settings(given)
    parts = make_parts(settings, None)
    more = adding(own)
    added = more.make(parts, address_of("127.0.0.1", 8765), URL)
    app = make_app(settings, parts, None, lambda: "", added)
    [token] = parse_qs(urlsplit(added.page).query)["token"]
    with TestClient(app, base_url=URL, headers={"Authorization": f"Bearer {token}"}) as made:
        yield made
    own.close()


def problem(answer: Any, slug: str) -> str:
    assert answer.status_code == KINDS[slug].status, answer.text
    assert answer.json()["type"] == f"/problems/{slug}"
    return str(answer.json()["detail"])


def trained(client: TestClient, **asked: Any) -> dict[str, Any]:
    """The result, once it is there."""
    begun = client.post(f"{P}/training", json=asked or QUICK)
    assert begun.status_code == 202 and begun.json()["state"] in ("waiting", "running")
    until = monotonic() + SOON
    while (job := client.get(P).json()["training"])["state"] != "done" and monotonic() < until:
        assert job["state"] in ("waiting", "running"), job
        sleep(0.02)
    result = client.get(f"{P}/result")
    assert result.status_code == 200, result.text
    return dict(result.json())


def picture(client: TestClient) -> tuple[str, bytes]:
    """A taught image, by its id."""
    image = client.get(P).json()["classes"][0]["images"][0]
    return image, client.get(f"{P}/images/{image}").content


@pytest.mark.slow
def test_from_nothing_to_an_answer_and_a_download(client: TestClient) -> None:
    for address, slug in (("result", "nothing-learned"), ("prompt", "nothing-learned")):
        problem(client.get(f"{P}/{address}"), slug)
    assert "press Train" in problem(client.get(f"{P}/suggestions"), "not-possible-now")
    problem(client.get(f"{P}/report"), "nothing-learned")
    result = trained(client)
    state = client.get(P).json()
    assert (state["trained"], state["stale"]) == (True, False)
    image, data = picture(client)
    asked = client.post("/v1/predict", files={"images": data}, data={"prompts": "colours", "top": 3})
    assert asked.status_code == 200, asked.text
    [row] = asked.json()["results"]
    assert row["predictions"][0]["digest"] == result["digest"]
    assert row["predictions"][0]["top"][0]["class_name"] == state["classes"][0]["name"]
    near = client.post(f"{P}/nearest", files={"image": ("one.png", data)}).json()["nearest"]
    assert near[0]["image"] == image and near[0]["similarity"] == pytest.approx(1.0, abs=1e-4)
    raw = client.post(f"{P}/nearest", content=data, headers={"Content-Type": "image/png"})
    assert raw.json()["nearest"][0]["image"] == image
    problem(client.post(f"{P}/nearest", files={"image": ("one.png", b"no image")}), "bad-image")
    problem(client.post(f"{P}/nearest", files={"image": (None, "text")}), "wrong-fields")
    found = client.get(f"{P}/suggestions", params={"limit": 2}).json()["suggestions"]
    assert len(found) == 2 and {one["image"] for one in found} <= set(state["unlabelled"])
    problem(client.get(f"{P}/suggestions", params={"limit": "many"}), "wrong-fields")
    changed = client.post(f"{P}/changes", json={"action": "move-images", "images": [image], "to": "red"})
    assert changed.json()["stale"] is True


@pytest.mark.slow
def test_everything_can_be_taken_away(client: TestClient) -> None:
    trained(client, method="rlp", schedule="coop", shots=1)
    prompt = client.get(f"{P}/prompt")
    assert "colours.prompt" in prompt.headers["content-disposition"]
    page = client.get(f"{P}/report")
    assert page.headers["content-type"].startswith("text/html") and "Colours" in page.text
    assert "attachment" in page.headers["content-disposition"]
    archive = client.get(f"{P}/archive")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as file:
        assert file.read("colours.prompt") == prompt.content
    vectors = client.get(f"{P}/export", params={"to": "vectors"})
    with np.load(io.BytesIO(vectors.content)) as file:
        assert any(file[name].shape == (3, 16) for name in file.files)
    problem(client.get(f"{P}/export", params={"to": "paper"}), "wrong-fields")


@pytest.mark.slow
def test_a_missing_package_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(client, method="rlp", schedule="coop", shots=1)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "promptlet[onnx]" in problem(client.get(f"{P}/export", params={"to": "onnx"}), "missing-package")


def test_a_prompt_is_put_and_has_no_result(client: TestClient) -> None:
    trained(client)
    prompt = client.get(f"{P}/prompt").content
    kind = {"Content-Type": "application/octet-stream"}
    problem(client.put(f"{P}/prompt", content=b"no prompt", headers=kind), "wrong-prompt-file")
    assert client.get(f"{P}/result").status_code == 200
    put = client.put(f"{P}/prompt", content=prompt, headers=kind)
    assert put.status_code == 200 and put.json()["name"] == "colours"
    problem(client.get(f"{P}/result"), "nothing-learned")
    assert client.get(P).json()["trained"] is True


def test_what_is_asked_wrongly_is_told(client: TestClient) -> None:
    problem(client.post(f"{P}/training", json={"speed": 3}), "wrong-fields")
    problem(client.post(f"{P}/training", json={"method": "maple"}), "wrong-fields")
    problem(client.post(f"{P}/training", json=[1]), "malformed-body")
    problem(client.delete(f"{P}/training"), "not-possible-now")
    for address in ("result", "suggestions", "archive", "report", "prompt", "export"):
        problem(client.get(f"/v1/projects/nobody/{address}"), "unknown-project")
    problem(client.post("/v1/projects/nobody/training"), "unknown-project")
    problem(client.put("/v1/projects/nobody/prompt", content=b"x"), "unknown-project")


def test_a_training_is_cancelled(client: TestClient) -> None:
    begun = client.post(f"{P}/training", json={"method": "rlp", "schedule": "adamw"})
    assert begun.status_code == 202
    assert "already" in problem(client.post(f"{P}/training"), "not-possible-now")
    began = monotonic()
    assert client.delete(f"{P}/training").json()["state"] == "cancelled"
    assert monotonic() - began < 2.0 and client.get(P).json()["trained"] is False


def test_a_deleted_project_is_not_trained_any_more(client: TestClient) -> None:
    assert client.post(f"{P}/training", json={"method": "rlp", "schedule": "adamw"}).status_code == 202
    assert client.delete(P).status_code == 204
    problem(client.get(f"{P}/result"), "unknown-project")
    back = client.post(f"{P}/restore").json()
    assert (back["training"], back["trained"]) == (None, False)
    assert trained(client)["method"] == "tip_adapter"
