"""What a service on a cluster is asked and given; a front with its encoder in one process, without Ray."""

from __future__ import annotations

import asyncio
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bank_prompts import NAMES, drawn, learner_of, place, run
from ray_handles import InProcess, picture

from promptlet.backbones import Backbone
from promptlet.errors import MissingExtraError, OptionError, ServiceError
from promptlet.features import encode_images
from promptlet.serve.bank import Bank

pytest.importorskip("ray.serve")
from promptlet.serve.ray import options, service
from promptlet.serve.ray.encoder import ClusterEncoder
from promptlet.serve.ray.front import Front
from promptlet.serve.settings import ServeSettings


@pytest.fixture(autouse=True)
def files_may_be_open() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def given_of(**given: Any) -> ServeSettings:
    return ServeSettings(**{"engine": "ray", "port": 0, "log_level": "error", "class_cache": "off", **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"min_encoders": 3, "max_encoders": 2}, "max_encoders=2 is below min_encoders=3"),
        ({"device": "cuda:1"}, r"each encoder is given a free GPU of the cluster.*encoder_gpus=1"),
        ({"device": "cuda"}, "say how many each encoder has"),
        ({"device": "cpu", "encoder_gpus": 1}, "encoder_gpus=1 does not go with --device cpu"),
    ],
)
def test_settings_that_do_not_go_together(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        options.check(given_of(**given))


def test_what_ray_is_asked_for() -> None:
    fixed = options.encoder_options(given_of(min_encoders=2, max_encoders=2, queue_images=64))
    assert fixed["num_replicas"] == 2 and "autoscaling_config" not in fixed
    assert fixed["ray_actor_options"] == {"num_cpus": 1, "num_gpus": 0}
    assert fixed["max_ongoing_requests"] == 66 and fixed["max_queued_requests"] == 64
    scaled = options.encoder_options(given_of(min_encoders=2, max_encoders=8, encoder_gpus=0.5, batch=64))
    wanted = {"min_replicas": 2, "max_replicas": 8, "target_ongoing_requests": 32}
    assert scaled["autoscaling_config"] == wanted and "num_replicas" not in scaled
    assert scaled["ray_actor_options"]["num_gpus"] == 0.5
    front = options.front_options(given_of(fronts=3, leave_seconds=2, drain_seconds=7))
    assert front["num_replicas"] == 3 and front["graceful_shutdown_timeout_s"] > 2 + 7


def test_ray_takes_these_options() -> None:
    from ray import serve

    for one in (options.encoder_options(given_of(max_encoders=4)), options.front_options(given_of())):
        serve.deployment(name="it", **one)(ClusterEncoder)


def test_nodes_are_given_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = options.given_to_nodes(given_of(prompts="p", token_file="t.toml", class_cache="c"), "./model")
    assert (given["prompts"], given["backbone"]) == (str(tmp_path / "p"), str(tmp_path / "model"))
    assert (given["token_file"], given["class_cache"]) == (tmp_path / "t.toml", str(tmp_path / "c"))
    assert (given["device"], given["log_format"]) == ("cpu", "json")
    far = options.given_to_nodes(given_of(prompts="s3://b/p", encoder_gpus=1), "openai/clip-vit-base-patch16")
    assert (far["prompts"], far["backbone"]) == ("s3://b/p", "openai/clip-vit-base-patch16")
    assert far["device"] == "cuda" and far["class_cache"] == "off"
    assert ServeSettings.model_construct(**far).shown_prompts == "s3://b/p"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Error:\nray::Replica.initialize()\n  File x\npromptlet.errors.ServiceError: port 1 is taken",
            "port 1 is taken",
        ),
        ("promptlet.serve.access.tokens.Unauthorised: no\nmore", "no"),
        ("ValueError: of somebody else", None),
    ],
)
def test_an_error_of_ours_is_found_in_what_ray_says(text: str, said: str | None) -> None:
    found = service._OURS.search(text)
    assert (found and found[1]) == said


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.serve", None)
    with pytest.raises(
        MissingExtraError, match=r"pip install 'promptlet\[ray,serve\]', here and on every node"
    ):
        service.check_extra()


