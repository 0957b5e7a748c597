"""A front's encoder: what it makes of what encoders of a cluster answer, and of those that die. Ray's part is
played here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import numpy as np
import pytest
from bank_prompts import run
from ray_handles import Handle, InProcess, picture, says, silent

from promptlet.backbones import Backbone
from promptlet.errors import BusyError, ImageError, OptionError, ServiceError
from promptlet.features import encode_images
from promptlet.serve.meters import Meters

pytest.importorskip("ray.serve")
from ray.exceptions import ActorDiedError, ActorUnavailableError, ObjectLostError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from promptlet.serve.ray.encoder import ClusterEncoder
from promptlet.serve.ray.messages import TAKEN, Encoded, Refused, encoded
from promptlet.serve.ray.remote import RemoteEncoder
from promptlet.serve.settings import ServeSettings

LOST = (ActorDiedError(), ActorUnavailableError("gone", b"0" * 16), ObjectLostError("0" * 56, None, ""))
FEATURES = np.arange(6, dtype=np.float32).reshape(3, 2)
SOUND = says(TAKEN, Encoded(FEATURES, {1: "the second is no image"}, ("encoded", "bad", "recent")))
IMAGES = [b"a", b"b", b"c"]


def remote(handle: Handle, **given: Any) -> RemoteEncoder:
    return RemoteEncoder(handle, "f", **given)


def counted(meters: Meters) -> dict[str, int]:
    samples = next(iter(meters.images.collect())).samples
    return {
        one.labels["result"]: int(one.value) for one in samples if one.name.endswith("_total") and one.value
    }


def test_images_come_back_in_order_each_with_its_own_error() -> None:
    handle, meters = Handle(SOUND), Meters()
    until = monotonic() + 5
    first, second, third = run(remote(handle, meters=meters).encode(IMAGES, "acme", until))
    np.testing.assert_array_equal([first, third], FEATURES[[0, 2]])
    assert isinstance(second, ImageError) and str(second) == "the second is no image"
    [(fingerprint, images, tenant, seconds)] = handle.asked
    assert (fingerprint, images, tenant) == ("f", IMAGES, "acme") and 4 < seconds <= 5
    assert counted(meters) == {"encoded": 1, "bad": 1, "recent": 1}


@pytest.mark.parametrize("lost", LOST, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("before", [(), (TAKEN,)], ids=["before", "while"])
def test_where_an_encoder_dies_with_the_images_another_one_is_asked(lost: Exception, before: Any) -> None:
    handle, meters = Handle(says(*before, lost), SOUND), Meters()
    found = run(remote(handle, meters=meters).encode(IMAGES))
    np.testing.assert_array_equal(found[0], FEATURES[0])
    assert len(handle.asked) == 2 and handle.asked[0] == handle.asked[1]
    assert counted(meters) == {"encoded": 1, "bad": 1, "recent": 1}
    assert meters.encoder_failures._value.get() == 1


def test_who_lost_two_encoders_is_told_to_ask_again() -> None:
    handle, meters = Handle(says(TAKEN, LOST[0])), Meters()
    with pytest.raises(
        BusyError, match=r"lost 2 times with these images .*ActorDiedError.* again in 2 s"
    ) as error:
        run(remote(handle, meters=meters).encode(IMAGES))
    assert error.value.retry_after == 2 and len(handle.asked) == 2
    assert counted(meters) == {"refused": 3}


def test_an_encoder_that_encodes_nothing_is_left_for_another() -> None:
    broken = says(TAKEN, Refused("broken", "nothing is answered any more: it is stuck"))
    assert len(run(remote(Handle(broken, SOUND)).encode(IMAGES))) == 3
    with pytest.raises(BusyError, match="it is stuck"):
        run(remote(Handle(broken)).encode(IMAGES))
    with pytest.raises(BusyError, match="answered nothing"):
        run(remote(Handle(says(TAKEN))).encode(IMAGES))
    with pytest.raises(BusyError, match="what was not asked"):  # never the features of other images
        run(remote(Handle(says(TAKEN, Encoded(FEATURES[:2], {}, ())))).encode(IMAGES))


def test_a_refusal_is_passed_on_and_nobody_else_is_asked() -> None:
    busy = Handle(says(TAKEN, Refused("busy", "the server is busy: 9 images wait", 7.5)))
    with pytest.raises(BusyError, match="9 images wait") as error:
        run(remote(busy).encode(IMAGES))
    assert error.value.retry_after == 7.5 and len(busy.asked) == 1
    with pytest.raises(OptionError, match="too many"):
        run(remote(Handle(says(TAKEN, Refused("never", "too many")))).encode(IMAGES))
    full = Handle(says(BackPressureError(num_queued_requests=9, max_queued_requests=8)))
    with pytest.raises(BusyError, match="too many requests wait for an encoder"):
        run(remote(full).encode(IMAGES))


def test_a_deployment_that_failed_is_told_and_a_mistake_of_ours_is_not_hidden() -> None:
    gone = Handle(says(DeploymentUnavailableError("encoder")))  # type: ignore[arg-type]
    with pytest.raises(ServiceError, match=r"cannot be asked \(DeploymentUnavailableError\)") as error:
        run(remote(gone).encode(IMAGES))
    assert error.value.status == 503 and not isinstance(error.value, BusyError)
    mistake = RayTaskError("encode", "trace", ZeroDivisionError()).as_instanceof_cause()
    with pytest.raises(ZeroDivisionError):
        run(remote(Handle(says(TAKEN, mistake))).encode(IMAGES))


def test_where_no_encoder_takes_the_images_that_is_told_soon() -> None:
    handle = Handle(silent)
    began = monotonic()
    with pytest.raises(BusyError, match="no encoder has room for these images, or none is there"):
        run(remote(handle, wait_seconds=0.1).encode(IMAGES))
    assert monotonic() - began < 5 and handle.answers[0].was_cancelled


async def slow(*_: Any) -> AsyncIterator[Any]:
    yield TAKEN
    await asyncio.sleep(60)


def test_an_answer_that_comes_too_late_is_not_waited_for() -> None:
    handle = Handle(slow)
    with pytest.raises(BusyError, match="not encoded in time"):
        run(remote(handle, wait_seconds=9).encode(IMAGES, deadline=monotonic() + 0.1))
    assert handle.answers[0].was_cancelled
    with pytest.raises(BusyError, match="not encoded in time"):
        run(remote(handle).encode(IMAGES, deadline=monotonic() - 1))
    assert len(handle.asked) == 1  # the second was not even sent


@pytest.mark.parametrize("encoder", [silent, slow])
def test_who_goes_away_is_told_to_the_encoder(encoder: Any) -> None:
    handle, meters = Handle(encoder), Meters()

    async def leave() -> None:
        task = asyncio.create_task(remote(handle, meters=meters).encode(IMAGES))
        await asyncio.sleep(0.05)
        assert meters.registry.get_sample_value("promptlet_queue_images") == 3
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(leave())
    assert handle.answers[0].was_cancelled and len(handle.asked) == 1
    assert counted(meters) == {"cancelled": 3}
    assert meters.registry.get_sample_value("promptlet_queue_images") == 0


def test_a_probe_goes_the_way_of_all() -> None:
    assert 0 <= run(remote(Handle(says(TAKEN, 0.01))).probe()) < 5
    for handle, said in (
        (Handle(says(TAKEN, Refused("broken", "it is stuck"))), "it is stuck"),
        (Handle(says(LOST[0])), "ActorDiedError"),
        (Handle(silent), "no encoder answers"),
    ):
        with pytest.raises(ServiceError, match=said):
            run(remote(handle, wait_seconds=0.05, probe_seconds=0.1).probe())


def test_encoders_of_another_backbone_are_no_start() -> None:
    assert run(remote(Handle(says(TAKEN, {"fingerprint": "f"}))).facts()) == {"fingerprint": "f"}
    with pytest.raises(ServiceError, match=r"another backbone \(g\) than a front \(f\); give every node"):
        run(remote(Handle(says(TAKEN, {"fingerprint": "g"}))).facts())


# the other end, without Ray


def test_both_ends_together_give_what_the_library_gives(tiny_backbone: Backbone, tmp_path: Any) -> None:
    images = [picture(1), b"no image", picture(2), picture(1)]
    paths = [tmp_path / "1.png", tmp_path / "2.png"]
    for path, image in zip(paths, (images[0], images[2]), strict=True):
        path.write_bytes(image)
    expected = encode_images(tiny_backbone, [str(path) for path in paths])[0]

    async def both_ends() -> None:
        given = ServeSettings(device="cpu", log_level="error", queue_images=4).model_dump()
        encoder = ClusterEncoder(given, tiny_backbone.name)
        try:
            front = RemoteEncoder(InProcess(encoder), tiny_backbone.fingerprint)
            found = await front.encode(images)
            np.testing.assert_allclose([found[0], found[2], found[3]], expected[[0, 1, 0]], atol=1e-5)
            assert isinstance(found[1], ImageError) and "no image" in str(found[1])
            assert await front.probe() < 10
            assert (await front.facts())["feature_dim"] == tiny_backbone.feature_dim
            await encoder.check_health()
            with pytest.raises(OptionError, match="5 images are asked for at once; allowed: 4"):
                await front.encode([picture(seed) for seed in range(5)])
            stranger = RemoteEncoder(InProcess(encoder), "a-b-c")
            with pytest.raises(BusyError, match=r"another backbone .* than a front \(a-b-c\)"):
                await stranger.encode(images)
        finally:
            await encoder.end()
        with pytest.raises(BusyError, match="the server is closing"):
            await front.encode(images)

    run(both_ends())


def test_outcomes_travel_as_they_are() -> None:
    outcomes = [FEATURES[1], ImageError("no"), FEATURES[0]]
    first, second, third = encoded(outcomes, ("recent", "bad", "encoded"), 2).outcomes()
    np.testing.assert_array_equal([first, third], FEATURES[[1, 0]])
    assert str(second) == "no"
