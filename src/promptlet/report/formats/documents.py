"""A summary in one of the formats of a report, as text or as a file that appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

from promptlet.errors import OptionError, check_option
from promptlet.report.files import write_whole
from promptlet.report.formats.flat.files import as_csv, as_parquet
from promptlet.report.formats.flat.table import Flat, flat_runs, flat_summary
from promptlet.report.formats.latex.document import latex_report
from promptlet.report.formats.markdown.report import markdown_report
from promptlet.report.statistics.summary import Summary

MARKDOWN, HTML, CSV, PARQUET, LATEX = "markdown", "html", "csv", "parquet", "latex"
FORMATS = (MARKDOWN, HTML, CSV, PARQUET, LATEX)
FLAT = (CSV, PARQUET)
ONLY_MEANS = (*FLAT, LATEX)
"""They have no place for differences, published numbers and notes."""
PLAIN = ("", ".txt")  # of a file that says nothing about its format
SUFFIXES = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".csv": CSV,
    ".parquet": PARQUET,
    ".tex": LATEX,
}


def format_of(
    format: str | None,
    out: Path | None,
    rows: bool = False,
    against: str | None = None,
    published: bool = False,
) -> str:
    """The format that is asked for: given, else by the suffix of ``out``, else Markdown (CSV of ``rows``).

    Raises OptionError for an unknown format, one that contradicts the suffix, Parquet without a file, and a
    format that has no place for single runs, for differences to ``against`` or for published numbers.
    """
    meant = SUFFIXES.get(out.suffix.lower()) if out is not None else None
    if format is None and meant is None and out is not None and out.suffix.lower() not in PLAIN:
        raise OptionError(
            f"--out {out}: the suffix {out.suffix!r} means no format; give one of {', '.join(SUFFIXES)}, or "
            f"say --format ({', '.join(FORMATS)})"
        )
    if format is not None:
        check_option("format", format, FORMATS)
        if meant not in (None, format):
            raise OptionError(
                f"--format {format} and --out {out} contradict each other: that suffix means {meant}; leave "
                "--format out, or give the file another suffix"
            )
    chosen = format or meant or (CSV if rows else MARKDOWN)
    if chosen == PARQUET and out is None:
        raise OptionError("--format parquet is no text for a terminal; give --out FILE.parquet")
    _check_has_place(chosen, rows, against, published)
    return chosen


def _check_has_place(format: str, rows: bool, against: str | None, published: bool) -> None:
    """Raises OptionError for what a report of this format would leave out without a word."""
    if rows and format not in FLAT:
        raise OptionError(
            f"--rows is a table of single runs, which {format} has no place for; write it as csv or parquet"
        )
    if against is not None and format in ONLY_MEANS:
        raise OptionError(
            f"--against {against} is of paired differences, which {format} has no place for; write the "
            "report as markdown or html, take the differences from --json, or leave --against out"
        )
    if published and format in ONLY_MEANS:
        raise OptionError(
            f"--published is of published numbers, which {format} has no place for; write the report as "
            "markdown or html, or leave --published out"
        )


def render(
    summary: Summary,
    format: str = MARKDOWN,
    *,
    against: str | None = None,
    published: bool = False,
    rows: bool = False,
    title: str = "Promptlet report",
) -> str:
    """The report as text, ending in a line feed.

    against: the method that differences are taken to (Markdown, HTML). published: with published numbers
    (Markdown; HTML always has them). rows: single runs instead of means (CSV). title: of the HTML page.
    Raises OptionError for an unknown format or method, for what the format has no place for, and for
    Parquet, which is no text.
    """
    check_option("format", format, FORMATS)
    if format == PARQUET:
        raise OptionError("format='parquet' is no text; write it with write_report")
    _check_has_place(format, rows, against, published)
    if format == CSV:
        text = as_csv(_flat(summary, rows))
    elif format == HTML:
        from promptlet.report.formats.html.report import html_report

        text = html_report(summary, against, title)
    elif format == LATEX:
        text = latex_report(summary)
    else:
        text = markdown_report(summary, against, published)
    return text.encode("utf-8", "replace").decode()  # JSON may hold halves of characters


def write_report(
    path: str | Path,
    summary: Summary,
    format: str | None = None,
    *,
    against: str | None = None,
    published: bool = False,
    rows: bool = False,
    title: str = "Promptlet report",
) -> None:
    """The report as a file: under a temporary name first, so that it appears whole or not at all.

    format: where it is not given, by the file's suffix, as `format_of` says. Others as in `render`. Raises
    OptionError, also when the file cannot be written; MissingExtraError for Parquet without pyarrow.
    """
    path = Path(path)
    chosen = format_of(format, path, rows, against, published)
    if chosen == PARQUET:
        content = as_parquet(_flat(summary, rows))
    else:
        text = render(summary, chosen, against=against, published=published, rows=rows, title=title)
        content = text.encode()
    write_whole(path, content)


def _flat(summary: Summary, rows: bool) -> Flat:
    return flat_runs(summary) if rows else flat_summary(summary)
