"""What a search found as one HTML page that loads nothing, with small pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator

from promptlet.own_images.thumbnails import picture_of
from promptlet.pages import Gallery, Picture, render
from promptlet.pages.gallery import bounded
from promptlet.search.results import Results

PICTURES, BYTES_OF_PICTURES = 500, 16_000_000


def search_html(found: Results, folder: str) -> str:
    """The page. folder: what the images lie in, as it was given."""
    gallery = Gallery(f"Images found for {found.query}", bounded(_pictures(found, folder), *_ROOM))
    shown, total = len(gallery.pictures), len(found.hits)
    return render(
        "promptlet.search:search.html",
        f"Search: {found.query}",
        headline=headline(found, folder),
        gallery=gallery,
        more=f"The first {shown:,} of {total:,} pictures." if shown < total else "",
        notes=[*found.notes, *missing_in_words(found)],
    )


_ROOM = PICTURES, BYTES_OF_PICTURES


def headline(found: Results, folder: str) -> str:
    """What was looked for where, in a sentence."""
    what = "1 image" if len(found.hits) == 1 else f"{len(found.hits):,} images"
    how = f" {found.told}" if found.told else ""
    return f"{what} of {found.images:,} in {folder}, the most alike first{how}."


def missing_in_words(found: Results) -> list[str]:
    """Of images that are gone, a sentence, or none."""
    if not found.missing:
        return []
    several = "1 image is" if len(found.missing) == 1 else f"{len(found.missing):,} images are"
    return [f"{several} gone since the folder was indexed and left out: {found.missing[0]}{_and_more(found)}"]


def _and_more(found: Results) -> str:
    return f" and {len(found.missing) - 1:,} more" if len(found.missing) > 1 else ""


def _pictures(found: Results, folder: str) -> Iterator[Picture]:
    start = os.path.join(folder, "")  # noqa: PTH118 (its separator is what is asked for)
    for rank, hit in enumerate(found.hits, 1):
        name = hit.path.removeprefix(start)
        yield picture_of(hit.path, f"{rank}: {name}", (f"{rank}: {hit.score:.3f}", name))
