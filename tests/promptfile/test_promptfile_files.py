"""Prompt files on disk: whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from promptfile_golden import FULL, LOW_RANK

from promptlet.errors import PromptFileError
from promptlet.promptfile import dumps, load_prompt_file, save_prompt_file

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "pets.prompt"
    assert save_prompt_file(path, LOW_RANK, "int8") == path.stat().st_size
    assert save_prompt_file(str(path), FULL, "fp16") == path.stat().st_size
    assert load_prompt_file(str(path)).method == "coop"
    assert path.read_bytes() == dumps(FULL, "fp16")
    assert save_prompt_file(path, FULL, "kmeans2", compact=True) == path.stat().st_size
    assert path.read_bytes() == dumps(FULL, "kmeans2", compact=True)
    assert load_prompt_file(path).precision == "kmeans2"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    save_prompt_file(tmp_path / "a.prompt", FULL)
    assert (tmp_path / "a.prompt").stat().st_mode == (tmp_path / "plain").stat().st_mode


@posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real.prompt")
    save_prompt_file(tmp_path / "link", FULL)
    assert (tmp_path / "link").is_symlink()
    assert load_prompt_file(tmp_path / "real.prompt").method == "coop"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_a_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str) -> None:
    path = tmp_path / "a.prompt"
    save_prompt_file(path, LOW_RANK)

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(PromptFileError) as caught:
        save_prompt_file(path, FULL)
    assert message in str(caught.value) and str(path) in str(caught.value)
    assert path.read_bytes() == dumps(LOW_RANK)
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_prompt_file(tmp_path / "a.prompt", FULL)
    assert not list(tmp_path.iterdir())


@posix
def test_a_real_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.prompt"
    save_prompt_file(path, LOW_RANK)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "from promptfile_golden import FULL\n"
        "from promptlet.errors import PromptFileError\n"
        "from promptlet.promptfile import save_prompt_file\n"
        "try: save_prompt_file(sys.argv[1], FULL)\n"
        "except PromptFileError as error: print(error)\n"
    )
    where = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, env=where
    )
    assert "would exceed the size allowed" in done.stdout
    assert path.read_bytes() == dumps(LOW_RANK)
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, message in [
        (tmp_path / "missing" / "a.prompt", "missing does not exist: create it"),
        (tmp_path, "it is a folder"),
        (tmp_path / "file" / "a.prompt", "is a file, not a folder"),
        (tmp_path / ("n" * 300), "the name is too long"),
        (f"{tmp_path}/a\0b", "null"),
    ]:
        with pytest.raises(PromptFileError, match=message):
            save_prompt_file(path, FULL)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(PromptFileError, match="no permission"):
            save_prompt_file(tmp_path / "a.prompt", FULL)
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_places_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello, this is text")
    for path, message in [
        (tmp_path / "missing.prompt", "there is no such file"),
        (tmp_path, "it is a folder"),
        (tmp_path / "file" / "a", "is a file, not a folder"),
        (f"{tmp_path}/a\0b", "null"),
        (tmp_path / "file", "cannot load .*file: it is no safetensors file"),
    ]:
        with pytest.raises(PromptFileError, match=message):
            load_prompt_file(path)


@posix
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PromptFileError, match="no regular file"):
        load_prompt_file(tmp_path / "pipe")


@posix
def test_a_giant_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "giant").open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(PromptFileError, match="larger than 1,073,741,824 bytes"):
        load_prompt_file(tmp_path / "giant")
