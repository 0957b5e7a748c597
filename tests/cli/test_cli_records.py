"""Folders of results with odd records, through the command line: told in words, whatever the records hold."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "report"))

from hostile import damages, lay, record_of, run_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(["\udcff\ud800", "a\x1b]0;x\x07\n|", "pets"]):
        done, failed = (replace(run_of("base-to-new", seed + more), dataset=name) for more in (0, 10))
        lay(tmp_path, json.dumps(record_of(done)), done)
        lay(tmp_path, json.dumps({**record_of(failed, "failed"), "reason": name}), failed)
    for _, text, run in damages(run_of("base-to-new", 1), "done", every=97):
        lay(tmp_path, text, run)
    return tmp_path


@pytest.mark.parametrize(
    "words", ["list DIR", "report DIR", "report DIR --format latex", "report DIR --rows", "study rank DIR"]
)
def test_every_command_tells_what_it_can(words: str, folder: Path, shell: Any) -> None:
    done = shell.run("bench", *(folder if word == "DIR" else word for word in words.split()))
    assert "\x1b" not in done.output and "pets" in done.output
    assert "it was left out: remove it" in done.output


@pytest.mark.parametrize("command", ["list", "report"])
def test_documents_hold_names_as_they_are(command: str, folder: Path, shell: Any) -> None:
    told = shell.json("bench", command, folder)
    assert {row["dataset"] for row in told.get("runs", told.get("summary"))} >= {"pets", "\udcff\ud800"}
    assert len(told["problems"]) > 5
