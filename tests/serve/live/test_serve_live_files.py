"""Prompt files that change under load, disks that take nothing: no answer is wrong, or of a damaged file."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import live_material as material
import pytest
from bank_prompts import NAMES, drawn, learner_of, place
from live_clients import Connection, run, together
from live_server import Live, predicting, serving
from tools.watching import wait_until

from promptlet.promptfile import dumps
from promptlet.serve.access.keeping import add_token
from promptlet.serve.bank.listing import digest_of

pytestmark = pytest.mark.slow
REPLACED = 1000
VERSIONS = 24
PROMPTS = ("one", "two", "three", "four")
IMAGES = tuple(material.jpeg(seed) for seed in range(3))
BROKEN = str(Path(__file__).parent / "broken_server.py")


@pytest.fixture(scope="module")
def versions(mini: Any) -> list[bytes]:
    return [dumps(drawn(mini, seed)) for seed in range(VERSIONS)]


@pytest.fixture(scope="module")
def expected(mini: Any, versions: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The library's probabilities of each image, by digest."""
    folder = tmp_path_factory.mktemp("own")
    learners = {digest_of(data): learner_of(data, mini, folder) for data in versions}
    return {key: [material.answers(own, image) for image in IMAGES] for key, own in learners.items()}


class Answers:
    """What clients were answered, each checked."""

    def __init__(self, expected: dict[str, Any]) -> None:
        self.expected = expected
        self.kinds: Counter[str] = Counter()
        self.digests: set[str] = set()
        self.wrong: list[str] = []

    def take(self, status: int, headers: Any, document: Any) -> None:
        if status == 503 and int(headers.get("retry-after", "0")) < 1:
            self.wrong.append(f"503 without Retry-After: {document}")
        if status not in (200, 503, 404, 409):
            self.wrong.append(f"{status}: {document}")
        if status != 200:
            self.kinds[document["type"]] += 1
            return
        for result in document["results"]:
            for one in result["predictions"]:
                self._take_one(result["index"], one)

    def _take_one(self, image: int, one: Any) -> None:
        if "error" in one:
            self.kinds[one["error"]["type"]] += 1
            return
        self.kinds["answered"] += 1
        self.digests.add(one["digest"])
        if one["digest"] not in self.expected:
            self.wrong.append(f"an unknown version: {one}")
        elif not material.is_alike(one, self.expected[one["digest"]][image]):
            self.wrong.append(f"a wrong answer: {one}")


