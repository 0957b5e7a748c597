"""What others change in a source is followed while the bank serves."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bank_prompts import bank_of, drawn, place, run

from promptlet.promptfile import dumps
from promptlet.serve.bank import Bank, open_source, watching
from promptlet.serve.bank.listing import digest_of

SOON = 15.0
NEVER = 3600.0


async def until(is_so: Callable[[], bool]) -> None:
    """A bounded time."""
    deadline = asyncio.get_running_loop().time() + SOON
    while not is_so():
        assert asyncio.get_running_loop().time() < deadline, "nothing happened"
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def only_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing again does not help, but where a test asks for it."""
    from promptlet.serve.bank import following as module

    own = module._list_again

    async def list_again(bank: Bank, every: float) -> None:
        if every < NEVER:
            await own(bank, every)

    monkeypatch.setattr(module, "_list_again", list_again)


def test_a_folder_is_followed_at_once(tiny_backbone: Any, tmp_path: Path) -> None:
    place(tmp_path, "pets", drawn(tiny_backbone, 1))
    bank = bank_of(tmp_path, tiny_backbone)
    second = dumps(drawn(tiny_backbone, 2))

    async def story() -> None:
        async with watching(bank, every=NEVER):
            await asyncio.sleep(0.3)  # until the watch stands
            place(tmp_path, "pets", second)
            place(tmp_path, "cars", second)
            (tmp_path / "notes.txt").write_text("not a prompt")
            await until(lambda: bank.get("pets").digest == digest_of(second))
            await until(lambda: bank.get("cars") is not None)
            (tmp_path / "cars.prompt").rename(tmp_path / "boats.prompt")
            await until(lambda: bank.get("cars") is None and bank.get("boats") is not None)
            (tmp_path / "pets.prompt").unlink()
            await until(lambda: bank.get("pets") is None)

    run(story())
    assert [one.name for one in bank.listed()] == ["boats"]


def test_a_volume_whose_files_are_links(tiny_backbone: Any, tmp_path: Path) -> None:
    """As Kubernetes replaces all files of a volume at once, by one link."""
    for seed in (1, 2):
        (tmp_path / f"..{seed}").mkdir()
        place(tmp_path / f"..{seed}", "pets", drawn(tiny_backbone, seed))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "pets.prompt").symlink_to("..data/pets.prompt")
    bank = bank_of(tmp_path, tiny_backbone)
    first = bank.get("pets").digest

    async def story() -> None:
        async with watching(bank, every=NEVER):
            await asyncio.sleep(0.3)
            (tmp_path / "..new").symlink_to("..2")
            os.replace(tmp_path / "..new", tmp_path / "..data")  # noqa: PTH105 - as it does
            await until(lambda: bank.get("pets").digest != first)

    run(story())


def test_a_store_is_listed_again(tiny_backbone: Any) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    files.makedirs("/watched", exist_ok=True)
    bank = Bank(open_source("memory://watched"), tiny_backbone)

    async def story() -> None:
        async with watching(bank, every=0.05):
            files.pipe_file("/watched/pets.prompt", dumps(drawn(tiny_backbone, 1)))
            await until(lambda: bank.get("pets") is not None)
            files.rm("/watched/pets.prompt")
            await until(lambda: bank.get("pets") is None)

    run(story())


@pytest.mark.slow
def test_what_was_being_written_is_settled_without_another_change(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptlet.serve.bank.listing.SETTLED", 0.3)
    monkeypatch.setattr("promptlet.serve.bank.following.SETTLED", 0.3)
    place(tmp_path, "pets", dumps(drawn(tiny_backbone, 1))[:-4], age=0)
    bank = bank_of(tmp_path, tiny_backbone)
    assert bank.get("pets").state == "being written"

    async def story() -> None:
        async with watching(bank, every=NEVER - 1):
            await until(lambda: bank.get("pets").state == "broken")

    run(story())


def test_it_goes_on_whatever_happens(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bank = bank_of(tmp_path, tiny_backbone)
    own, calls = bank.source.look, []

    def look(names: Any = None) -> Any:
        calls.append(names)
        if len(calls) < 3:
            raise RuntimeError("a defect")
        return own(names)

    monkeypatch.setattr(bank.source, "look", look)

    async def story() -> None:
        async with watching(bank, every=0.02):
            place(tmp_path, "pets", drawn(tiny_backbone, 1))
            await until(lambda: bank.get("pets") is not None)

    with caplog.at_level(logging.ERROR, "promptlet.serve"):
        run(story())
    assert "could not be looked at" in caplog.text


def test_a_folder_that_goes_away_and_comes_back(
    tiny_backbone: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptlet.serve.bank.following.REWATCH_SECONDS", 0.02)
    folder = tmp_path / "prompts"
    folder.mkdir()
    place(folder, "pets", drawn(tiny_backbone, 1))
    bank = bank_of(folder, tiny_backbone)

    async def story() -> None:
        async with watching(bank, every=0.05):
            await asyncio.sleep(0.2)
            folder.rename(tmp_path / "away")
            await until(lambda: bank.problem != "")
            assert bank.get("pets").state == "ready"
            folder.mkdir()
            place(folder, "cars", drawn(tiny_backbone, 2))
            await until(lambda: [one.name for one in bank.listed()] == ["cars"] and not bank.problem)

    run(story())
