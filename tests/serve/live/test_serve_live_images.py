"""Images that have ended other servers for good: each costs itself alone, and what is answered is what the
library answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import live_material as material
import pytest
from bank_prompts import NAMES, fitted, learner_of
from live_server import Live, serving

pytestmark = pytest.mark.slow
GOOD = (1, 2, 3)
ALL = {"top": str(len(NAMES))}


@pytest.fixture(scope="module")
def prompts(mini: Any) -> dict[str, Any]:
    return {"pets": fitted(mini, "rlp"), "heads": fitted(mini, "tip_adapter")}


@pytest.fixture(scope="module")
def learner(mini: Any, prompts: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return learner_of(prompts["pets"], mini, tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def live(prompts: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("images") / "prompts"
    material.write(folder, **prompts)
    with serving(folder, "recent_bytes=0") as server:
        yield server


def check(result: Any, expected: dict[str, float] | None) -> None:
    """A result of one prompt is what the library says."""
    if expected is None:
        assert result["error"]["type"] == "/problems/bad-image" and len(result["error"]["detail"]) > 20
    else:
        [told] = result["predictions"]
        assert material.is_alike(told, expected), (told, expected)


def check_well(live: Live, learner: Any) -> None:
    """It answers others, and says that it is ready."""
    reply = live.predict([material.jpeg(1)], ["pets"], **ALL)
    assert reply.status == 200
    check(reply.json["results"][0], material.answers(learner, material.jpeg(1)))
    assert live.get("/readyz").status == 200


@pytest.mark.parametrize("kind", material.hostile())
def test_one_alone_is_answered_as_the_library_does_or_told(live: Live, learner: Any, kind: str) -> None:
    image = material.hostile()[kind]
    expected = material.answers(learner, image)
    reply = live.predict([image], ["pets"], **ALL)
    assert reply.status == (422 if expected is None else 200)
    check(reply.json["results"][0], expected)
    raw = live.ask("POST", f"/v1/predict?prompts=pets&top={len(NAMES)}", image, "image/jpeg")
    assert raw.status == reply.status
    check_well(live, learner)


def test_all_of_them_among_good_ones_cost_themselves_alone(live: Live, learner: Any) -> None:
    images = []
    for place, image in enumerate(material.hostile().values()):
        images += [material.jpeg(GOOD[place % len(GOOD)]), image]
    before = live.metrics()
    reply = live.predict(images, ["pets"], **ALL)
    assert reply.status == 200
    results = reply.json["results"]
    assert [one["index"] for one in results] == list(range(len(images)))
    expected = [material.answers(learner, image) for image in images]
    for result, own in zip(results, expected, strict=True):
        check(result, own)
    assert sum(own is None for own in expected) >= 8 and sum(own is not None for own in expected) >= 30
    now = live.idle()
    bad = now['promptlet_images_total{result="bad"}'] - before['promptlet_images_total{result="bad"}']
    assert bad == sum(own is None for own in expected)
    check_well(live, learner)


def test_only_bad_ones_are_one_problem_with_a_result_for_each(live: Live, learner: Any) -> None:
    bad = [one for one in material.hostile().values() if material.answers(learner, one) is None]
    reply = live.predict(bad, ["pets", "heads"])
    assert reply.status == 422 and reply.headers["content-type"] == "application/problem+json"
    assert len(reply.json["results"]) == len(bad) and f"none of {len(bad)}" in reply.json["detail"]
    features = live.ask("POST", "/v1/features", bad[0], "image/jpeg")
    assert features.status == 422
    check_well(live, learner)


def test_an_image_on_its_side_is_the_same_as_one_that_stands(live: Live) -> None:
    for orientation in range(2, 9):
        side, upright = material.turned(40, orientation)
        one, other = live.predict([side, upright], ["heads"], **ALL).json["results"]
        told = {top["class_name"]: top["probability"] for top in one["predictions"][0]["top"]}
        assert material.is_alike(other["predictions"][0], told)


def test_many_bombs_at_once_take_no_memory(live: Live, learner: Any, figure: Any) -> None:
    """Each is refused by its header; what is just small enough is decoded by a few at a time."""
    just = material.saved(material.picture(1).resize((7000, 7000)), "PNG", compress_level=1)
    live.predict([just], ["pets"])
    live.forget_peak()
    before = live.resident()
    reply = live.predict([just, *[material.bomb()] * 100, just], ["pets"], **ALL)
    results = reply.json["results"]
    assert reply.status == 200 and ["error" in one for one in results] == [False, *[True] * 100, False]
    grown = live.resident("VmHWM") - before
    figure(f"100 bombs and 2 images of 49 megapixels: memory grew by {grown / 2**20:.0f} MiB at most")
    assert grown < 1200 * 2**20
    check_well(live, learner)
