"""`promptlet teach`, and the page of `promptlet serve`: options, what is said, how they fail, a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from told import rest_of

from promptlet.errors import BackboneError
from promptlet.serve import start
from promptlet.serve.settings import ServeSettings
from promptlet.serve.start import Adding, Started
from promptlet.teach.projects.shelf import Shelf

URL = "http://127.0.0.1:8080"
PAGE = f"{URL}/?token=secret"
BACKBONE = {"name": "mini", "fingerprint": "a-b-c", "device": "cpu", "dtype": "float32"}


class Given:
    """What a command line leads to, instead of a server."""

    def __init__(self) -> None:
        self.settings: list[ServeSettings] = []
        self.adding: list[Adding | None] = []
        self.opened: list[str] = []
        self.error: Exception | None = None

    def run(self, settings: ServeSettings, tell: Any, adding: Adding | None = None) -> None:
        self.settings.append(settings)
        self.adding.append(adding)
        if self.error is not None:
            raise self.error
        page = PAGE if adding is not None else ""
        tell(Started(URL, settings.prompts, 0, (), BACKBONE, False, "curl", 0.01, "local", page))


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Given:
    made = Given()
    monkeypatch.setattr(start, "run", made.run)
    monkeypatch.setattr("webbrowser.open", made.opened.append)
    monkeypatch.chdir(tmp_path)
    return made


def test_what_is_said_and_opened(shell: Any, given: Given, tmp_path: Path) -> None:
    said = shell.run("teach").stdout.splitlines()
    assert said[0] == f"the page is at {PAGE}" and said[-1] == "end: Ctrl-C"
    assert "promptlet-projects" in said[2] and (tmp_path / "promptlet-projects").is_dir()
    for thread in threading.enumerate():
        if thread.name == "promptlet-browser":
            thread.join(5)
    assert given.opened == [PAGE]
    [settings] = given.settings
    assert (settings.prompts, settings.backbone) == ("promptlet-projects", "openai/clip-vit-base-patch16")
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 8080, "warning")
    assert settings.max_body_bytes == 256 * 2**20


def test_options_reach_the_settings(shell: Any, given: Given, tmp_path: Path) -> None:
    words = ("--backbone", "mini", "--device", "cpu", "--dtype", "mixed", "--port", 0, "--host", "0.0.0.0")
    shell.run("teach", "--projects", tmp_path / "a" / "b", *words, "--no-browser")
    [settings] = given.settings
    assert (settings.backbone, settings.device, settings.dtype) == ("mini", "cpu", "mixed")
    assert (settings.port, settings.host, settings.prompts) == (0, "0.0.0.0", str(tmp_path / "a" / "b"))
    assert given.opened == [] and given.adding[0] is not None and given.adding[0].is_guarded


def test_one_line_for_machines(shell: Any, given: Given) -> None:
    text = shell.run("teach", "--json", "--no-browser").stdout
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "schema": 1,
        "url": PAGE,
        "address": URL,
        "projects": "promptlet-projects",
        "backbone": BACKBONE,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "http"), "--port='http' is not allowed"),
        (("--port", "70000"), "--port='70000' is not allowed"),
        (("--host", ""), "--host='' is not allowed"),
    ],
)
def test_wrong_options(shell: Any, given: Given, words: tuple[str, ...], said: str) -> None:
    assert said in shell.refuses("teach", "--no-browser", *words)


def test_a_folder_that_cannot_be_used(shell: Any, given: Given, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "nothing can be kept there" in shell.fails("teach", "--projects", tmp_path / "file")
    other = Shelf(tmp_path / "taken")
    assert "another promptlet teach has the projects" in shell.fails(
        "teach", "--projects", tmp_path / "taken"
    )
    other.close()
    shell.run("teach", "--projects", tmp_path / "taken", "--no-browser")
    assert given.settings


@pytest.mark.slow
def test_a_backbone_that_cannot_be_loaded_names_the_one_that_can(shell: Any, given: Given) -> None:
    given.error = BackboneError("nothing is there")
    said = shell.fails("teach", "--no-browser")
    assert "nothing is there. To look around without it: promptlet teach --backbone mini" in said
    assert "To look around" not in shell.fails("teach", "--no-browser", "--backbone", "mini")


def test_the_backbone_of_the_prompts_that_are_there(shell: Any, given: Given, tmp_path: Path) -> None:
    from drawn_photos import COLOURS, draw

    for name in ("red", "green"):
        for seed in range(2):
            draw(tmp_path / "photos" / name / f"{seed}.png", COLOURS[name], seed)
    (tmp_path / "own").mkdir()
    shell.run(
        "fit",
        tmp_path / "photos",
        "--backbone",
        "mini",
        "--out",
        tmp_path / "own" / "a.prompt",
        "--epochs",
        1,
    )
    shell.run("teach", "--projects", tmp_path / "own", "--no-browser")
    assert given.settings[0].backbone == "mini"


def test_without_the_extra_it_says_what_to_install(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptlet.cli.serve.command.find_spec", lambda name: None)
    assert "promptlet teach needs optional packages" in shell.fails("teach")


# -- promptlet serve --set projects=DIR ---------------------------------------------------------------------


def test_the_page_of_a_server(shell: Any, given: Given, tmp_path: Path) -> None:
    said = shell.run("serve", "--set", f"projects={tmp_path / 'own'}", "--backbone", "mini").stdout
    assert f"page: {PAGE}" in said
    assert given.settings[0].prompts == str(tmp_path / "own")
    assert given.adding[0] is not None and not given.adding[0].is_guarded
    assert shell.json("serve", "--set", f"projects={tmp_path / 'own'}")["page"] == PAGE
    shell.run("serve", "--set", f"projects={tmp_path / 'own'}", "--prompts", tmp_path / "own")
    assert "page" not in shell.json("serve") and given.adding[-1] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "ray"), "--engine local alone"),
        (("--prompts", "other"), "leave --prompts out"),
        (("--set", "cors_origins=https://example.com"), "no other page may ask"),
        (("--prompts", "s3://bucket"), "leave --prompts out"),
    ],
)
def test_settings_that_do_not_go_with_the_page(
    shell: Any, given: Given, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in shell.refuses("serve", "--set", f"projects={tmp_path / 'own'}", *words)


# -- a real process ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_real_process_serves_the_page_until_it_is_ended(tmp_path: Path) -> None:
    words = ["teach", "--projects", "own", "--backbone", "mini", "--port", "0", "--no-browser"]
    log = tmp_path / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "promptlet", *words],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.fullmatch(r"the page is at (http://127\.0\.0\.1:\d+)/\?token=([\w-]{43})\n", first)
        assert found is not None, first
        request = urllib.request.Request(
            f"{found[1]}/v1/projects", headers={"Authorization": f"Bearer {found[2]}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer) == {"projects": [], "removed": []}
        process.send_signal(signal.SIGTERM)
        rest = rest_of(process, 30)
        assert (process.returncode, log.read_text()) == (0, "") and rest.endswith("end: Ctrl-C\n")
    finally:
        process.kill()
        process.wait()
