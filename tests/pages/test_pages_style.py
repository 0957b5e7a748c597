"""The stylesheet: two schemes that can be read, print, and no address."""

from __future__ import annotations

import re

import pytest

from promptlet.pages.render import stylesheet

STYLE = stylesheet()
SCHEMES = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)


def luminance(colour: str) -> float:
    """Of ``#rrggbb``, as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_definition() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_every_text_can_be_read_on_every_ground(scheme: int) -> None:
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", SCHEMES[scheme]))
    for text in ("ink", "soft", "link", "warn"):
        for ground in ("paper", "tint"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    if scheme < 2:
        assert (
            contrast(colours["focus"], colours["paper"]) >= 3
            and contrast(colours["edge"], colours["paper"]) >= 3
        )


def test_it_has_no_address_and_no_markup() -> None:
    assert not re.search(r"url\(|@import|https?://|[<&]", STYLE)
    assert len(SCHEMES) == 3 and "@media print" in STYLE and "prefers-color-scheme: dark" in STYLE
    used = set(re.findall(r"var\(--([a-z]+)\)", STYLE))
    assert all(used <= set(re.findall(r"--([a-z]+):", scheme)) | {"focus"} for scheme in SCHEMES)
