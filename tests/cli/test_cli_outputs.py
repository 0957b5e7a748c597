"""Where something is to be written is tried before any work: no command reads, trains or draws first."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from promptlet import disk
from promptlet.cli import reference
from promptlet.cli.outputs import check_file, check_folder
from promptlet.errors import OptionError

NAMES = {word for words, _ in reference.commands() for word in words}
WRITING = {  # with inputs that are not there: had the command looked at them first, it would say so
    "fit": ("fit", "absent", "--out"),
    "checkpoint": ("fit", "absent", "--out", "a.prompt", "--checkpoint"),
    "run": ("bench", "run", "--datasets", "absent", "--out"),
    "dry run": ("bench", "run", "--datasets", "absent", "--dry-run", "--out"),
    "report": ("bench", "report", "absent", "--out"),
    "study": ("bench", "study", "rank", "absent", "--out"),
    "figure of a study": ("bench", "study", "rank", "absent", "--figure"),
    "pack": ("bench", "pack", "absent", "--out"),
    "unpack": ("bench", "unpack", "absent", "--out"),
    "analyze": ("analyze", "--datasets", "absent", "--out"),
    "figure": ("analyze", "--datasets", "absent", "--figure"),
    "markdown": ("analyze", "--datasets", "absent", "--markdown"),
    "demo": ("demo", "--out"),
    "draw": ("datasets", "draw", "mini-flowers", "--out"),
    "predict": ("predict", "absent", "absent", "--out"),
    "export": ("export", "absent", "--to", "onnx", "--out"),
    "vectors": ("export", "absent", "--to", "vectors", "--out"),
    "search": ("search", "absent", "--export", "npz", "--out"),
    "evaluate": ("evaluate", "absent", "absent", "--out"),
    "compare": ("compare", "absent", "--out"),
    "check": ("check", "absent", "--out"),
    "clean table": ("check", "absent", "--write-clean"),
}
ENDINGS = {
    "predict": ".csv",
    "export": "",
    "vectors": ".npz",
    "search": ".npz",
    "evaluate": ".html",
    "compare": ".html",
    "check": ".html",
    "clean table": ".csv",
}
"""Where a name must have one."""


def test_every_command_that_writes_is_tried() -> None:
    writing = {
        (words, option)
        for words, command in reference.commands()
        for parameter in command.params
        for option in parameter.opts
        if option in ("--out", "--figure", "--markdown", "--checkpoint", "--write-clean")
    }
    tried = {(tuple(word for word in words[:2] if word in NAMES), words[-1]) for words in WRITING.values()}
    assert tried == writing


@pytest.mark.parametrize("what", WRITING)
def test_every_command_tries_its_output_first(
    shell: Any, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    locked = tmp_path / "locked"
    locked.mkdir()
    own = disk._fill

    def fill(path: Path, size: int) -> None:
        if path.parent == locked:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        own(path, size)

    monkeypatch.setattr(disk, "_fill", fill)
    told = shell.fails(*WRITING[what], locked / f"x{ENDINGS.get(what, '.md')}")
    assert f"nothing can be written into {locked} (Permission denied)" in told
    assert [path.name for path in tmp_path.rglob("*")] == ["locked"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no such system")
def test_a_place_where_the_system_makes_no_files() -> None:
    with pytest.raises(
        OptionError, match=r"--out .*x: nothing can be written into /proc \(the system makes no"
    ):
        check_file(Path("/proc/x"))
    with pytest.raises(OptionError, match=r"into /proc"):
        check_folder(Path("/proc/a/b"))


def test_what_is_tried_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_file(tmp_path / "a.md")
    check_file(tmp_path / "file")
    check_file(tmp_path / "new" / "a.md", make_folders=True)
    check_folder(tmp_path / "new" / "er")
    with pytest.raises(
        OptionError, match=r"--figure .* is a folder; give the name of a file, such as .*figure"
    ):
        check_file(tmp_path, "--figure")
    with pytest.raises(OptionError, match=r"the folder .*new does not exist; create it"):
        check_file(tmp_path / "new" / "a.md")
    with pytest.raises(OptionError, match=r"file is a file, no folder"):
        check_folder(tmp_path / "file" / "below")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
