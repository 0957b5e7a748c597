"""A disk that is full costs no finished work; where it can be, it is told before work begins."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlet import disk
from promptlet.data import FeatureCache
from promptlet.disk import Reserve, is_full, room_problem
from promptlet.errors import EngineError, PromptFileError
from promptlet.promptfile import files as prompt_files
from promptlet.protocols.engines.temporary import temporary_folder


def full(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room_problem(tmp_path) == "" and "MiB are free" in room_problem(tmp_path, 10**18)
    assert room_problem(tmp_path / "absent") == "No such file or directory"
    reserve = Reserve(tmp_path / "held", 5000)
    reserve.hold()
    assert (tmp_path / "held").stat().st_size == 5000
    reserve.let_go()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(disk.os, "fsync", full)
    assert room_problem(tmp_path) == "No space left on device"
    with pytest.raises(OSError, match="No space"):
        reserve.hold()
    assert list(tmp_path.iterdir()) == []
    try:
        try:
            full()
        except OSError as error:
            raise PromptFileError("cannot save") from error
    except PromptFileError as error:
        assert is_full(error) and not is_full(ValueError())


def test_temporary_files_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        pytest.raises(EngineError, match=r"has no room \(.* MiB are needed.*set TMPDIR"),
        temporary_folder(10**18),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    with temporary_folder() as place:
        assert place.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    with (
        pytest.raises(EngineError, match=r"no temporary folder can be made .No space left"),
        temporary_folder(),
    ):
        pass


@pytest.mark.slow
def test_fit_goes_on_from_a_finished_training(
    shell: Any, pictures: Path, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("fit", pictures, "--backbone", clip_folder, "--epochs", 5, "--estimate", "none", "--out")
    whole = shell.json(*words, tmp_path / "whole.prompt")
    out, checkpoint = tmp_path / "a.prompt", tmp_path / "a.prompt.checkpoint"
    with monkeypatch.context() as patch:
        patch.setattr(prompt_files, "_write_through", full)
        told = shell.fails(*words, out)
    assert "the disk is full" in told and f"The finished training is kept in {checkpoint}" in told
    assert checkpoint.exists() and not out.exists()
    monkeypatch.setattr("promptlet.training.loop._epoch", None)  # no epoch is run again
    again = shell.run(*words, out)
    assert f"{checkpoint} keeps a finished training" in again.stderr
    assert out.read_bytes() == (tmp_path / "whole.prompt").read_bytes() and whole["epochs"] == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.prompt", "whole.prompt"]


def test_fit_says_before_it_begins_that_nothing_can_be_written(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_fill", full)
    told = shell.fails("fit", "no-such-folder", "--out", tmp_path / "a.prompt")
    assert f"nothing can be written into {tmp_path} (No space left on device)" in told


def test_a_disk_that_is_full_anywhere_is_a_sentence(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlet.cli.methods._show", full)
    assert (
        shell.fails("methods", "rlp")
        == "error: a file cannot be written (No space left on device); free some space\n"
    )


def test_what_the_system_refuses_anywhere_is_a_sentence(
    shell: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def locked(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/locked/a.prompt")

    monkeypatch.setattr("promptlet.cli.methods._show", locked)
    told = "/locked/a.prompt: Permission denied; check the path, its folders and their permissions"
    assert shell.fails("methods", "rlp") == f"error: {told}\n"
    monkeypatch.setattr("sys.argv", ["promptlet", "methods", "rlp", "--json"])
    assert json.loads(shell.run("methods", "rlp", exit_code=1).stdout)["error"] == told


# -- a real one ------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """To the last byte."""
    with suppress(OSError), (folder / "fill").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()


def filling(folder: Path, own: Callable[..., Any]) -> Callable[..., Any]:
    """The function ``own``, before which the disk fills."""

    def filled(*given: Any) -> Any:
        fill(folder)
        return own(*given)

    return filled


@pytest.mark.slow
def test_a_disk_that_fills_while_training(
    shell: Any, pictures: Path, clip_folder: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlet.own_images import fitting

    words = ("fit", pictures, "--backbone", clip_folder, "--epochs", 6, "--out", small / "a.prompt")
    words = (*words, "--estimate", "none")
    with monkeypatch.context() as patch:
        patch.setattr("promptlet.training.loop.CHECKPOINT_SECONDS", 0.0)
        patch.setattr(fitting, "_report", filling(small, fitting._report))
        told = shell.fails(*words)
    assert "the disk is full" in told and "run the same command again" in told
    assert [path.name for path in sorted(small.iterdir())] == ["a.prompt.checkpoint", "fill"]
    (small / "fill").unlink()
    monkeypatch.setattr("promptlet.training.loop._epoch", None)
    shell.run(*words)
    assert [path.name for path in small.iterdir()] == ["a.prompt"]


@pytest.mark.slow
def test_the_last_checkpoint_has_room_that_was_held(
    shell: Any, pictures: Path, clip_folder: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills in the first epoch; what was held is enough for the prompt file, too."""
    from promptlet.training import loop

    words = ("fit", pictures, "--backbone", clip_folder, "--epochs", 6, "--out", small / "a.prompt")
    words = (*words, "--estimate", "none")  # whose epochs would fill the disk again
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_epoch", filling(small, loop._epoch))
        shell.run(*words)
    assert sorted(path.name for path in small.iterdir()) == ["a.prompt", "fill"]


@pytest.mark.slow
@pytest.mark.parametrize("one", [True, False])
def test_a_cache_on_a_full_disk_is_cleared_and_told_truly(
    one: bool, shell: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTLET_CACHE", str(small))
    cache = FeatureCache()
    vectors = {(f"{i:032x}", "0"): np.full(512, i, np.float32) for i in range(150)}
    assert (
        cache.put_many("aaaa", vectors) == 150 and cache.put_many("bbbb", dict([*vectors.items()][:50])) == 50
    )
    fill(small)
    before = cache.stats()
    told = shell.json("cache", "clear", *(("--fingerprint", "aaaa") if one else ()))
    after = FeatureCache().stats()
    assert told["removed"] == (150 if one else 200) and after.by_fingerprint == ({"bbbb": 50} if one else {})
    assert told["freed_bytes"] == before.bytes - after.bytes > 150 * 2048


def test_a_cache_that_cannot_be_cleared_is_an_error(
    shell: Any, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    FeatureCache().put_many("aaaa", {("0", "0"): np.ones(4, np.float32)})

    def locked(*_: object) -> int:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("promptlet.data.cache.store.clear", locked)
    assert (
        "the cache was not cleared" in shell.fails("cache", "clear") and FeatureCache().stats().entries == 1
    )
