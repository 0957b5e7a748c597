"""The HTML page: it loads nothing, is well-formed, escapes what files say, and every number can be traced."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from promptlet.errors import OptionError
from promptlet.report import render, summarise

HOSTILE = '<script src="https://example.org/x.js">alert("1")</script>&\x00\ud800'
VOID = {"meta", "img"}
LOADING = {"script", "link", "iframe", "object", "embed", "base", "form", "audio", "video", "source", "svg"}
ADDRESSES = ("src", "href", "srcset", "poster", "action", "data", "background")


class Reader(HTMLParser):
    """Notes tags, addresses, text, and what is not closed as it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attributes if name in ADDRESSES]
        self.handlers += [name for name, _ in attributes if name.startswith("on") or name == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def tables(page: str) -> dict[str, list[list[str]]]:
    """The cells of the first table below each heading."""
    body = ElementTree.fromstring(page.split("\n", 1)[1]).find("body")
    assert body is not None
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for element in body.iter():
        if element.tag in ("h2", "h3"):
            heading = "".join(element.itertext())
        if element.tag == "table":
            found.setdefault(heading, [["".join(c.itertext()) for c in row] for row in element.iter("tr")])
    return found


def tables_of(page: str) -> list[list[list[str]]]:
    """The cells of every table."""
    tree = ElementTree.fromstring(page.split("\n", 1)[1])
    return [[["".join(c.itertext()) for c in row] for row in one.iter("tr")] for one in tree.iter("table")]


@pytest.fixture
def page(book: Any) -> str:
    for dataset, more in {"oxford_pets": 0.0, "stanford_cars": 4.0}.items():
        for seed in (1, 2):
            book.write("zero_shot", seed, 60.0, 50.0, dataset=dataset)
            book.write("coop", seed, 70.0 + seed + more, 48.25, dataset=dataset)
    book.write("rlp", 1, 66.0, 55.0, dataset="oxford_pets")
    broken = book.fail("rlp", 2, "the loss became nan", dataset="oxford_pets")
    planned = book.run("rlp", 1, "base-to-new", "stanford_cars")
    book.store.write_plan([broken.describe(), planned.describe()])
    return render(summarise(book.store), "html", title="A report")


def test_nothing_is_loaded_and_all_is_closed(page: str) -> None:
    reader = Reader(page)
    assert not LOADING & set(reader.tags) and reader.handlers == [] and reader.open == []
    assert reader.addresses and all(a.startswith(("data:image/png;base64,", "#")) for a in reader.addresses)
    assert page.count("<img") == reader.tags.count("img") >= 2
    style = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    assert len(style) == 1 and "url(" not in style[0] and "@import" not in style[0]
    assert "prefers-color-scheme: dark" in style[0] and "color-scheme: light dark" in style[0]
    ElementTree.fromstring(page.split("\n", 1)[1])  # well-formed
    links = {a for a in reader.addresses if a.startswith("#")}
    assert links == {f"#{name}" for name in re.findall('<h2 id="(s[0-9]+)">', page)}


def test_every_table_scrolls_in_a_region_of_its_own_name(page: str) -> None:
    tree = ElementTree.fromstring(page.split("\n", 1)[1])
    regions = [one for one in tree.iter("div") if one.get("role") == "region"]
    names = [one.get("aria-label") for one in regions]
    assert len(names) == len(set(names)) == len(list(tree.iter("table"))) and all(names)
    assert all(one.find("table") is not None and one.get("tabindex") == "0" for one in regions)


@pytest.mark.slow
def test_what_files_say_is_text(book: Any) -> None:
    more = {"backbone": {"name": HOSTILE}, "device": HOSTILE, "versions": {HOSTILE: HOSTILE}, "date": HOSTILE}
    for dataset in (HOSTILE, "b"):
        for method in ("zero_shot", "coop"):
            changes = {"options": {"note": HOSTILE}, "settings": {"name": "fast", "odd": HOSTILE}}
            book.write(method, 1, 70.0, 60.0, dataset=dataset, more={**more, **changes})
    failed = book.fail("rlp", 1, HOSTILE)
    assert failed.key
    page = render(summarise(book.store), "html", title=HOSTILE)
    page.encode()
    reader = Reader(page)
    assert "script" not in reader.tags and reader.handlers == [] and reader.open == []
    assert reader.text.count('<script src="https://example.org/x.js">alert("1")</script>&') > 8
    assert "\x00" not in page
    ElementTree.fromstring(page.split("\n", 1)[1])


@pytest.mark.slow
def test_all_names_explains_its_columns_and_names_its_paper(book: Any) -> None:
    for method in ("zero_shot", "coop"):
        book.write(method, 1, 65.0, 40.0, 90.0, 70.0)
    found = Reader(render(summarise(book.store), "html"))
    page = render(summarise(book.store), "html")
    assert tables(page)["all-names"][0][5:12] == [
        *("all", "on base/new", "OpenworldAUC", "base", "new", "H", "ECE")
    ]
    assert "that score is ours, the area theirs" in found.text and "hua2025openworldauc" in found.text
    runs = next(rows for rows in tables_of(page) if rows[0][0] == "run")
    assert runs[0][:7] == ["run", "seed", "all", "OpenworldAUC", "base", "new", "H"]
    assert runs[1][1:7] == ["1", "65.00", "40.00", "90.00", "70.00", "78.75"]  # 2 * 90 * 70 / 160


def test_it_says_what_was_run_on_what(page: str) -> None:
    head, row = tables(page)["What was run"]
    assert dict(zip(head, row, strict=True)) == {
        "protocol": "base-to-new",
        "data sets": "oxford_pets, stanford_cars",
        "methods": "zero_shot, coop, rlp",
        "shots": "16",
        "seeds": "1, 2",
        "runs": "9 finished, 1 failed, 1 missing",
    }
    text = Reader(page).text
    for words in (
        "mini",
        "a-b-c",
        "float32",
        "cpu",
        "promptlet 0.1.0 torch 2.9.0",
        "2026-01-02T03:04:05+00:00",
    ):
        assert words in text
    assert "There is more than one backbone" not in text


def test_what_is_missing_is_shown_with_the_reason(page: str) -> None:
    rows = tables(page)["Missing, failed, left out"]
    assert rows[1][:8] == ["base-to-new", "oxford_pets", "rlp", "fast", "16", "-", "2", "the loss became nan"]
    assert rows[2][:8] == ["base-to-new", "stanford_cars", "rlp", "fast", "16", "1", "-", "not run yet"]
    assert page.count('<tr class="missing">') == 2
    assert "rlp: no average, there are no results on stanford_cars" in Reader(page).text


def test_tables_differences_and_published_numbers(page: str) -> None:
    found = tables(page)
    h = "57.62 ± 0.16"  # of 71 and 48.25: 57.45, of 72 and 48.25: 57.78
    assert ["oxford_pets", "coop", "fast", "16", "1,2", "71.50 ± 0.50", "48.25 ± 0.00", h] in [
        row[:8] for row in found["base-to-new"]
    ]
    against = found["base-to-new, 16 shots, against zero_shot"]
    assert against[0][3:6] == ["base", "new", "H"]
    average = next(row for row in against if row[:2] == ["average", "coop"])
    assert average[2] == "2 data sets" and average[3].startswith("+13.50 [")  # of 11.5 and 15.5
    published = found["Published (CLIP ViT-B/16), not run here"]
    assert ["oxford_pets", "CoOp", "16", "93.67", "95.29", "94.47", "[1]"] in published
    assert "the two cannot be compared" in Reader(page).text
    assert page.count('<tr class="average">') == 2 + 1


def test_every_number_can_be_traced_to_its_runs(page: str, book: Any) -> None:
    text = Reader(page).text
    for key in (path.stem for path in book.store.folder.glob("*.json")):
        assert key in text
    body = ElementTree.fromstring(page.split("\n", 1)[1]).find("body")
    assert body is not None
    rows = [["".join(cell.itertext()) for cell in row] for row in body.iter("tr")]
    [second] = [row for row in rows if row[0].startswith("base-to-new-stanford-cars-coop-") and row[1] == "2"]
    assert second[2:5] == ["76.00", "48.25", f"{2 * 76 * 48.25 / 124.25:.2f}"]
    settings = [row for row in rows if row[:3] == ["coop", "16", "n_ctx=4"]]
    assert settings == [["coop", "16", "n_ctx=4", "name=fast, lr=0.01", "1", "coop"]]
    assert "zhou2022coop" in text and "hao2023rlp" in text


def test_two_backbones_have_tables_of_their_own(book: Any) -> None:
    book.write("coop", 1, 70.0)
    other = {"backbone": {"name": "other", "fingerprint": "d-e-f"}}
    book.write("coop", 1, 71.0, fingerprint="d-e-f", more=other)
    page = render(summarise(book.store), "html")
    found = tables(page)
    assert len(found["Backbone mini a-b-c, float32"]) == len(found["Backbone other d-e-f, float32"]) == 2
    assert "There is more than one backbone" in Reader(page).text


def test_the_reference_is_checked(book: Any) -> None:
    book.write("coop", 1, 70.0)
    with pytest.raises(OptionError, match="against='rpl'"):
        render(summarise(book.store), "html", against="rpl")


def test_an_empty_summary_is_a_page(book: Any) -> None:
    book.store.folder.mkdir()
    ElementTree.fromstring(render(summarise(book.store), "html").split("\n", 1)[1])


@pytest.mark.slow
def test_a_page_with_figures_needs_no_torch() -> None:
    runs = Path(__file__).parents[2] / "benchmarks" / "results" / "mini.jsonl.gz"
    code = (
        "import sys\nfrom promptlet.protocols import RunStore\n"
        "from promptlet.report import render, summarise\n"
        f"page = render(summarise(RunStore({str(runs)!r})), 'html')\n"
        "sys.exit(page.count('<img') != 3 or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