def serving(backbone: Backbone, folder: Path, work: Any, **given: Any) -> Any:
    """What ``work(front, url)`` gives, in a thread, of a front and an encoder in this process."""

    async def both() -> Any:
        settings = given_of(prompts=str(folder), backbone=backbone.name, device="cpu", **given).model_dump()
        encoder = ClusterEncoder(settings, backbone.name)
        front = Front.__new__(Front)
        try:
            await front.__init__(settings, InProcess(encoder))  # type: ignore[misc]  # as Ray calls it
            told = await front.told()
            result = await asyncio.to_thread(work, front, told)
            await front.check_health()
        finally:
            await front.end()
            await encoder.end()
        with pytest.raises(ServiceError, match="does not listen any more"):
            await front.check_health()
        return result

    return run(both())


@pytest.mark.slow
def test_a_front_answers_as_the_library_does(tiny_backbone: Backbone, tmp_path: Path) -> None:
    folder, image = tmp_path / "prompts", picture(3)
    folder.mkdir()
    file = drawn(tiny_backbone, 1)
    place(folder, "it", file)
    (tmp_path / "it.png").write_bytes(image)
    features = encode_images(tiny_backbone, [str(tmp_path / "it.png")])[0]
    [wanted] = learner_of(file, tiny_backbone, tmp_path).predict_proba(features)

    def work(front: Any, told: Any) -> tuple[Any, ...]:
        files = [("images", ("a.png", image)), ("images", ("b.png", b"no image"))]
        with httpx.Client(base_url=told.url) as client:
            answer = client.post("/v1/predict", files=files, headers={"X-Request-ID": "one"})
            large = client.post("/v1/predict", content=b"x" * 200_000, headers={"Content-Type": "image/png"})
            stranger = client.get("/readyz", headers={"Host": "evil.example"})
            ready = client.get("/readyz")
        return told, answer, large, stranger, ready

    told, answer, large, stranger, ready = serving(tiny_backbone, folder, work, max_body_bytes=100_000)
    assert told.ready == 1 and told.engine == "ray"
    assert told.backbone["fingerprint"] == tiny_backbone.fingerprint
    good, bad = answer.json()["results"]
    [first, *_] = good["predictions"][0]["top"]
    assert first["class_name"] == NAMES[wanted.argmax()]
    assert first["probability"] == pytest.approx(wanted.max(), abs=1e-5)
    assert bad["error"]["type"] == "/problems/bad-image" and answer.headers["X-Request-ID"] == "one"
    assert (large.status_code, stranger.status_code, ready.status_code) == (413, 421, 200)


def test_a_front_that_ends_closes_its_bank(
    tiny_backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[int] = []
    monkeypatch.setattr(Bank, "close", lambda _: closed.append(1))
    assert serving(tiny_backbone, tmp_path, lambda *_: len(closed)) == 0
    assert closed == [1]


@pytest.mark.slow
def test_two_fronts_of_a_node_share_a_port_and_one_that_ends_finishes(
    tiny_backbone: Backbone, tmp_path: Path
) -> None:
    asked: list[int] = []

    def work(front: Any, told: Any) -> int:
        port = int(told.url.rpartition(":")[2])

        def other(_front: Any, again: Any) -> None:
            assert int(again.url.rpartition(":")[2]) == port
            for _ in range(20):  # a connection each, to either of them
                asked.append(httpx.get(f"http://127.0.0.1:{port}/readyz").status_code)

        failed: list[BaseException] = []

        def second() -> None:
            try:
                serving(tiny_backbone, tmp_path, other, port=port)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join(60)
        assert failed == []
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code

    assert serving(tiny_backbone, tmp_path, work) == 200
    assert asked == [200] * 20
