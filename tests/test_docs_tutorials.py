"""The tutorials run as they stand, offline, and print what they show; numbers may differ in their digits."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import promptlet
from promptlet.cli import reference

DOCS = Path(__file__).parents[1] / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(page: str) -> Iterator[tuple[str, str, str]]:
    """(language, what is run, what the page says it prints) of each block of shell or Python."""
    found = [(match[1], match[2]) for match in BLOCK.finditer(page)]
    for (language, code), (after, text) in zip(found, [*found[1:], ("", "")], strict=True):
        if language in ("sh", "python"):
            yield language, code, text if after == "text" else ""


def run(language: str, code: str, folder: Path) -> str:
    """What a reader would see who runs ``code`` in ``folder``, both streams together."""
    command = ["bash", "-euc", code] if language == "sh" else [sys.executable, "-c", code]
    source = str(Path(promptlet.__file__).parents[1])
    environment = {
        **os.environ,
        "PATH": f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": source,
        "PROMPTLET_CACHE": str(folder.parent / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def place(root: Path) -> Path:
    """An empty folder to work in, with a ``promptlet`` beside it that is the one under test."""
    (root / "bin").mkdir(parents=True)
    command = root / "bin" / "promptlet"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m promptlet "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    (root / "work").mkdir()
    return root / "work"


def plain(text: str) -> list[str]:
    """Its lines without numbers, digests, rules and runs of spaces."""
    lines = (re.sub(r"\b[0-9a-f]{12}\b|[+-]?\d+(?:[.,]\d+)*", "#", line) for line in text.splitlines())
    return [" ".join(line.split()) for line in lines if line.strip() and "───" not in line]


def test_there_are_tutorials() -> None:
    assert [path.name for path in TUTORIALS] == [
        "first-prompt.md",
        "first-table.md",
        "own-photos.md",
        "teach-in-the-browser.md",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_and_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    folder = place(tmp_path)
    for language, code, shown in steps(page.read_text(encoding="utf-8")):
        printed = run(language, code, folder)
        seen = iter(plain(printed))
        missing = [line for line in plain(shown) if line != "..." and line not in seen]
        assert missing == [], f"{code}\nprints\n{printed}"


def commands(page: Path) -> Iterator[str]:
    """Every line of a code block of the page that calls ``promptlet``, continued lines joined."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        found = re.match(r"^(?:    |\$ |    \$ )?(promptlet [a-z-].*)$", line)
        if found and "`" not in line:
            yield found[1].partition("  #")[0]
        yield from re.findall(r"`(promptlet [a-z-][^`]*)`", line)


@pytest.mark.parametrize("page", [*sorted(DOCS.glob("**/*.md")), DOCS.parent / "README.md"], ids=str)
def test_commands_on_the_pages_exist_with_their_options(page: Path) -> None:
    known = dict(reference.commands())
    root = known[()]
    for line in commands(page):
        words = [word for word in line.split()[1:] if not word.startswith("#")]
        while words and words[0] == "--import":
            words = words[2:]
        if not words or words[0].startswith("-"):
            continue
        name: tuple[str, ...] = ()
        while words and (*name, words[0]) in known:
            name = (*name, words.pop(0))
        assert name, line
        options = {option for one in (known[name], root) for p in one.params for option in p.opts}
        used = {word.partition("=")[0] for word in words if re.match(r"^--?[a-z]", word)}
        assert used <= options | {"--help", "-h"}, (line, used - options)
