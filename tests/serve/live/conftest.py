"""Servers in processes of their own: what they logged is shown with what failed, and what was measured at
the end."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # for bank_prompts

from live_server import STARTED

FIGURES: list[str] = []
SHOWN = 8000
"""Characters of the end of a log."""


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Any:
    """Called with what was measured, in words."""

    def note(text: str) -> None:
        FIGURES.append(f"{request.node.name}: {text}")

    return note


@pytest.fixture(autouse=True)
def only_own_servers() -> Iterator[None]:
    """Those that are gone are of no interest for the next test."""
    yield
    STARTED[:] = [one for one in STARTED if one.process.poll() is None]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.failed:
        report.sections += [
            (f"log of server {one.process.pid} on port {one.port}", one.log()[-SHOWN:]) for one in STARTED
        ]
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in FIGURES:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def mini() -> Any:
    from promptlet.backbones import load_backbone

    return load_backbone("mini", device="cpu")
