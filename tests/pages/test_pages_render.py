"""Pages from templates: what is given is text, what is missing is an error, nothing is loaded."""

from __future__ import annotations

import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import TemplateNotFound, UndefinedError
from page_reader import tree, words

from promptlet.errors import OptionError
from promptlet.pages import Figure, Table, render
from promptlet.pages.render import stylesheet

Made = Callable[..., str]
PNG = b"\x89PNG\r\n\x1a\n and more"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'
HOSTILE = (
    """</style><script src="https://example.org/x.js">'"&amp;{{ 7 * 7 }}</script>\x00\x1b\x85\ud800\uffff"""
)
AS_TEXT = (
    """</style><script src="https://example.org/x.js">'"&amp;{{ 7 * 7 }}</script>"""
    + r"\x00\x1b\x85\ud800\uffff"
)
EVERYTHING = """
{{ parts.heading(x) }}{{ parts.subheading(x) }}{{ parts.paragraph(x) }}{{ parts.note(x) }}
{{ parts.items([x, x]) }}{{ parts.commands([x]) }}{{ parts.table(table) }}{{ parts.figure(figure) }}
{% call parts.details(x) %}{{ parts.paragraph(x) }}{% endcall %}{{ x | upper }}{{ x ~ "" }}
"""


def everything(made: Made, x: str) -> str:
    table = Table(x, [x, "b"], [[x, x]])
    return made(EVERYTHING, title=x, x=x, table=table, figure=Figure(PNG, x), lede="{{ x }}")


def test_what_is_given_is_text_wherever_it_stands(made: Made) -> None:
    page = everything(made, HOSTILE)
    page.encode()
    root = tree(page)
    assert not list(root.iter("script")) and len(list(root.iter("style"))) == 1
    told = [
        "".join(one.itertext()) for one in root.iter() if one.tag in ("h1", "h2", "h3", "pre", "th", "li")
    ]
    assert told.count(AS_TEXT) == 1 + 1 + 1 + 1 + 2 + 2
    attributes = [
        value for one in root.iter() for name, value in one.items() if name in ("alt", "aria-label")
    ]
    assert attributes.count(AS_TEXT) == 2
    assert all(not name.startswith("on") and name != "style" for one in root.iter() for name in one.attrib)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(), min_size=1).filter(str.strip))
def test_any_text_makes_a_well_formed_page(made: Made, text: str) -> None:
    tree(everything(made, text)).find("body")


def test_a_missing_value_is_an_error_and_no_empty_place(made: Made) -> None:
    for content in ("{{ gone }}", "{{ x.gone }}", "{% if gone %}a{% endif %}", "{{ parts.paragraph(gone) }}"):
        with pytest.raises(UndefinedError, match="gone"):
            made(content, x={})
    with pytest.raises(UndefinedError, match="shows None"):
        made("{{ parts.paragraph(x) }}", x=None)
    with pytest.raises(TemplateNotFound, match="nonsense"):
        render("promptlet.pages:nonsense.html", "A page")


def test_every_page_has_the_one_stylesheet_and_loads_nothing(made: Made) -> None:
    page = everything(made, "x")
    [style] = tree(page).iter("style")
    assert (style.text or "").strip() == stylesheet().strip()
    addresses = [v for one in tree(page).iter() for name, v in one.items() if name in ("src", "href")]
    assert addresses and all(one.startswith(("data:image/", "#")) for one in addresses)
    assert "url(" not in page and "@import" not in page


def test_a_page_tells_what_browsers_and_readers_need(made: Made) -> None:
    root = tree(made("{{ parts.heading('One') }}{{ parts.heading('Two') }}", title="Of <b>"))
    assert root.get("lang") == "en" and root.findtext("head/title") == "Of <b>"
    names = {one.get("name"): one.get("content") for one in root.iter("meta")}
    assert names["viewport"] == "width=device-width, initial-scale=1"
    assert [one.tag for one in root.iter() if re.fullmatch("h[1-6]", one.tag)] == ["h1", "h2", "h2"]


def test_contents_are_the_headings_in_their_order(made: Made) -> None:
    root = tree(made("{{ parts.heading('One') }}{{ parts.heading('Two & more') }}"))
    links = [(one.get("href"), words(one)) for one in root.findall(".//nav//a")]
    assert links == [("#s1", "One"), ("#s2", "Two & more")]
    assert [(one.get("id"), words(one)) for one in root.iter("h2")] == [("s1", "One"), ("s2", "Two & more")]
    first = next(root.iter("a"))
    assert (first.get("class"), first.get("href")) == ("skip", "#s1")
    alone = tree(made("{{ parts.heading('One') }}"))
    assert alone.find(".//nav") is None and [one.get("href") for one in alone.iter("a")] == ["#s1"]


def test_figures_are_inside_the_page(made: Made) -> None:
    for picture, kind in ((PNG, "image/png"), (SVG, "image/svg+xml")):
        [image] = tree(made("{{ parts.figure(x) }}", x=Figure(picture, "A caption"))).iter("img")
        head, data = str(image.get("src")).split(",")
        assert (
            head == f"data:{kind};base64" and b64decode(data) == picture and image.get("alt") == "A caption"
        )
    with pytest.raises(OptionError, match=r"GIF89a.*PNG, JPEG and SVG"):
        made("{{ parts.figure(x) }}", x=Figure(b"GIF89a..", "A caption"))


def test_tables_scroll_in_a_region_that_has_a_name_and_the_focus(made: Made) -> None:
    table = Table("Results", ["method", "H"], [["coop", "70.1"], ["rlp", ""]], ["average", "missing"])
    root = tree(made("{{ parts.table(x) }}", x=table))
    [region] = [one for one in root.iter("div") if one.get("role") == "region"]
    assert (region.get("aria-label"), region.get("tabindex")) == ("Results", "0")
    rows: list[Any] = list(region.iter("tr"))
    assert [row.get("class") for row in rows] == [None, "average", "missing"]
    assert [cell.get("scope") for row in rows for cell in row] == ["col", "col", "row", None, "row", None]
    assert [cell.get("class") for cell in rows[1]] == ["text", None]
    assert len(list(region.iter("table"))) == 1


def test_values_between_details_are_kept_in_order(made: Made) -> None:
    page = made(
        "{% call parts.details('outer') %}{% call parts.details('inner') %}{{ x }}{% endcall %}{% endcall %}",
        x="<i>",
    )
    outer = tree(page).find(".//details")
    assert outer is not None and words(outer) == "outer inner <i>" and outer.find("details") is not None


def test_the_template_language_is_loaded_by_the_first_page() -> None:
    code = (
        "import sys, promptlet.pages\n"
        "import promptlet.report.formats.html.report, promptlet.report.formats.html.study\n"
        "print('jinja2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_parser_of_the_tests_would_see_what_is_not_closed() -> None:
    with pytest.raises(ElementTree.ParseError):
        tree("<!doctype html>\n<html><p></html>")