def replace(folder: Path, name: str, data: bytes, how: str) -> None:
    """As careful programs do, as ``cp`` does, and as those do that write over what is there."""
    path = folder / f"{name}.prompt"
    if how == "renamed":
        place(folder, name, data, age=0)
    elif how == "copied":
        path.write_bytes(data)
    elif how == "copied slowly":
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            time.sleep(0.004)
            file.write(data[len(data) // 2 :])
    else:
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(data)
            file.truncate()


def test_files_are_replaced_a_thousand_times_and_no_answer_is_wrong(
    versions: list[bytes], expected: dict[str, Any], tmp_path: Path, figure: Any
) -> None:
    draw, folder = random.Random(0), tmp_path / "prompts"
    answers, last = Answers(expected), {}
    material.write(folder, **dict.fromkeys(PROMPTS, versions[0]), still=versions[1])
    done: list[float] = []

    async def client(live: Live, number: int) -> None:
        async with Connection(live.port) as connection:
            turn = number
            while not done:
                asked = [PROMPTS[turn % 4], *(["still", *PROMPTS] if turn % 3 == 0 else [])]
                one = predicting(IMAGES, asked, top=str(len(NAMES)))
                reply = await connection.ask(one)
                answers.take(reply.status, reply.headers, reply.json)
                turn += 1

    def change() -> None:
        began = time.monotonic()
        try:
            for number in range(REPLACED):
                name = PROMPTS[number % len(PROMPTS)]
                how = draw.choice(
                    ["renamed", "renamed", "copied", "copied slowly", "in place", "damaged", "deleted"]
                )
                last[name] = draw.choice(versions)
                if how == "damaged":
                    cut = draw.choice([b"", last[name][:-1], last[name][:40], last[name][:-8] + bytes(8)])
                    replace(folder, name, cut, draw.choice(["renamed", "copied"]))
                elif how == "deleted":
                    (folder / f"{name}.prompt").unlink(missing_ok=True)
                if number >= REPLACED - len(PROMPTS) or how not in ("damaged", "deleted"):
                    replace(folder, name, last[name], "renamed" if how in ("damaged", "deleted") else how)
                time.sleep(draw.choice([0, 0.001, 0.002, 0.02]))
        finally:
            done.append(time.monotonic() - began)

    async def play(live: Live) -> None:
        await together(*(client(live, number) for number in range(6)), asyncio.to_thread(change))

    with serving(folder, "log_level=warning") as live:
        run(play(live))
        figure(
            f"{REPLACED} changes in {done[0]:.1f} s: {dict(answers.kinds)}, {len(answers.digests)} of "
            f"{VERSIONS} versions answered"
        )
        assert answers.wrong == []
        assert answers.kinds["answered"] > 500 and len(answers.digests) >= VERSIONS // 2

        def are_newest() -> bool:
            reply = live.predict(IMAGES, PROMPTS, top=str(len(NAMES)))
            answers.take(reply.status, reply.headers, reply.json)
            told = {one["prompt"]: one.get("digest") for one in reply.json["results"][0]["predictions"]}
            return told == {name: digest_of(data) for name, data in last.items()}

        seconds = wait_until(are_newest, 5, "the newest files are not served")
        figure(f"the newest of all four were served {seconds:.2f} s later")
        assert answers.wrong == [] and '"level": "error"' not in live.log()


@pytest.fixture(scope="module")
def live(versions: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """With tokens, so that it may be changed; on a disk of its own."""
    place_ = tmp_path_factory.mktemp("files")
    material.write(place_ / "prompts", one=versions[0], two=versions[1])
    token, _ = add_token(place_ / "tokens.toml", "admin", admin=True)
    options = [f"token_file={place_ / 'tokens.toml'}", f"class_cache={place_ / 'classes'}"]
    with serving(place_ / "prompts", *options, token=token) as server:
        yield server


def folder_of(live: Live) -> Path:
    return Path(live.told["prompts"])


def test_files_come_and_go(live: Live, versions: list[bytes], expected: dict[str, Any]) -> None:
    folder, answers = folder_of(live), Answers(expected)

    def status() -> int:
        reply = live.predict(IMAGES, ["guest"], top=str(len(NAMES)))
        answers.take(reply.status, reply.headers, reply.json)
        return reply.status

    assert status() == 404
    place(folder, "guest", versions[2], age=0)
    wait_until(lambda: status() == 200, 3, "a new file is not served")
    place(folder, "guest", versions[3][:-5], age=0)
    wait_until(lambda: status() == 409, 6, "a damaged file is not told as broken")
    [told] = [one for one in live.get("/v1/prompts").json["prompts"] if one["name"] == "guest"]
    assert told["state"] == "broken" and told["reason"]
    place(folder, "guest", versions[4], age=0)
    wait_until(lambda: status() == 200, 3, "the mended file is not served")
    (folder / "guest.prompt").unlink()
    wait_until(lambda: status() == 404, 3, "a file that is gone is served")
    assert answers.wrong == []
    assert answers.digests <= {digest_of(versions[2]), digest_of(versions[4])}


def test_a_file_with_one_wrong_bit_is_never_served(
    live: Live, versions: list[bytes], expected: dict[str, Any]
) -> None:
    answers, draw = Answers(expected), random.Random(1)
    for turn in range(40):
        damaged = bytearray(versions[5])
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        place(folder_of(live), f"bit{turn}", bytes(damaged))
    names = [f"bit{turn}" for turn in range(40)]
    wait_until(
        lambda: {*names} <= {one["name"] for one in live.get("/v1/prompts").json["prompts"]}, 5, "not seen"
    )
    broken = lambda: [one["state"] for one in live.get("/v1/prompts").json["prompts"]].count("broken")  # noqa: E731
    wait_until(lambda: broken() == 40, 8, "they are taken for files that are being written")
    for name in names:
        reply = live.predict(IMAGES, [name])
        answers.take(reply.status, reply.headers, reply.json)
    assert (
        answers.wrong == []
        and answers.kinds["answered"] == 0
        and answers.kinds["/problems/broken-prompt"] == 40
    )
    for name in names:
        (folder_of(live) / f"{name}.prompt").unlink()


def test_a_folder_that_goes_away_and_comes_back(
    live: Live, versions: list[bytes], expected: dict[str, Any]
) -> None:
    """As a disk in a network does: what was there goes on being served, and then it is followed again."""
    folder, answers = folder_of(live), Answers(expected)

    def ask(name: str) -> int:
        reply = live.predict(IMAGES, [name], top=str(len(NAMES)))
        answers.take(reply.status, reply.headers, reply.json)
        return reply.status

    assert ask("one") == 200
    away = folder.rename(folder.with_name("away"))
    try:
        time.sleep(1)
        assert ask("one") == 200 and live.get("/readyz").status == 200
        assert live.ask("PUT", "/v1/prompts/x", versions[2], "application/octet-stream").status == 507
    finally:
        away.rename(folder)
    place(folder, "later", versions[3], age=0)
    wait_until(lambda: ask("later") == 200, 20, "it is not followed again")
    assert ask("one") == 200 and answers.wrong == []


# disks that take nothing


def cold(live: Live, versions: list[bytes], expected: dict[str, Any], first: int) -> Answers:
    """Four prompts that were not asked before."""
    names = [f"cold{first + turn}" for turn in range(4)]
    for turn, name in enumerate(names):
        place(folder_of(live), name, versions[first + turn], age=0)
    wait_until(
        lambda: {*names} <= {one["name"] for one in live.get("/v1/prompts").json["prompts"]}, 5, "not seen"
    )
    answers = Answers(expected)
    for _ in range(2):
        reply = live.predict(IMAGES, names, top=str(len(NAMES)))
        answers.take(reply.status, reply.headers, reply.json)
    return answers


def test_a_full_disk_is_told_and_answers_go_on(
    live: Live, versions: list[bytes], expected: dict[str, Any]
) -> None:
    put = lambda: live.ask("PUT", "/v1/prompts/two", versions[7], "application/octet-stream")  # noqa: E731
    assert cold(live, versions, expected, 6).kinds == {"answered": 24}
    files = {path: path.stat().st_size for path in folder_of(live).parent.glob("classes/*")}
    assert sum(files.values()) > 0
    live.limit_files(0)
    try:
        answers = cold(live, versions, expected, 10)
        assert answers.kinds == {"answered": 24} and answers.wrong == []
        live.wait_for_log("going on without the cache of class features")
        reply = put()
        assert reply.status == 507 and "nothing was changed" in reply.json["detail"]
        assert str(folder_of(live)) not in reply.json["detail"]
        assert list(folder_of(live).glob(".promptlet-*")) == []
    finally:
        live.limit_files(-1)
    assert live.get("/v1/prompts/two").json["digest"] == digest_of(versions[1])
    assert cold(live, versions, expected, 14).kinds == {"answered": 24}
    reply = put()
    assert reply.status == 200 and reply.json["digest"] == digest_of(versions[7])
    assert live.get("/readyz").status == 200 and '"level": "error"' not in live.log()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Of so many bytes. Skips where this user may mount none."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="has no tmpfs")
def test_a_disk_that_fills_up_is_told_and_answers_go_on(
    tmp_path: Path, versions: list[bytes], expected: dict[str, Any]
) -> None:
    material.write(tmp_path / "prompts", one=versions[0])
    with (
        small_disk(tmp_path / "disk", "128k") as disk,
        serving(tmp_path / "prompts", f"class_cache={disk}", "recent_bytes=0") as live,
    ):
        (disk / "others").write_bytes(bytes(40_000))
        names = [f"class {number}" for number in range(60)]
        for turn in range(12):
            reply = live.predict([IMAGES[0]], ["one"], class_names=[f"thing {turn}", "other"])
            assert reply.status == 200
            body = {"images": [], "prompts": ["one"], "class_names": [f"{name} {turn}" for name in names]}
            assert live.ask("POST", "/v1/predict", with_image(body), "application/json").status == 200
        answers = cold(live, versions, expected, 18)
        assert answers.kinds == {"answered": 24} and answers.wrong == []
        live.wait_for_log("class features")
        told = [json.loads(line) for line in live.log().splitlines()]
        assert sum(one["level"] == "warning" for one in told) <= 3  # told, and not for each


def with_image(body: dict[str, Any]) -> bytes:
    import base64

    return json.dumps({**body, "images": [base64.b64encode(IMAGES[0]).decode()]}).encode()


# killed


def test_killed_while_a_prompt_is_put_nothing_half_is_left(
    tmp_path: Path, versions: list[bytes], expected: dict[str, Any]
) -> None:
    folder, when = tmp_path / "prompts", tmp_path / "writes"
    material.write(folder, one=versions[0])
    token, _ = add_token(tmp_path / "tokens.toml", "admin", admin=True)
    options = [f"token_file={tmp_path / 'tokens.toml'}"]
    environment = {"BREAK": "writing", "BREAK_FILE": str(when)}
    with serving(folder, *options, program=[BROKEN], environment=environment, token=token, code=-9) as live:
        socks = []
        try:
            for name, data in (("one", versions[1]), ("new", versions[2])):
                head = f"PUT /v1/prompts/{name} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                head += f"Content-Type: application/octet-stream\r\nContent-Length: {len(data)}\r\n\r\n"
                socks.append(live.connect())
                socks[-1].sendall(head.encode() + (data if name == "one" else data[:-100]))
            wait_until(when.exists, 5, "nothing is written")
            assert live.get("/v1/prompts/one").json["digest"] == digest_of(versions[0])
            reply = live.predict(IMAGES, ["one"], top=str(len(NAMES)))
            live.signal(signal.SIGKILL)
            live.ended(5)
        finally:
            for sock in socks:
                sock.close()
    answers = Answers(expected)
    answers.take(reply.status, reply.headers, reply.json)
    [half] = folder.glob(".promptlet-*")
    assert 0 < half.stat().st_size < len(versions[1])
    assert (folder / "one.prompt").read_bytes() == versions[0] and not (folder / "new.prompt").exists()
    fresh = folder / ".promptlet-0123456789abcdef.tmp"
    fresh.write_bytes(b"somebody else writes")
    old = time.time() - 61
    os.utime(half, (old, old))
    with serving(folder, *options, token=token) as live:
        assert not half.exists() and fresh.exists()
        listed = live.get("/v1/prompts").json["prompts"]
        assert [(one["name"], one["state"]) for one in listed] == [("one", "ready")]
        reply = live.predict(IMAGES, ["one"], top=str(len(NAMES)))
        answers.take(reply.status, reply.headers, reply.json)
        assert live.ask("PUT", "/v1/prompts/one", versions[1]).json["digest"] == digest_of(versions[1])
        os.utime(fresh, (old, old))
        wait_until(lambda: not fresh.exists(), 15, "what is left over stays while it runs")
    assert answers.wrong == [] and answers.kinds == {"answered": 6}


def test_killed_while_class_features_are_written_the_next_one_has_a_sound_cache(
    tmp_path: Path, versions: list[bytes], expected: dict[str, Any]
) -> None:
    folder, cache = tmp_path / "prompts", tmp_path / "classes"
    material.write(folder, **{f"p{turn}": data for turn, data in enumerate(versions)})
    names, answers = [f"p{turn}" for turn in range(VERSIONS)], Answers(expected)
    for turn in range(3):
        with serving(folder, f"class_cache={cache}", code=-9) as live:
            if turn:
                reply = live.predict(IMAGES, names, top=str(len(NAMES)))
                answers.take(reply.status, reply.headers, reply.json)
                found = live.metrics()
                assert found['promptlet_class_features_total{from="disk"}'] >= turn
            else:
                with live.connect() as sock:
                    sock.sendall(predicting(IMAGES, names))
                    wait_until(
                        lambda: live.metrics()['promptlet_class_features_total{from="computed"}'] >= 3, 5, ""
                    )
            live.signal(signal.SIGKILL)
            live.ended(5)
            assert '"level": "warning"' not in live.log()
    assert answers.wrong == [] and answers.kinds == {"answered": 2 * VERSIONS * len(IMAGES)}
