"""For everybody: rules that a machine can judge, in light and dark; small windows, German, still pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from page_axe import violations
from page_tour import tour
from tools.page.measures import loading
from tools.page.person import Person
from tools.page.pictures import Material
from tools.page.server import Teach, teaching

pytestmark = pytest.mark.page
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 375, "height": 720}
SMALLEST = {"width": 320, "height": 640}
TOO_WIDE = """() => {
  const { clientWidth: wide, scrollWidth } = document.documentElement;
  if (scrollWidth <= wide) return [];
  const isClipped = (one) => one.closest('.scroll, .tabs, pre, .hidden, dialog, [popover], .skip');
  const all = [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility());
  const over = all.filter((one) => one.getBoundingClientRect().right > wide + 1 && !isClipped(one));
  return [`${scrollWidth}`, ...over.slice(-3).map((one) => one.outerHTML.slice(0, 120))];
}"""
MOVING = """() => document.getAnimations().filter((one) => {
  const { duration, iterations } = one.effect.getComputedTiming();
  return one.playState === 'running' && duration * Math.min(iterations, 9) > 50;
}).map((one) => `${one.animationName ?? one.transitionProperty}: ${one.effect.target.className}`)"""
READY = "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


@pytest.fixture
def server(tmp_path: Any) -> Iterator[Teach]:
    with teaching(tmp_path / "teach" / "projects") as one:
        yield one


def test_no_rule_is_broken_in_light_or_dark(server: Teach, opened: Any, drawn: Material) -> None:
    page = opened(server, color_scheme="light", reduced_motion="reduce")  # no colour is on its way
    found = {}
    for state in tour(Person(page), server, drawn):
        for scheme, size in (("light", WIDE), ("dark", WIDE), ("light", NARROW)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            found |= {f"{state}, {scheme}, {size['width']} px: {one}": 1 for one in violations(page)}
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(WIDE)
    assert list(found) == []
    page.evaluate("() => document.querySelector('main').append(document.createElement('button'))")
    assert [one.split()[0] for one in violations(page)] == ["button-name"], "it would have been seen"


def test_it_fits_a_window_of_320_pixels_in_german_and_holds_still(
    server: Teach, opened: Any, drawn: Material
) -> None:
    page = opened(server, locale="de-DE", reduced_motion="reduce", viewport=SMALLEST)
    wide, moving = {}, {}
    for state in tour(Person(page), server, drawn):
        found = page.evaluate(TOO_WIDE)
        if found:
            wide[state] = found
        moved = page.evaluate(MOVING)
        if moved:
            moving[state] = moved
    assert wide == {}
    assert moving == {}


def test_the_first_load_is_light(teach: Teach, contexts: Any, figure: Callable[[str], None]) -> None:
    """Bytes and requests are bounded; seconds are told."""
    context, _watch = contexts(teach)
    page = context.new_page()
    with loading(page) as load:
        page.goto(teach.url)
        Person(page).heading("projects.title").wait_for()
        page.wait_for_load_state("networkidle")
        ready = page.evaluate(READY)
    figure(f"first load: {len(load.paths)} requests, {load.bytes / 1024:.0f} KiB, ready after {ready:.0f} ms")
    assert len(load.paths) <= 60 and load.bytes < 400_000
