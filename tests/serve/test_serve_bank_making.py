"""What answers is made once for all who ask, kept within a size, and found again on the disk."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bank_prompts import (
    NAMES,
    SERVED,
    answer,
    bank_of,
    drawn,
    fitted,
    learner_of,
    place,
    queries,
    run,
    untrained,
)

from promptlet.classifier.answers.deciding import Rule
from promptlet.errors import BusyError, DataError, PromptFileError
from promptlet.promptfile import dumps
from promptlet.serve.bank import Answerer, Bank, class_cache
from promptlet.serve.bank import bank as bank_module
from promptlet.serve.bank.answerers import FailedError, held_bytes
from promptlet.serve.bank.bank import THREADS_OF_TENANT
from promptlet.serve.bank.disk import text_identity
from promptlet.serve.bank.listing import UnfitError
from promptlet.serve.meters import FEATURE_SOURCES, Meters

NEW = ("a boat", "a tree")


def value(meters: Meters, name: str, **labels: str) -> int:
    return int(meters.registry.get_sample_value(f"promptlet_{name}", labels) or 0)


def came(meters: Meters) -> dict[str, int]:
    """How often class features were needed, by where they came from."""
    found = {source: value(meters, "class_features_total", **{"from": source}) for source in FEATURE_SOURCES}
    return {source: count for source, count in found.items() if count}


class Gate:
    """Stands in the way of work until it is opened, and counts it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened, self.begun, self.calls = threading.Event(), threading.Semaphore(0), 0
        own = bank_module.score_of

        def score_of(*given: Any) -> Any:
            self.calls += 1
            self.begun.release()
            assert self.opened.wait(20)
            return own(*given)

        monkeypatch.setattr(bank_module, "score_of", score_of)

    async def wait_for(self, count: int = 1) -> None:
        """Until so many have begun."""
        for _ in range(count):
            assert await asyncio.to_thread(self.begun.acquire, timeout=20)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def test_many_who_ask_at_once_wait_for_one(gate: Gate, tiny_backbone: Any, tmp_path: Path) -> None:
    place(tmp_path, "it", drawn(tiny_backbone, 1))
    meters = Meters()
    bank = bank_of(tmp_path, tiny_backbone, meters=meters)

    async def story() -> None:
        first = asyncio.create_task(bank.answerer("it"))
        await gate.wait_for()
        others = [asyncio.create_task(bank.answerer("it")) for _ in range(20)]
        await asyncio.sleep(0)
        first.cancel()  # the others get it all the same
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.opened.set()
        found = await asyncio.gather(*others)
        assert len({id(one) for one in found}) == 1
        assert (await bank.answerer("it")) is found[0]

    run(story())
    assert gate.calls == 1
    assert came(meters) == {"computed": 1, "memory": 1} and value(meters, "prompts", state="ready") == 1
    assert value(meters, "class_features_bytes") > 0


def test_what_nobody_waits_for_any_more_is_not_begun(gate: Gate, tiny_backbone: Any, tmp_path: Path) -> None:
    for seed in range(4):
        place(tmp_path, f"p{seed}", drawn(tiny_backbone, seed))
    bank = bank_of(tmp_path, tiny_backbone)

    async def story() -> None:
        tasks = [asyncio.create_task(bank.answerer(f"p{seed}")) for seed in range(4)]
        await gate.wait_for(2)  # as many as there are threads
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        gate.opened.set()
        await bank.answerer("p0")
        assert (await bank.answerer("p3")).prompt == "p3"

    run(story())
    assert gate.calls == 3  # p0, p1, and p3 when it was asked for again


def test_different_prompts_are_made_side_by_side(gate: Gate, tiny_backbone: Any, tmp_path: Path) -> None:
    for seed in range(2):
        place(tmp_path, f"p{seed}", drawn(tiny_backbone, seed))
    bank = bank_of(tmp_path, tiny_backbone)

    async def story() -> None:
        task = asyncio.gather(bank.answerer("p0"), bank.answerer("p1"))
        await gate.wait_for(2)
        gate.opened.set()
        await task

    run(story())


