"""What `promptlet search` says: of the index, of what was found, after a stop."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from promptlet.characters import cell
from promptlet.cli.outputs import write_page
from promptlet.cli.search.checks import Form
from promptlet.cli.shell import emit_json, say, table, warn
from promptlet.cli.streams import emit_document
from promptlet.errors import with_path

if TYPE_CHECKING:
    from promptlet.search.index import Changes, Index
    from promptlet.search.results import Results

SHOWN_UNREAD = 5


def tell_changes(index: Index, changes: Changes) -> None:
    """On standard error: what the index learned of the folder, where that is anything."""
    parts = [("new", changes.added), ("changed", changes.changed), ("gone", changes.removed)]
    told = [f"{count:,} {word}" for word, count in parts if count]
    if told:
        warn(f"note: indexed {len(index):,} images: {', '.join(told)}")
    unread = list(changes.unread.items())
    for path, reason in unread[:SHOWN_UNREAD]:
        warn(f"note: left out: {with_path(path, reason)}")
    if len(unread) > SHOWN_UNREAD:
        warn(f"note: left out: {len(unread) - SHOWN_UNREAD:,} more; --json lists them all")


def how_to_go_on(index: Index) -> str:
    """After an interruption."""
    kept = f"{len(index):,} images are in the index" if len(index) else "images encoded so far are cached"
    return f"{kept}; run the same command again to go on"


def write_down(found: Results | None, folder: Path, form: Form) -> dict[str, str]:
    """The page, where one is asked for."""
    if form.page is None or found is None:
        return {}
    from promptlet.search.page import search_html

    write_page(form.page, search_html(found, str(folder)))
    return {"page": str(form.page)}


def tell_found(
    index: Index, changes: Changes | None, found: Results | None, form: Form, written: dict[str, str]
) -> None:
    """The results, in the form that was asked for."""
    from promptlet.search.page import missing_in_words

    if form.json:
        emit_json({**_facts(index, changes), **({} if found is None else found.facts()), **written})
        return
    if found is None:
        say(f"{index.folder}: {len(index):,} images in {index.file}")
        for place in written.values():
            say(f"wrote {place}")
        return
    for note in (*found.notes, *missing_in_words(found)):
        warn(f"note: {note}")
    if form.csv:
        _print_rows(found)
        return
    rows = [(f"{rank}", f"{hit.score:.3f}", hit.path) for rank, hit in enumerate(found.hits, 1)]
    say(f"{found.query}: {len(rows):,} of {found.images:,} images{f' {found.told}' if found.told else ''}")
    if rows:
        table(("rank", "score", "image"), rows, ("rank", "score"))
    for path in written.values():
        say(f"wrote {path}")


def _facts(index: Index, changes: Changes | None) -> dict[str, object]:
    told: dict[str, object] = {
        "folder": str(index.folder),
        "index": str(index.file),
        "backbone": index.backbone.name,
        "images": len(index),
    }
    if changes is None:
        return told
    unread = [{"path": path, "error": reason} for path, reason in changes.unread.items()]
    counts = {"known": changes.known, "added": changes.added, "changed": changes.changed}
    return {**told, **counts, "removed": changes.removed, "unread": unread}


def _print_rows(found: Results) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "score", "path"])
    for rank, hit in enumerate(found.hits, 1):
        writer.writerow([rank, f"{hit.score:.6f}", cell(hit.path)])
    emit_document(text.getvalue())
