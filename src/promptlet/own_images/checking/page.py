"""A check as one HTML page that loads nothing, with small pictures of what deserves a look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from promptlet.own_images.checking import words
from promptlet.own_images.checking.result import DOUBTFUL, Finding, Findings, Photo
from promptlet.own_images.thumbnails import picture_of
from promptlet.pages import Gallery, Picture, Table, render
from promptlet.pages.gallery import bounded

MOST_LINES = 100
PICTURES, BYTES_OF_PICTURES = 60, 1_500_000
"""Of one kind of finding."""


class Section(NamedTuple):
    """One kind of finding: a heading, what to do, pictures (perhaps none), and all of it as lines."""

    heading: str
    advice: str
    gallery: Gallery
    more: str
    lines: list[str]


def check_html(findings: Findings, of: str) -> str:
    """The page. of: what was checked."""
    counts = findings.counts()
    rows = [(words.title(kind, count), f"{count:,}") for kind, count in counts.items()]
    return render(
        "promptlet.own_images.checking:check.html",
        f"Check of {of}",
        headline=words.headline(findings),
        counts=Table("What was found", ("found", "how many"), rows, wraps=True) if rows else "",
        sections=[_section(kind, findings.of(kind)) for kind in counts],
        notes=list(findings.notes),
    )


def _section(kind: str, found: Sequence[Finding]) -> Section:
    title = words.title(kind, len(found))
    gallery = Gallery(title, bounded(_pictures(found), PICTURES, BYTES_OF_PICTURES))
    total = sum(len(finding.photos) for finding in found)
    shown = len(gallery.pictures)
    more = f"The first {shown:,} of {total:,} pictures." if 0 < shown < total else ""
    lines = [finding.text for finding in found[:MOST_LINES]]
    if len(found) > MOST_LINES:
        lines.append(f"... and {len(found) - MOST_LINES:,} more")
    return Section(f"{len(found):,} {title}", words.explained(kind), gallery, more, lines)


def _pictures(found: Sequence[Finding]) -> Iterator[Picture]:
    for number, finding in enumerate(found, 1):
        for photo in finding.photos:
            yield _picture(photo, finding, number)


def _picture(photo: Photo, finding: Finding, number: int) -> Picture:
    label = f"{photo.class_name}, {photo.part}"
    if finding.kind == DOUBTFUL:
        lines: tuple[str, ...] = (f"labelled {label}", f"looks like {finding.said}", photo.name)
    elif len(finding.photos) > 1:
        lines = (f"{number}: {finding.how}", label, photo.name)
    else:
        lines = (label, photo.name)
    return picture_of(photo.source, ", ".join(lines), lines)
