"""What is measured on the page, each part on a server of its own that remembers nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tools.page.measures import frames, loading, share, tab_mib
from tools.page.person import Person
from tools.page.pictures import Material, many
from tools.page.server import Teach
from tools.watching import wait_until

WINDOW = {"width": 1280, "height": 860}
PATIENCE = 600_000
READY = "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
WHEEL, PAUSE, TURNS = 600, 30, 200
"""Pixels of a turn of the wheel, milliseconds to the next, how many."""


@contextmanager
def visited(browser: Any, place: Path, backbone: str) -> Iterator[tuple[Person, Teach]]:
    """Somebody at the page of a fresh server; features are cached in its own folder."""
    shutil.rmtree(place, ignore_errors=True)
    (place / "projects").mkdir(parents=True)
    own = {"PROMPTLET_CACHE": str(place / "cache")}
    server = Teach(place / "projects", backbone=backbone, environment=own).start()
    context = browser.new_context(viewport=WINDOW, locale="en-GB")
    context.set_default_timeout(PATIENCE)
    try:
        page = context.new_page()
        page.goto(server.url)
        yield Person(page), server
    finally:
        context.close()
        server.stop()


def way(browser: Any, place: Path, backbone: str, material: Material) -> dict[str, Any]:
    """Four classes of five images, dropped as a folder of folders; trained by the one button; asked."""
    folder = place.parent / "dropped"
    shutil.rmtree(folder, ignore_errors=True)
    for name, files in material.taught.items():
        (folder / name).mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder / name)
    with visited(browser, place, backbone) as (person, server):
        person.start("Measured")
        began = time.perf_counter()
        person.drop([folder])
        for name, files in material.taught.items():
            person.wait_for_count(name, len(files), PATIENCE)
        there = time.perf_counter()
        person.train(within=PATIENCE)
        learned = time.perf_counter()
        person.go("ask")
        asked = time.perf_counter()
        person.ask(next(iter(material.asked.values()))[:1])
        answered = time.perf_counter()
        told = server.ask(f"/v1/projects/{person.project}/result")
        return {
            "images": sum(len(files) for files in material.taught.values()),
            "there_s": there - began,
            "result_s": learned - began,
            "answer_s": answered - asked,
            "method": told["method"],
            "server_mib": server.resident_mib("VmHWM"),
            "tab_mib": tab_mib(browser),
        }


def first_load(browser: Any, place: Path) -> list[dict[str, Any]]:
    """The list of projects, with nothing in the browser's cache, and once more with it."""
    rows = []
    with visited(browser, place, "mini") as (_person, server):
        context = browser.new_context(viewport=WINDOW, locale="en-GB")
        page = context.new_page()
        for what in ("first load", "second load"):
            began = time.perf_counter()
            with loading(page) as load:
                page.goto(server.url)
                Person(page).button("projects.new").first.click()
                interactive = time.perf_counter() - began
                page.wait_for_load_state("networkidle")
            row = {"what": what, "requests": len(load.paths), "kib": load.bytes / 1024}
            rows.append({**row, "ready_ms": page.evaluate(READY), "interactive_s": interactive})
        context.close()
    return rows


def dropped(browser: Any, place: Path, pictures: Sequence[Path]) -> dict[str, Any]:
    """Many images at once."""
    count = len(pictures)
    with visited(browser, place, "mini") as (person, server):
        person.start("Many")
        person.make_class("cat")
        before = server.resident_mib()
        began = time.perf_counter()
        person.drop(pictures, on="cat")
        wait_until(lambda: server.images("many") == count, PATIENCE / 1000, "not all arrive")
        there = time.perf_counter() - began
        wait_until(lambda: server.state("many")["encoded"] == count, PATIENCE / 1000, "not all are encoded")
        encoded = time.perf_counter() - began
        memory = {"server_mib": server.resident_mib("VmHWM"), "server_before_mib": before}
        return {
            "images": count,
            "there_s": there,
            "encoded_s": encoded,
            "tab_mib": tab_mib(browser),
            **memory,
        }


def scrolled(browser: Any, place: Path, count: int) -> dict[str, Any]:
    """A class of thousands of images, scrolled by a wheel that does not rest: times of the frames."""
    pictures = many(place.parent / "scrolled", count)
    with visited(browser, place, "mini") as (person, server):
        person.start("Scrolled")
        person.make_class("cat")
        (server.projects / "scrolled" / "cat").mkdir(exist_ok=True)
        for file in pictures:
            shutil.copy(file, server.projects / "scrolled" / "cat" / file.name)
        wait_until(
            lambda: server.state("scrolled")["encoded"] == count, PATIENCE / 1000, "not all are encoded"
        )
        person.wait_for_count("cat", count, PATIENCE)
        person.choose_class("cat")
        page = person.page
        page.mouse.move(800, 600)
        with frames(page) as times:
            for turn in range(TURNS):
                page.mouse.wheel(0, WHEEL if turn < TURNS * 3 // 4 else -3 * WHEEL)
                page.wait_for_timeout(PAUSE)
        return {
            "images": count,
            **figures(times),
            "tab_mib": tab_mib(browser),
            "drawn": person.cells().count(),
        }


def figures(times: Sequence[float]) -> dict[str, Any]:
    ordered = list(times)
    late = sum(time > 50 for time in ordered)
    return {
        "frames": len(ordered),
        "frame_ms": median(ordered),
        "frame_p95_ms": share(ordered, 0.95),
        "frame_p99_ms": share(ordered, 0.99),
        "frame_longest_ms": max(ordered),
        "late": late,
    }


def medians(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of rounds: medians of numbers, the first of what is none."""
    first = rows[0]
    return {
        key: median([row[key] for row in rows]) if isinstance(value, float) else value
        for key, value in first.items()
    }
