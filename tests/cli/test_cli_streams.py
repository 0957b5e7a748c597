"""Text reaches terminals, pipes and files escaped and in an encoding that holds it; results that cannot be
written are told."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from promptlet.cli.shell import bars, emit_json, say, table, warn
from promptlet.cli.streams import bear_any_text, emit_document
from promptlet.errors import OptionError

NAME = "\x1b[2Jcat\n=1\u202e[red]:cat:[/]\udcff猫é"
SEEN = r"\x1b[2Jcat\n=1\u202e[red]:cat:[/]\udcff"
ENCODINGS = ("ascii", "cp1252", "latin-1", "utf-8")


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [io.TextIOWrapper, Terminal])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_name_on_any_stream(kind: Any, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = {name: io.BytesIO() for name in ("stdout", "stderr")}
    for name, stream in raw.items():
        monkeypatch.setattr(sys, name, kind(stream, encoding=encoding, errors="strict"))
    bear_any_text()
    say(NAME)
    warn(NAME)
    table((NAME, "b"), [(NAME, NAME)], right=("b",))
    with bars() as shown:
        shown.show(NAME, 1, 3, NAME)
        shown.line(NAME)
    sys.stdout.flush(), sys.stderr.flush()
    out, error = (raw[name].getvalue().decode(encoding) for name in ("stdout", "stderr"))
    assert out.count(SEEN) == 4 and SEEN in error
    assert not {"\x1b[2J", "\u202e"} & {out, error} and "\x1b[2J" not in out + error.replace("\x1b[2K", "")


def test_json_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"name": NAME})
    out = capsys.readouterr().out
    assert out.isascii() and json.loads(out)["name"] == NAME


def test_a_document_is_utf8_wherever_it_is_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding in ENCODINGS:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        emit_document("é猫\n")
        assert raw.getvalue() == "é猫\n".encode()


def test_results_that_cannot_be_written_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    for write in (say, lambda text: emit_json({"a": text}), emit_document, lambda t: table(("a",), [(t,)])):
        with open("/dev/full", "w") as full:  # noqa: PTH123
            monkeypatch.setattr(sys, "stdout", full)
            with pytest.raises(OptionError, match=r"standard output cannot be written .No space left"):
                write("x")
                full.flush()
            monkeypatch.undo()
            with suppress(OSError):
                full.close()


def shell(
    *words: object, env: dict[str, str] | None = None, pipe: str = ""
) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-m", "promptlet", *map(os.fsencode, map(str, words))]
    if pipe:
        line = ["bash", "-c", f'set -o pipefail; "$@" {pipe}', "bash", *line]
    return subprocess.run(
        line, capture_output=True, env={**os.environ, **(env or {})}, timeout=120, check=False
    )


ENVIRONMENTS = [
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.slow
@pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: " ".join(env.values()))
def test_commands_in_poor_surroundings(
    env: dict[str, str], cases: Path, pictures: Path, tmp_path: Path
) -> None:
    ansi = cases / "ansi.prompt"
    image = tmp_path / "=é猫.png"
    image.write_bytes(next(pictures.rglob("*.png")).read_bytes())
    found = {
        words: shell(*words, env=env)
        for words in [
            ("inspect", ansi),
            ("predict", ansi, image),
            ("predict", ansi, image, "--csv", "--top", "3"),
            ("predict", ansi, image, "--json"),
            ("--help",),
            ("methods", "rlp"),
            ("datasets", "list"),
            ("backbones",),
        ]
    }
    for words, done in found.items():
        assert done.returncode == 0, (words, done.stderr)
        assert b"Traceback" not in done.stderr and b"\x1b" not in done.stdout + done.stderr
        assert b"\x07" not in done.stdout
    rows = found["predict", ansi, image, "--csv", "--top", "3"].stdout.decode("utf-8").splitlines()
    assert len(rows) == 2 and any("'=cmd" in row for row in rows)
    names = {
        one["class_name"]
        for one in json.loads(found["predict", ansi, image, "--json"].stdout)["predictions"][0]["top"]
    }
    assert any(name.startswith("=cmd") for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("words", [("datasets", "list"), ("methods", "--json"), ("--help",)])
def test_a_reader_that_goes_and_a_disk_that_is_full(words: tuple[str, ...]) -> None:
    for pipe in ("| head -1", "| head -c 1", "| true"):
        done = shell(*words, pipe=pipe)
        assert done.stderr == b"" and done.returncode in (0, 1)
    full = shell(*words, pipe="> /dev/full")
    assert full.returncode == 1
    assert b"standard output cannot be written (No space left on device)" in full.stderr
    assert b"Traceback" not in full.stderr
