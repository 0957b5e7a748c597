"""One self-contained HTML page: words, tables and figures, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; font-size: 0.9rem; display: block; overflow-x: auto; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
img { max-width: 100%; } figcaption, .note { color: #666; font-size: 0.9rem; } figure { margin: 1rem 0; }
code, pre { background: #f4f4f4; padding: 0.1rem 0.3rem; } pre { padding: 0.7rem; overflow-x: auto; }
"""


@dataclass
class Page:
    """Built from top to bottom; `render` gives the document."""

    title: str
    parts: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """A section begins."""
        self.parts.append(f"<h2>{html.escape(text)}</h2>")

    def paragraph(self, text: str, note: bool = False) -> None:
        """A paragraph; a note is smaller."""
        kind = ' class="note"' if note else ""
        self.parts.append(f"<p{kind}>{html.escape(text)}</p>")

    def commands(self, lines: Sequence[str]) -> None:
        """Lines to type."""
        self.parts.append(f"<pre>{html.escape(chr(10).join(lines))}</pre>")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table of words."""
        lines = [_cells("th", head), *(_cells("td", row) for row in rows)]
        self.parts.append(f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>")

    def figure(self, png: bytes, caption: str) -> None:
        """A picture inside the page."""
        data = base64.b64encode(png).decode("ascii")
        text = html.escape(caption)
        self.parts.append(
            f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
            f"<figcaption>{text}</figcaption></figure>"
        )

    def render(self) -> str:
        """The whole document."""
        title = html.escape(self.title)
        body = "\n".join([f"<h1>{title}</h1>", *self.parts])
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
        )


def _cells(tag: str, values: Sequence[str]) -> str:
    return "".join(f"<{tag}>{html.escape(value)}</{tag}>" for value in values)
