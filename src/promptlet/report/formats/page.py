"""One self-contained HTML page: words, tables and figures, nothing loaded from anywhere.

Everything that it is given is text and is escaped. The markup closes every element, so that the page can
also be read as XML.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from promptlet.report.characters import fit_for_pages

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #ffffff; --soft: #5c5c66; --line: #d8d8de;
  --tint: #f3f3f6; --warn: #8a4b00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6ea; --paper: #17171b; --soft: #a3a3ad;
  --line: #3b3b44; --tint: #24242b; --warn: #f0b35f; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin-top: 1.6rem; }
table { border-collapse: collapse; font-size: 0.9rem; display: block; overflow-x: auto; margin: 1rem 0; }
th, td { padding: 0.25rem 0.55rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; vertical-align: top; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2), .words th, .words td { text-align: left; }
.words td { white-space: normal; overflow-wrap: break-word; min-width: 4rem; }
tr.average td { font-weight: 600; background: var(--tint); } tr.missing td { color: var(--warn); }
img { max-width: 100%; height: auto; background: #ffffff; border-radius: 4px; }
figcaption, .note { color: var(--soft); font-size: 0.9rem; } figure { margin: 1rem 0; }
code, pre { background: var(--tint); padding: 0.1rem 0.3rem; } pre { padding: 0.7rem; overflow-x: auto; }
details { margin: 0.4rem 0; } details details { margin-left: 1.2rem; } summary { cursor: pointer; }
a { color: inherit; } nav a { margin-right: 1rem; }
"""


@dataclass
class Page:
    """Built from top to bottom; `render` gives the document."""

    title: str
    parts: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    has_contents: bool = False

    def heading(self, text: str) -> None:
        """A section begins."""
        self.sections.append(text)
        self.parts.append(f'<h2 id="s{len(self.sections)}">{escape(text)}</h2>')

    def subheading(self, text: str) -> None:
        """A part of a section begins."""
        self.parts.append(f"<h3>{escape(text)}</h3>")

    def contents(self) -> None:
        """Links to the sections, above the first of them."""
        self.has_contents = True

    def paragraph(self, text: str, note: bool = False) -> None:
        """A paragraph; a note is smaller."""
        kind = ' class="note"' if note else ""
        self.parts.append(f"<p{kind}>{escape(text)}</p>")

    def items(self, texts: Sequence[str]) -> None:
        """A list of short texts."""
        self.parts.append(f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>")

    def commands(self, lines: Sequence[str]) -> None:
        """Lines to type."""
        self.parts.append(f"<pre>{escape(chr(10).join(lines))}</pre>")

    def table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        kinds: Sequence[str] = (),
        words: bool = False,
    ) -> None:
        """A table of words. kinds: of each row, ``average``, ``missing`` or nothing. words: long texts, which
        are wrapped and stand to the left."""
        marks = [f' class="{escape(kind)}"' if kind else "" for kind in kinds] or [""] * len(rows)
        body = [f"<tr{mark}>{_cells('td', row)}</tr>" for mark, row in zip(marks, rows, strict=True)]
        kind = ' class="words"' if words else ""
        self.parts.append(
            f"<table{kind}><thead><tr>{_cells('th', head)}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        )

    @contextmanager
    def details(self, summary: str) -> Iterator[None]:
        """What is added in this block is folded away under one line."""
        self.parts.append(f"<details><summary>{escape(summary)}</summary>")
        yield
        self.parts.append("</details>")

    def figure(self, png: bytes, caption: str) -> None:
        """A picture inside the page."""
        data = base64.b64encode(png).decode("ascii")
        text = escape(caption)
        self.parts.append(
            f'<figure><img alt="{text}" src="data:image/png;base64,{data}"/>'
            f"<figcaption>{text}</figcaption></figure>"
        )

    def render(self) -> str:
        """The whole document."""
        title = escape(self.title)
        links = [f'<a href="#s{i + 1}">{escape(text)}</a>' for i, text in enumerate(self.sections)]
        contents = [f"<nav>{' '.join(links)}</nav>"] if self.has_contents else []
        body = "\n".join([f"<h1>{title}</h1>", *contents, *self.parts])
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"/><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"/>'
            f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
        )


def escape(text: str) -> str:
    """Text that stands for itself in a page; what no page can hold becomes a replacement character."""
    return html.escape(fit_for_pages(text))


def _cells(tag: str, values: Sequence[str]) -> str:
    return "".join(f"<{tag}>{escape(value)}</{tag}>" for value in values)
