"""`promptlet predict --server`: what a server answers is given as what a file answers is, in every form."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Asked, Loopback, Reply, as_json, listening, problem

import promptlet
from promptlet.classifier.answers.deciding import Rule, decide
from promptlet.cli.predict.by import server as by_server
from promptlet.errors import ImageError
from promptlet.web import loading

Words = Callable[..., tuple[object, ...]]
TOKEN = "pl_abc_TopSecret123"


class Answering:
    """The prompt of the drawn shapes behind HTTP, answered by the library."""

    def __init__(self, prompt: Path, backbone: Path) -> None:
        self.classifier = promptlet.PromptClassifier.load(prompt, backbone)
        self.names = tuple(map(str, self.classifier.classes_))
        self.digest = "0" * 32

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/v1/prompts/shapes":
            return as_json({"name": "shapes", "digest": self.digest, "class_names": list(self.names)})
        if asked.path != "/v1/predict":
            return problem("unknown-prompt", 404, "There is no such prompt", f"{asked.path} is none")
        told = [self.item(i, name, data, asked.fields) for i, (name, data) in enumerate(asked.images)]
        if all("error" in one for one in told):
            return problem("bad-image", 422, "It cannot be read", "none", results=told)
        return as_json({"backbone": {}, "results": told})

    def item(self, index: int, name: str | None, data: bytes, fields: dict[str, list[str]]) -> Any:
        names = tuple(fields.get("class_names", self.names))
        reject = fields.get("reject", [None])[0]
        accept = None if reject is None else True if reject == "true" else float(reject)
        threshold = float(fields["threshold"][0]) if "threshold" in fields else None
        rule = Rule(int(fields["top"][0]), threshold, accept)
        try:
            image = promptlet.data.open_image(data)
            if accept is None:
                [row], is_accepted = self.classifier.predict_proba([image], names), True
            else:
                [row], [is_accepted] = self.classifier.answer([image], names, accepted=accept)
        except ImageError as error:
            detail = str(error).replace("an image of", f"{name}: an image of")
            return {"index": index, "name": name, "error": {"title": "It cannot be read", "detail": detail}}
        answer = decide("", row, names, rule, bool(is_accepted))
        [prompt] = fields["prompts"]
        told = {key: value for key, value in answer.facts().items() if key != "path"}
        return {
            "index": index,
            "name": name,
            "predictions": [{"prompt": prompt, "digest": self.digest, **told}],
        }


@pytest.fixture(scope="module")
def answering(prompt: Path, clip_folder: Path) -> Answering:
    return Answering(prompt, clip_folder)


@pytest.fixture
def server(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    monkeypatch.delenv(by_server.TOKEN, raising=False)
    with listening(answering) as one:
        yield one


@pytest.fixture
def far(server: Loopback) -> Words:
    return lambda *words: ("predict", "shapes", "--server", server.url, *words)


@pytest.fixture
def near(prompt: Path, clip_folder: Path) -> Words:
    return lambda *words: ("predict", prompt, "--backbone", clip_folder, *words)


def close(left: Any, right: Any) -> bool:
    """Equal but for the last digits of numbers."""
    if isinstance(left, float):
        return bool(left == pytest.approx(right, abs=2e-6))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(close(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(close, left, right))
    return bool(left == right)


def same(left: str, right: str) -> bool:
    """The same text but for the last digit of numbers: images go through the tower in other batches."""
    number = re.compile(r"\d+\.\d+")
    numbers = [[float(one) for one in number.findall(text)] for text in (left, right)]
    step = 0.11 if "%" in left else 2e-6
    return number.sub("#", left) == number.sub("#", right) and numbers[0] == pytest.approx(
        numbers[1], abs=step
    )


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--top", 2),
        ("--threshold", 0.4),
        ("--reject",),
        ("--accept", 80),
        ("--classes", "red circle,cat,blue box"),
        ("--wide",),
        ("--wide", "--classes", "cat,dog"),
    ],
    ids=str,
)
@pytest.mark.slow
def test_answers_are_those_of_the_file(
    shell: Any, far: Words, near: Words, pictures: Path, words: tuple[object, ...]
) -> None:
    there, here = (shell.json(*ask(pictures, *words))["predictions"] for ask in (far, near))
    assert len(there) == 18 and close(there, here)


@pytest.mark.slow
def test_every_form_of_output(
    shell: Any, far: Words, near: Words, pictures: Path, tmp_path: Path, server: Loopback
) -> None:
    for words in ((), ("--csv", "--top", 2), ("--threshold", 0.99)):
        there, here = (shell.run(*ask(pictures / "test", *words)).stdout for ask in (far, near))
        assert same(there, here) and len(there.splitlines()) >= 6
    shell.run(*far(pictures, "--out", tmp_path / "far.csv"))
    shell.run(*near(pictures, "--out", tmp_path / "near.csv"))
    assert same((tmp_path / "far.csv").read_text(), (tmp_path / "near.csv").read_text())
    assert not any("authorization" in one.headers for one in server.asked)


@pytest.mark.slow
def test_going_on_asks_only_what_is_left(
    shell: Any, far: Words, pictures: Path, tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_server, "BATCH", 4)
    own, out = server.answer, tmp_path / "r.jsonl"

    def full(asked: Asked) -> Reply:
        enough = sum(one.path == "/v1/predict" for one in server.asked) > 2
        return problem("internal", 500, "The server made a mistake", "its log says") if enough else own(asked)

    server.answer = full
    error = shell.fails(*far(pictures, "--out", out))
    assert "error: " in error and "The server made a mistake: its log says" in error
    assert len(out.read_text().splitlines()) == 8
    server.answer = own
    server.asked.clear()
    shell.run(*far(pictures, "--out", out, "--resume"))
    sent = [name for one in server.asked if one.path == "/v1/predict" for name, _ in one.images]
    assert len(sent) == 10 and len(out.read_text().splitlines()) == 18
    assert "another --top" in shell.refuses(*far(pictures, "--out", out, "--resume", "--top", 2))


@pytest.mark.slow
def test_a_prompt_that_was_replaced_meanwhile_is_noticed(
    shell: Any, far: Words, pictures: Path, server: Loopback, answering: Answering, tmp_path: Path
) -> None:
    own, out = server.answer, tmp_path / "r.csv"
    shell.run(*far(pictures, "--out", out))

    def replaced(asked: Asked) -> Reply:
        status, head, body = own(asked)
        return status, head, body.replace(b"0" * 32, b"1" * 32) if asked.path == "/v1/predict" else body

    server.answer = replaced
    assert "was replaced while it was asked" in shell.fails(*far(pictures))
    server.answer = lambda asked: (*own(asked)[:2], own(asked)[2].replace(b"0" * 32, b"1" * 32))
    shell.run(*far(pictures))
    assert "another prompt file" in shell.refuses(*far(pictures, "--out", out, "--resume"))


def test_a_bad_image_costs_itself_alone(shell: Any, far: Words, pictures: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image at all")
    good = next((pictures / "test").rglob("*.png"))
    document = shell.json(*far(bad, good, tmp_path / "none.jpg"), exit_code=1)
    assert [one["path"] for one in document["predictions"]] == [str(good)]
    assert [one["path"] for one in document["errors"]] == [str(tmp_path / "none.jpg"), str(bad)]
    assert "It cannot be read" in document["errors"][1]["error"]
    said = shell.run(*far(bad, good, "--skip-bad"))
    assert f"error: {bad}" in said.stderr and str(good) in said.stdout
    assert "It cannot be read" in shell.fails(*far(bad))


def test_pictures_of_the_web_are_loaded_here(
    shell: Any, far: Words, pictures: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = next((pictures / "test").rglob("*.png"))

    def load(self: object, address: str, file: Path) -> None:
        if "none" in address:
            raise ImageError(f"{address}: there is none")
        file.write_bytes(good.read_bytes())

    monkeypatch.setattr(loading.Loader, "load", load)
    words = ("https://a.example/1.png", good, "https://a.example/none.png", "--allow-urls")
    document = shell.json(*far(*words), exit_code=1)
    assert [one["path"] for one in document["predictions"]] == ["https://a.example/1.png", str(good)]
    assert [one["error"] for one in document["errors"]] == ["https://a.example/none.png: there is none"]
    [asked] = [one for one in server.asked if one.path == "/v1/predict"]
    digests = {hashlib.sha256(data).hexdigest() for _, data in asked.images}
    assert digests == {hashlib.sha256(good.read_bytes()).hexdigest()}


@pytest.mark.slow
def test_the_token_comes_from_a_file_or_the_environment(
    shell: Any, far: Words, pictures: Path, server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token.txt"
    file.write_text(f"{TOKEN}\n")
    shell.run(*far(pictures / "test", "--token-file", file))
    monkeypatch.setenv(by_server.TOKEN, "pl_env_Other")
    shell.run(*far(pictures / "test"))
    shell.run(*far(pictures / "test", "--token-file", file))
    told = [one.headers["authorization"].removeprefix("Bearer ") for one in server.asked]
    assert told == [TOKEN, TOKEN, "pl_env_Other", "pl_env_Other", TOKEN, TOKEN]
    file.write_text("")
    assert "is empty" in shell.refuses(*far(pictures, "--token-file", file))
    file.write_bytes(b"\xff\xfe")
    assert "is no text" in shell.refuses(*far(pictures, "--token-file", file))
    assert "cannot be read" in shell.fails(*far(pictures, "--token-file", tmp_path / "none"), exit_code=2)
    monkeypatch.setenv(by_server.TOKEN, "Top Secret")
    error = shell.refuses(*far(pictures))
    assert "the token is empty, or holds" in error and "Secret" not in error


def test_a_token_goes_over_plain_http_only_where_that_is_allowed(
    shell: Any, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(by_server.TOKEN, TOKEN)
    error = shell.refuses("predict", "pets", pictures, "--server", "http://prompts.example")
    assert "over plain http" in error and "--allow-http" in error and TOKEN not in error


@pytest.mark.slow
def test_options_that_do_not_fit_are_refused_in_words(
    shell: Any, far: Words, near: Words, pictures: Path, server: Loopback, tmp_path: Path
) -> None:
    for words in (("--backbone", "mini"), ("--device", "cpu"), ("--dtype", "float32"), ("--no-cache",)):
        error = shell.refuses(*far(pictures, *words))
        assert f"{words[0]} is about a model on this machine" in error
    for words in (("--token-file", "x"), ("--allow-http",)):
        assert f"{words[0]} is about a server; give --server URL" in shell.refuses(*near(pictures, *words))
    assert "no name of a prompt on a server" in shell.refuses(
        "predict", "a/b.prompt", pictures, "--server", server.url
    )
    assert server.asked == []
    error = shell.fails("predict", "shapes.prompt", pictures, "--server", server.url)
    assert "There is no such prompt" in error and "did you mean 'shapes'?" in error


def test_what_the_server_refuses_is_told(shell: Any, far: Words, pictures: Path, server: Loopback) -> None:
    own = server.answer
    no_names = as_json({"name": "shapes", "digest": "0" * 32, "class_names": []})
    server.answer = lambda asked: no_names if asked.method == "GET" else own(asked)
    assert "saved without class names; give --classes" in shell.fails(*far(pictures))
    broken = as_json({"name": "shapes", "digest": "", "state": "broken", "reason": "it is cut off"})
    server.answer = lambda asked: broken
    assert "the prompt shapes is not served: it is cut off" in shell.fails(*far(pictures))
    wrong = {"prompt": "shapes", "error": {"title": "It cannot answer", "detail": "it has no rejection"}}
    told = as_json({"results": [{"index": i, "name": "", "predictions": [wrong]} for i in range(18)]})
    server.answer = lambda asked: own(asked) if asked.method == "GET" else told
    assert "shapes: It cannot answer: it has no rejection" in shell.fails(*far(pictures, "--reject"))
    error = shell.refuses("predict", "shapes", pictures, "--server", "127.0.0.1:8080")
    assert "did you mean http://127.0.0.1:8080?" in error


@pytest.mark.slow
def test_nothing_of_torch_is_loaded(server: Loopback, pictures: Path, tmp_path: Path) -> None:
    code = (
        "import sys, atexit\n"
        "heavy = ('torch', 'transformers', 'sklearn', 'scipy', 'pandas', 'fastapi', 'PIL', 'matplotlib')\n"
        "atexit.register(lambda: print([name for name in heavy if name in sys.modules]))\n"
        "from promptlet.cli import main\nmain()\n"
    )
    words = ["predict", "shapes", str(pictures), "--server", server.url, "--out", str(tmp_path / "r.csv")]
    environment = {**os.environ, "PROMPTLET_TOKEN": ""}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]" and (tmp_path / "r.csv").exists()
