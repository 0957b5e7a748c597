"""Prompts are put and deleted whole or not at all, in a folder and in a store; errors are told in words."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bank_prompts import NAMES, bank_of, drawn, fitted, place, run, untrained

from promptlet.errors import OptionError, PromptFileError, ServiceError
from promptlet.promptfile import dumps
from promptlet.serve.bank import Bank, open_source
from promptlet.serve.bank.listing import digest_of
from promptlet.serve.bank.places import LEFT_BEHIND, FolderSource


@pytest.fixture
def store() -> Iterator[str]:
    """An object store in memory."""
    import fsspec

    files = fsspec.filesystem("memory")
    files.makedirs("/bank/prompts", exist_ok=True)
    yield "memory://bank/prompts"
    files.rm("/bank", recursive=True)


@pytest.fixture(params=["folder", "store"])
def bank(request: pytest.FixtureRequest, tiny_backbone: Any, tmp_path: Path) -> Bank:
    where = tmp_path if request.param == "folder" else request.getfixturevalue("store")
    return Bank(open_source(where), tiny_backbone)


def test_put_replace_and_delete(bank: Bank, tiny_backbone: Any) -> None:
    first, second = dumps(drawn(tiny_backbone, 1)), dumps(drawn(tiny_backbone, 2))

    async def story() -> None:
        listed = await bank.put("pets", first)
        assert listed == bank.get("pets") and listed.state == "ready" and listed.digest == digest_of(first)
        held = await bank.answerer("pets")
        listed = await bank.put("pets", second)
        assert bank.get("pets").digest == listed.digest == digest_of(second)
        assert (await bank.answerer("pets")).digest == digest_of(second)
        assert held.digest == digest_of(first)  # goes on with what it has
        assert bank.source.read("pets") == second
        bank.refresh()
        assert [one.digest for one in bank.listed()] == [digest_of(second)]
        await bank.delete("pets")
        assert bank.listed() == []
        with pytest.raises(KeyError):
            await bank.answerer("pets")
        with pytest.raises(KeyError):
            await bank.delete("pets")

    run(story())


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "../pets",
        "a/b",
        "a\\b",
        "pets\n",
        "kätze",
        "x" * 101,
        "a b",
        "-a",
        "a\0",
        "CON:",
    ],
)
def test_names_that_no_prompt_may_have(name: str, bank: Bank, tiny_backbone: Any) -> None:
    with pytest.raises(OptionError, match="is no name of a prompt; give 1 to 100 letters"):
        run(bank.put(name, dumps(drawn(tiny_backbone, 1))))
    with pytest.raises((KeyError, OptionError)):
        run(bank.delete(name))
    assert bank.listed() == []


def test_what_is_not_served_is_not_written(bank: Bank, tiny_backbone: Any) -> None:
    sound = dumps(drawn(tiny_backbone, 1))
    run(bank.put("pets", sound))
    tip = fitted(tiny_backbone, "tip_adapter")
    from dataclasses import replace

    wrong = {
        "cut off|ends at byte": sound[:-3],
        "no safetensors": b"PNG and so on" * 10,
        "changes the image tower": dumps(untrained(tiny_backbone, "vpt")),
        "Different: text tower": dumps(
            drawn(tiny_backbone, 1, fingerprint="0123456789ab-0123456789ab-0123456789ab")
        ),
        "does not have": dumps(drawn(tiny_backbone, 1, method="of_tomorrow")),
        "learned keys have the shape": dumps(replace(tip, tensors={"keys": tip.tensors["keys"][1:]})),
        "too few": b"",
    }
    for words, data in wrong.items():
        with pytest.raises(PromptFileError, match=words):
            run(bank.put("pets", data))
        with pytest.raises(PromptFileError, match=words):
            run(bank.put("new", data))
    assert [(one.name, one.digest) for one in bank.listed()] == [("pets", digest_of(sound))]
    assert bank.source.read("pets") == sound
    assert list(bank.source.look()) == ["pets"]


def test_names_that_differ_by_capitals_alone(bank: Bank, tiny_backbone: Any) -> None:
    data = dumps(drawn(tiny_backbone, 1))
    run(bank.put("Pets", data))
    with pytest.raises(OptionError, match="'pets' differs from the prompt 'Pets' by capitals alone"):
        run(bank.put("pets", data))
    run(bank.put("Pets", dumps(drawn(tiny_backbone, 2))))
    bank.source.write("PETS", data)  # somebody else did, on a disk that tells them apart
    bank.refresh()
    run(bank.put("PETS", data))
    assert [one.name for one in bank.listed()] == ["PETS", "Pets"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "no permission"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_disk_that_does_not_take_it(
    step: str, number: int, words: str, tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dumps(drawn(tiny_backbone, 1))
    place(tmp_path, "pets", first)
    bank = bank_of(tmp_path, tiny_backbone)

    def fail(*_given: Any) -> Any:
        raise OSError(number, os.strerror(number))

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif step == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr("promptlet.promptfile.files._write_through", fail)
    with pytest.raises(PromptFileError, match=f"'pets' cannot be saved: {words}") as caught:
        run(bank.put("pets", dumps(drawn(tiny_backbone, 2))))
    assert str(tmp_path) not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["pets.prompt"]
    assert (tmp_path / "pets.prompt").read_bytes() == first
    assert run(bank.answerer("pets")).digest == digest_of(first)
    if step == "fsync":
        return
    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(PromptFileError, match=f"'pets' cannot be deleted: {words}"):
        run(bank.delete("pets"))
    assert bank.get("pets").state == "ready"


def test_a_put_that_nobody_waits_for_is_whole(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = dumps(drawn(tiny_backbone, 1)), dumps(drawn(tiny_backbone, 2))
    place(tmp_path, "pets", first)
    bank = bank_of(tmp_path, tiny_backbone)
    begun, go_on = threading.Event(), threading.Event()
    from promptlet.promptfile import files

    own = files._write_through

    def slow(path: Path, data: bytes) -> None:
        begun.set()
        assert go_on.wait(20)
        own(path, data)

    monkeypatch.setattr(files, "_write_through", slow)

    async def story() -> None:
        task = asyncio.create_task(bank.put("pets", second))
        assert await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bank.source.read("pets") == first and bank.get("pets").digest == digest_of(first)
        go_on.set()
        while bank.get("pets").digest != digest_of(second):
            await asyncio.sleep(0.01)

    run(story())
    assert [path.name for path in tmp_path.iterdir()] == ["pets.prompt"]
    assert (tmp_path / "pets.prompt").read_bytes() == second


def test_a_put_takes_the_place_of_a_link(tiny_backbone: Any, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    first, second = dumps(drawn(tiny_backbone, 1)), dumps(drawn(tiny_backbone, 2))
    outside = place(tmp_path, "outside", first)
    (folder / "pets.prompt").symlink_to(outside)
    bank = bank_of(folder, tiny_backbone)
    run(bank.put("pets", second))
    assert outside.read_bytes() == first and not (folder / "pets.prompt").is_symlink()
    (folder / "pets.prompt").unlink()
    (folder / "pets.prompt").symlink_to(outside)
    bank.refresh()
    run(bank.delete("pets"))
    assert outside.read_bytes() == first and not os.path.lexists(folder / "pets.prompt")


def test_a_folder_in_the_place_of_a_file(tiny_backbone: Any, tmp_path: Path) -> None:
    (tmp_path / "pets.prompt").mkdir()
    bank = bank_of(tmp_path, tiny_backbone)
    with pytest.raises(PromptFileError, match="cannot be saved: it is a folder"):
        run(bank.put("pets", dumps(drawn(tiny_backbone, 1))))
    with pytest.raises(PromptFileError, match="cannot be deleted"):
        run(bank.delete("pets"))
    assert [path.name for path in tmp_path.iterdir()] == ["pets.prompt"]


def test_what_a_killed_write_left_is_cleared_away(tmp_path: Path) -> None:
    old, young, foreign = (tmp_path / name for name in (".promptlet-ab.tmp", ".promptlet-cd.tmp", ".x.tmp"))
    for path in (old, young, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (0, time.time() - LEFT_BEHIND - 1))
    FolderSource(tmp_path).look()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".promptlet-cd.tmp", ".x.tmp"]


class Failing(FolderSource):
    """Fails once the file is written, or taken away, as what lies in a network may."""

    error: Exception | None = None
    fails: tuple[str, ...] = ()

    def look(self, names: Any = None) -> Any:
        self._fail("look")
        return super().look(names)

    def write(self, name: str, data: bytes) -> None:
        super().write(name, data)
        self._fail("write")

    def delete(self, name: str) -> None:
        super().delete(name)
        self._fail("delete")

    def _fail(self, what: str) -> None:
        if what in self.fails and self.error is not None:
            raise self.error


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("odd")])
def test_what_was_put_or_deleted_is_told_so_though_it_cannot_be_listed(
    error: Exception, tiny_backbone: Any, tmp_path: Path
) -> None:
    source = Failing(tmp_path)
    bank = Bank(source, tiny_backbone)
    first, second = dumps(drawn(tiny_backbone, 1)), dumps(drawn(tiny_backbone, 2))
    source.error, source.fails = error, ("look",)
    for data in (first, second):
        listed = run(bank.put("pets", data))
        assert (listed.digest, listed.state, listed.bytes) == (digest_of(data), "ready", len(data))
        assert (listed.method, listed.classes) == ("rlp", len(NAMES)) and bank.get("pets") == listed
        assert run(bank.answerer("pets")).digest == digest_of(data)
    run(bank.delete("pets"))
    assert bank.get("pets") is None and bank.listed() == []
    source.fails = ()
    bank.refresh()
    assert bank.listed() == [] and bank.problem == ""


def test_a_change_that_was_made_all_the_same_is_told_as_made(tiny_backbone: Any, tmp_path: Path) -> None:
    source, data = Failing(tmp_path), dumps(drawn(tiny_backbone, 1))
    bank = Bank(source, tiny_backbone)
    source.error, source.fails = OSError(110, "Connection timed out"), ("write", "delete")
    assert run(bank.put("pets", data)) == bank.get("pets") and bank.get("pets").digest == digest_of(data)
    run(bank.delete("pets"))
    assert bank.get("pets") is None
    source.fails = ("write", "look")
    with pytest.raises(PromptFileError, match=r"cannot be saved: .*timed out"):
        run(bank.put("pets", data))


def test_a_prompt_that_is_another_one_at_once_is_told_as_put(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = bank_of(tmp_path, tiny_backbone)
    mine, other = dumps(drawn(tiny_backbone, 1)), dumps(drawn(tiny_backbone, 2))
    monkeypatch.setattr(bank.source, "_settle", lambda: place(tmp_path, "pets", other))
    assert run(bank.put("pets", mine)).digest == digest_of(mine)
    assert bank.get("pets").digest == digest_of(other)
    monkeypatch.setattr(bank.source, "_settle", lambda: (tmp_path / "pets.prompt").unlink())
    assert run(bank.put("pets", mine)).digest == digest_of(mine)
    assert bank.get("pets") is None


# -- a store -------------------------------------------------------------------------------------------


def test_a_store_is_listed_as_a_folder_is(store: str, tiny_backbone: Any) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    data = dumps(drawn(tiny_backbone, 1))
    for name in ("pets.prompt", "two words.prompt", ".hidden.prompt", "notes.txt", "deep/below.prompt"):
        files.pipe_file(f"/bank/prompts/{name}", data)
    files.makedirs("/bank/prompts/folder.prompt")
    bank = Bank(open_source(store), tiny_backbone)
    assert {one.name: one.state for one in bank.listed()} == {
        "pets": "ready",
        "two words": "broken",
        "folder": "broken",
    }
    assert bank.source.folder is None and bank.source.where == store
    assert abs(bank.get("pets").modified - time.time()) < 60
    assert run(bank.answerer("pets")).digest == digest_of(data)
    files.pipe_file("/bank/prompts/pets.prompt", dumps(drawn(tiny_backbone, 2)))
    bank.refresh()
    assert bank.get("pets").digest != digest_of(data)
    files.rm("/bank/prompts/pets.prompt")
    bank.refresh()
    assert bank.get("pets") is None


def test_a_store_that_fails(store: str, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = Bank(open_source(store), tiny_backbone)
    run(bank.put("pets", dumps(drawn(tiny_backbone, 1))))

    def fail(*_given: Any, **_options: Any) -> Any:
        raise RuntimeError("the library's own error")

    for name in ("ls", "info", "pipe_file", "rm_file"):
        monkeypatch.setattr(type(bank.source._files), name, fail)  # type: ignore[attr-defined]
    bank.refresh()
    assert "cannot be listed: the library's own error" in bank.problem and bank.get("pets").state == "ready"
    with pytest.raises(PromptFileError, match="cannot be saved: the library's own error"):
        run(bank.put("cars", dumps(drawn(tiny_backbone, 1))))
    with pytest.raises(ServiceError, match="cannot be listed"):
        open_source(store)


def test_a_store_that_tells_no_time_is_read_each_time(
    store: str, tiny_backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = Bank(open_source(store), tiny_backbone)
    files = bank.source._files  # type: ignore[attr-defined]
    own = type(files).ls
    monkeypatch.setattr(
        type(files),
        "ls",
        lambda self, *given, **options: [
            {key: info[key] for key in ("name", "size", "type")} for info in own(self, *given, **options)
        ],
    )
    for seed in (1, 2):
        data = dumps(drawn(tiny_backbone, seed))
        files.pipe_file("/bank/prompts/pets.prompt", data)
        bank.refresh()
        assert bank.get("pets").digest == digest_of(data)