def test_a_failure_is_not_remembered(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path, "it", drawn(tiny_backbone, 1))
    bank = bank_of(tmp_path, tiny_backbone)
    own, calls, all_wait = bank_module.score_of, [], threading.Event()

    def fails_once(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 1:
            assert all_wait.wait(20)
            raise MemoryError("for now")
        return own(*given)

    monkeypatch.setattr(bank_module, "score_of", fails_once)

    async def story() -> None:
        tasks = [asyncio.create_task(bank.answerer("it")) for _ in range(3)]
        await asyncio.sleep(0)
        all_wait.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, MemoryError) for one in found)
        assert (await bank.answerer("it")).names == NAMES

    run(story())
    assert bank.get("it").state == "ready"


def test_what_nobody_expects_of_a_prompt_costs_it_alone(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for seed in range(6):
        place(tmp_path, f"p{seed}", drawn(tiny_backbone, seed))
    bank = bank_of(tmp_path, tiny_backbone)
    own = bank_module.answerer_of

    def fails_for_one(name: str, *given: Any) -> Any:
        if name == "p2":
            raise MemoryError("a secret of the inside")
        return own(name, *given)

    monkeypatch.setattr(bank_module, "answerer_of", fails_for_one)
    found = run(bank.answerers([f"p{seed}" for seed in range(6)]))
    assert [isinstance(one, Answerer) for one in found] == [True, True, False, True, True, True]
    assert isinstance(found[2], FailedError) and "secret" not in str(found[2])
    assert "'p2' cannot be made ready" in caplog.text and "MemoryError: a secret of the inside" in caplog.text
    monkeypatch.undo()
    assert isinstance(run(bank.answerers(["p2"]))[0], Answerer) and bank.get("p2").state == "ready"


def test_who_asks_for_many_cold_prompts_does_not_delay_others(
    gate: Gate, tiny_backbone: Any, tmp_path: Path
) -> None:
    for seed in range(60):
        place(tmp_path, f"acme{seed}", drawn(tiny_backbone, seed))
    place(tmp_path, "globex", drawn(tiny_backbone, 99))
    bank = bank_of(tmp_path, tiny_backbone, tenant_share=0.5)

    async def story() -> None:
        lists = [[f"acme{seed}" for seed in range(first, 60, 10)] for first in range(10)]
        asked = [asyncio.create_task(bank.answerers(one, tenant="acme")) for one in lists]
        await gate.wait_for(THREADS_OF_TENANT)
        await asyncio.sleep(0.05)
        assert gate.calls == THREADS_OF_TENANT  # the last thread is for who comes
        other = asyncio.create_task(bank.answerer("globex", tenant="globex"))
        await gate.wait_for()
        assert gate.calls == THREADS_OF_TENANT + 1
        gate.opened.set()
        assert (await other).prompt == "globex"
        made = gate.calls
        for one in await asyncio.gather(*asked):
            assert all(isinstance(answerer, Answerer) for answerer in one)
        assert made < 30 and gate.calls == 61

    run(story())


@pytest.mark.slow
def test_prompts_without_room_or_turn_are_refused_and_counted(
    gate: Gate, tiny_backbone: Any, tmp_path: Path
) -> None:
    for seed in range(12):
        place(tmp_path, f"p{seed}", drawn(tiny_backbone, seed))
    meters = Meters()
    bank = bank_of(
        tmp_path, tiny_backbone, meters=meters, queue=8, tenant_share=0.5, wait_seconds=0.2, cache=None
    )

    async def story() -> None:
        many = asyncio.create_task(bank.answerers([f"p{seed}" for seed in range(9)], tenant="acme"))
        await gate.wait_for(2)
        assert value(meters, "queue_prompts") == 4
        with pytest.raises(
            BusyError, match=r"4 prompts wait, 4 of them yours, .* no room for 1 more"
        ) as error:
            await bank.answerer("p11", tenant="acme")
        assert error.value.retry_after >= 1
        other = asyncio.create_task(bank.answerers(["p9", "p10"], tenant="globex"))
        await gate.wait_for()
        late = asyncio.create_task(bank.answerers(["p11"], tenant="initech"))
        with pytest.raises(BusyError, match=r"after 0\.2 s, nothing of yours had its turn"):
            await late
        await asyncio.sleep(0.3)  # who has something in work is not late
        gate.opened.set()
        assert all(isinstance(one, Answerer) for one in [*await many, *await other])
        assert value(meters, "queue_prompts") == 0
        assert (await bank.answerer("p1", tenant="acme")).prompt == "p1"

    run(story())
    assert value(meters, "class_features_refused_total") == 2


def test_memory_is_bounded(tiny_backbone: Any, tmp_path: Path) -> None:
    for seed in range(12):
        place(tmp_path, f"p{seed:02}", drawn(tiny_backbone, seed))
    meters = Meters()
    one = run(bank_of(tmp_path, tiny_backbone).answerer("p00")).nbytes
    bank = bank_of(tmp_path, tiny_backbone, memory_bytes=3 * one + one // 2, meters=meters)
    names = [f"p{seed:02}" for seed in range(12)]
    run(bank.answerers(names))
    assert 2 * one < value(meters, "class_features_bytes") <= 3 * one + one // 2
    found = run(bank.answerers(names))
    assert [own.prompt for own in found if isinstance(own, Answerer)] == names
    assert came(meters)["computed"] > 12  # the first were gone


@pytest.mark.slow
def test_bytes_are_those_that_are_held(tiny_backbone: Any, tmp_path: Path) -> None:
    files = {method: fitted(tiny_backbone, method) for method in SERVED}
    for method, file in files.items():
        place(tmp_path, method, file)
    bank = bank_of(tmp_path, tiny_backbone)
    for method in SERVED:
        one = run(bank.answerer(method))
        size = len(NAMES) * tiny_backbone.feature_dim * 4
        least = sum(own.nbytes for own in files[method].tensors.values()) if one.matrix is None else size
        assert least <= one.nbytes < 20_000 + 5 * least
    vector = torch.zeros(1000)
    assert held_bytes([vector, vector[:10], vector.view(10, 100)]) == 4000
    array = np.zeros((10, 10), np.float32)
    assert held_bytes([array, torch.from_numpy(array), {"a": [array.reshape(-1)]}]) >= 400
    assert held_bytes([array, torch.from_numpy(array)]) == 400
    assert held_bytes([tiny_backbone]) == 0


def test_prompts_of_the_same_content_share_what_was_made(tiny_backbone: Any, tmp_path: Path) -> None:
    data = dumps(drawn(tiny_backbone, 1))
    place(tmp_path, "a", data)
    place(tmp_path, "b", data)
    a, b = run(bank_of(tmp_path, tiny_backbone).answerers(["a", "b"]))
    assert isinstance(a, Answerer) and isinstance(b, Answerer)
    assert (a.prompt, b.prompt) == ("a", "b") and a.digest == b.digest and a.matrix is b.matrix


def test_a_reason_tells_no_name_of_another_prompt_of_the_same_content(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, names = dumps(drawn(tiny_backbone, 1)), ["globex-pets", "pets"]
    for name in names:
        place(tmp_path, name, data)
    bank = bank_of(tmp_path, tiny_backbone)

    def unfit(file: Any, name: str) -> Any:
        time.sleep(0.2)  # the other one joins
        raise UnfitError(f"cannot use {name}: it is odd")

    monkeypatch.setattr(bank._gate, "open", unfit)
    found = run(bank.answerers(names))
    assert [str(one) for one in found] == [f"cannot use {name}: it is odd" for name in names]


def test_many_prompts_each_with_what_is_wrong_with_it(tiny_backbone: Any, tmp_path: Path) -> None:
    for seed in range(30):
        place(tmp_path, f"p{seed}", drawn(tiny_backbone, seed))
    place(tmp_path, "broken", untrained(tiny_backbone, "vpt"))
    place(tmp_path, "probe", fitted(tiny_backbone, "linear_probe"))
    bank = bank_of(tmp_path, tiny_backbone)
    names = ["none", "broken", "probe", *(f"p{seed}" for seed in range(30)), "p3"]
    found = run(bank.answerers(names, NEW))
    assert isinstance(found[0], KeyError) and isinstance(found[1], PromptFileError)
    assert "knows only its 5 classes" in str(found[2])
    assert [own.prompt for own in found[3:] if isinstance(own, Answerer)] == names[3:]
    assert run(bank.answerers([])) == []
    with pytest.raises(DataError, match="there is only"):
        run(bank.answerers(names, ["only one"]))


def test_a_cancelled_request_for_many_leaves_nothing_behind(
    gate: Gate, tiny_backbone: Any, tmp_path: Path
) -> None:
    for seed in range(20):
        place(tmp_path, f"p{seed}", drawn(tiny_backbone, seed))
    bank = bank_of(tmp_path, tiny_backbone)

    async def story() -> None:
        task = asyncio.create_task(bank.answerers([f"p{seed}" for seed in range(20)]))
        await gate.wait_for(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.opened.set()
        await bank.answerer("p19")

    run(story())
    assert gate.calls == 3


@pytest.mark.slow
def test_two_threads_encode_as_one_does(tiny_backbone: Any, tmp_path: Path) -> None:
    names = {
        seed: tuple(f"{word} {seed} {n}" for n in range(12) for word in ("red", "blue")) for seed in range(16)
    }
    for seed, own in names.items():
        place(tmp_path, f"p{seed}", drawn(tiny_backbone, seed, own))
    bank = bank_of(tmp_path, tiny_backbone)
    found = run(bank.answerers([f"p{seed}" for seed in names]))
    for seed, own in names.items():
        alone = learner_of(drawn(tiny_backbone, seed, own), tiny_backbone, tmp_path)
        one = found[seed]
        assert isinstance(one, Answerer)
        assert np.array_equal(one.matrix, alone.class_features())

    tower = tiny_backbone.text  # the same, hammered: the engine keeps layouts for names it saw
    context = torch.from_numpy(queries(tiny_backbone, 4)[:, :1].repeat(tower.dim, 1)).float()
    with torch.no_grad(), ThreadPoolExecutor(4) as pool:
        wanted = {seed: tower.encode(context, own) for seed, own in names.items()}
        asked = list(names) * 8
        given = list(pool.map(lambda seed: tower.encode(context, names[seed]).detach(), asked))
    assert all(torch.equal(wanted[seed], one) for seed, one in zip(asked, given, strict=True))


# -- on the disk ---------------------------------------------------------------------------------------


def test_class_features_are_found_again_after_a_restart(
    tiny_backbone: Any, tmp_path: Path, gate: Gate
) -> None:
    gate.opened.set()
    folder = tmp_path / "prompts"
    folder.mkdir()
    place(folder, "it", fitted(tiny_backbone, "rlp"))
    place(folder, "tip", fitted(tiny_backbone, "tip_adapter"))
    features = queries(tiny_backbone)
    meters = [Meters(), Meters()]
    told = []
    for own in meters:
        bank = bank_of(folder, tiny_backbone, cache=class_cache(tmp_path / "cache"), meters=own)
        asked = [
            ("it", None),
            ("it", NEW),
            ("it", NEW, "zero-shot"),
            ("it", ("dog", "a boat")),
            ("tip", None),
        ]
        found = [run(bank.answerer(*one)) for one in asked]
        told.append(
            [one.probabilities for each in answer(found, features, Rule(accept=None)) for one in each]
        )
        assert found[0].rejection is not None and found[0].no_rejection == ""
    assert came(meters[0]) == {"computed": 5}
    assert came(meters[1]) == {"disk": 3, "computed": 2}  # heads, and both kinds of names, are no matrix
    for first, second in zip(*told, strict=True):
        assert np.array_equal(first, second)


def test_the_disk_tells_apart_prompts_names_and_rules(tiny_backbone: Any, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    features = queries(tiny_backbone)
    cache = class_cache(tmp_path / "cache")
    for seed in (1, 2):
        place(folder, "it", drawn(tiny_backbone, seed))
        own = learner_of(drawn(tiny_backbone, seed), tiny_backbone, tmp_path)
        for names in (None, NEW, NEW[::-1]):
            for rule in (None, "learned", "zero-shot"):
                one = run(bank_of(folder, tiny_backbone, cache=cache).answerer("it", names, rule))
                found = np.stack([a.probabilities for a in answer([one], features, Rule())[0]])
                np.testing.assert_allclose(found, own.predict_proba(features, names, rule), atol=1e-6, rtol=0)


def test_another_arithmetic_is_another_place(tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = text_identity(tiny_backbone)
    assert tiny_backbone.fingerprint in plain
    monkeypatch.setattr(tiny_backbone.text, "products", torch.bfloat16)
    assert text_identity(tiny_backbone) != plain
    monkeypatch.undo()
    monkeypatch.setattr("promptlet.serve.bank.disk.precision", lambda _device: "bf16")
    assert text_identity(tiny_backbone) != plain


def damage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def shrink(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [damage, shrink, become_a_folder])
def test_a_damaged_disk_never_fails_a_request(spoil: Any, tiny_backbone: Any, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    place(folder, "it", drawn(tiny_backbone, 1))
    cache = class_cache(tmp_path / "cache")
    wanted = run(bank_of(folder, tiny_backbone, cache=cache).answerer("it")).matrix
    spoil(cache.path)
    again = class_cache(tmp_path / "cache")
    assert np.array_equal(run(bank_of(folder, tiny_backbone, cache=again).answerer("it")).matrix, wanted)


@pytest.mark.parametrize("method", ["get_many", "put_many"])
def test_whatever_the_disk_raises(
    method: str, tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    place(folder, "it", drawn(tiny_backbone, 1))
    cache = class_cache(tmp_path / "cache")

    def fail(*_given: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, method, fail)
    assert run(bank_of(folder, tiny_backbone, cache=cache).answerer("it")).names == NAMES


def test_vectors_of_another_form_are_not_taken(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    place(folder, "it", drawn(tiny_backbone, 1))
    for wrong in (np.ones(3), np.ones(len(NAMES) * tiny_backbone.feature_dim)):
        cache = class_cache(tmp_path / "cache")
        monkeypatch.setattr(cache, "get_many", lambda _f, keys, wrong=wrong: {keys[0]: wrong})
        one = run(bank_of(folder, tiny_backbone, cache=cache).answerer("it"))
        np.testing.assert_allclose(np.linalg.norm(one.matrix, axis=1), 1, atol=1e-5)


def test_what_the_cache_makes_of_matrices_of_the_usual_size(tmp_path: Path) -> None:
    cache = class_cache(tmp_path, max_bytes=8 * 2**20)
    vectors = {f"{n}": np.full(100 * 512, n, np.float32) for n in range(60)}  # 12 MB
    for name, vector in vectors.items():
        assert cache.put_many("it", {(name, "v"): vector}) == 1
    found = cache.get_many("it", [(name, "v") for name in vectors])
    assert all(np.array_equal(vectors[name], vector) for (name, _), vector in found.items())
    assert 30 <= len(found) <= 40 and cache.path.stat().st_size <= 9 * 2**20
    assert cache.notes == []


def test_a_bank_without_permission_to_its_cache(tiny_backbone: Any, tmp_path: Path) -> None:
    place(tmp_path, "it", drawn(tiny_backbone, 1))
    (tmp_path / "file").write_bytes(b"")
    cache = class_cache(tmp_path / "file" / "below")
    bank: Bank = bank_of(tmp_path, tiny_backbone, cache=cache)
    assert run(bank.answerer("it")).names == NAMES
    assert os.path.getsize(tmp_path / "file") == 0  # noqa: PTH202
