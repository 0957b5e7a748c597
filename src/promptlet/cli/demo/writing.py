"""The demo's page and its contact sheet."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from promptlet.cli.demo import words
from promptlet.cli.demo.story import Seen, Story
from promptlet.cli.demo.telling import next_steps

if TYPE_CHECKING:
    from promptlet.pages import Gallery
    from promptlet.report.statistics.summary import Summary


def write_pages(out: Path, story: Story, summary: Summary) -> dict[str, Path]:
    """Write ``contact-sheet.png`` and ``report.html``; where they are."""
    from promptlet.report.files import write_whole

    sheet, page = out / "contact-sheet.png", out / "report.html"
    write_whole(sheet, _sheet(story))
    write_whole(page, page_of(story, summary).encode("utf-8"))
    return {"contact_sheet": sheet, "report": page}


def page_of(story: Story, summary: Summary) -> str:
    """The page as text."""
    from promptlet.report.formats.html.demo import Chapter, demo_html

    names, learning, same, new, none = words.of_story(story)
    chapters = [
        Chapter(
            "The names alone", names, _gallery(story.taught, "Test pictures, by the names alone", _first)
        ),
        Chapter("Learning from a few pictures", learning),
        Chapter(
            "The same pictures again", same, _gallery(story.taught, "Test pictures, before and after", _both)
        ),
        Chapter(
            "Names that were never taught", new, _gallery(story.untaught, "Pictures of new classes", _new)
        ),
        Chapter("None of these", none, _gallery(story.untaught, "Pictures of none of the classes", _none)),
    ]
    table = (words.HEAD, words.rows_of(summary.rows))
    texts = [words.OF_TABLE, words.of_methods(words.averages(summary.rows)), *words.OF_COLUMNS]
    return demo_html(summary, story.fit.trainable, chapters, table, texts, next_steps(story.file))


def _gallery(seen: Sequence[Seen], label: str, lines: Callable[[Seen], list[str]]) -> Gallery:
    from promptlet.own_images.thumbnails import picture_of
    from promptlet.pages import Gallery

    return Gallery(label, [picture_of(one.path, f"a drawn {one.true}", lines(one)) for one in seen])


def _first(one: Seen) -> list[str]:
    return [f"{_mark(one.before == one.true)} {one.before}", *_truth(one, one.before)]


def _both(one: Seen) -> list[str]:
    return [
        f"at first {_mark(one.before == one.true)} {one.before}",
        f"now {_mark(one.after == one.true)} {one.after}",
        *_truth(one, one.after),
    ]


def _new(one: Seen) -> list[str]:
    return [f"{_mark(one.after == one.true)} {one.after}", *_truth(one, one.after)]


def _none(one: Seen) -> list[str]:
    return [f"is a {one.true}", "✗ taken for one of them" if one.accepted else "✓ none of these"]


def _mark(right: bool) -> str:
    return "✓" if right else "✗"


def _truth(one: Seen, said: str) -> list[str]:
    return [] if said == one.true else [f"is {one.true}"]


def _sheet(story: Story) -> bytes:
    from promptlet.data import open_image
    from promptlet.report.figures.contact_sheet import Tile, contact_sheet

    tiles = [
        Tile(
            open_image(one.path),
            f"{new}{one.after}" + ("" if one.after == one.true else f" (is: {one.true})"),
            one.after == one.true,
        )
        for seen, new in ((story.taught, ""), (story.untaught, "new: "))
        for one in seen
    ]
    picture = io.BytesIO()
    contact_sheet(tiles).save(picture, "PNG")
    return picture.getvalue()
