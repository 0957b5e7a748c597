"""A live `promptlet teach` with mini, a Chromium that looks at it, and what no test may leave behind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from page_axe import AXE
from page_watch import Watch
from tools.page.chromium import CHROMIUM
from tools.page.pictures import Material, drawn_material, real_material
from tools.page.server import STARTED, Teach, teaching

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

WIDE, NARROW, NARROWEST = (
    {"width": 1280, "height": 860},
    {"width": 375, "height": 720},
    {"width": 320, "height": 640},
)
SHOWN = 6000
"""Characters of the end of a log."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without its tools they are skipped, with the command that gets them."""
    if CHROMIUM is None or not AXE.exists():
        for item in items:
            if item.get_closest_marker("page"):
                item.add_marker(pytest.mark.skip(reason="needs Chromium and axe-core: make test-page"))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return drawn_material(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session")
def real() -> Material:
    found = real_material()
    if found is None:
        pytest.skip("no real data: set PROMPTLET_REALBED")
    return found


@pytest.fixture(scope="module")
def teach(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teach]:
    """One server for the tests of a file; each test makes projects of its own."""
    with teaching(tmp_path_factory.mktemp("teach") / "projects") as server:
        yield server


@pytest.fixture
def own_teach(tmp_path: Path) -> Iterator[Teach]:
    """A server of this test alone, to be killed."""
    with teaching(tmp_path / "teach" / "projects") as server:
        yield server


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., tuple[BrowserContext, Watch]]]:
    """Makes browser contexts with nothing remembered; at the end, no fault may have been seen in any."""
    made: list[tuple[BrowserContext, Watch]] = []

    def make(server: Teach, **options: Any) -> tuple[BrowserContext, Watch]:
        given = {
            "viewport": WIDE,
            "locale": "en-GB",
            "accept_downloads": True,
            "permissions": ["camera"],
            **options,
        }
        context = browser.new_context(**given)
        context.set_default_timeout(15_000)
        made.append((context, Watch(server.origin).on(context)))
        return made[-1]

    yield make
    faults = [fault for _context, watch in made for fault in watch.told()]
    for context, _watch in made:
        context.close()
    assert faults == []


@pytest.fixture
def opened(contexts: Callable[..., tuple[BrowserContext, Watch]]) -> Callable[..., Page]:
    """Opens a server's page in a context of its own, by the address that it printed."""

    def open_page(server: Teach, **options: Any) -> Page:
        context, watch = contexts(server, **options)
        page = context.new_page()
        page.watch = watch  # type: ignore[attr-defined]
        page.goto(server.url)
        return page

    return open_page


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Called with what was measured, in words; told at the end of the run."""
    return lambda text: record_property("figure", text)


@pytest.fixture(autouse=True)
def only_own_servers() -> Iterator[None]:
    """Those that are gone are of no interest for the next test."""
    yield
    STARTED[:] = [one for one in STARTED if one.process is not None]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """With what failed: what the servers wrote."""
    report = yield
    if report.failed:
        report.sections += [
            (f"log of {one.told.get('url', 'a server')}", one.log()[-SHOWN:]) for one in STARTED
        ]
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, text in report.user_properties:
                    if name == "figure":
                        terminalreporter.write_line(f"{report.nodeid.partition('::')[2]}: {text}")
