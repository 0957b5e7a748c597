"""A person's own data is read, and what is not taken of it is told: with ``--skip-bad`` images that cannot
be read, without it all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptlet.cli.shell import bars, warn
from promptlet.errors import listed

if TYPE_CHECKING:
    from promptlet.own_images.data import OwnData
    from promptlet.own_images.skipping import Taken

SkipBad = Annotated[
    bool,
    typer.Option("--skip-bad", help="Leave out images that cannot be read, and say which."),
]
HINT = "Replace or remove what cannot be read, or leave it out with --skip-bad"
SHOWN = 20


def take(path: Path, skip_bad: bool, quiet: bool) -> Taken:
    """A person's own data, with a bar while images are looked at; what is left out or passed over is told."""
    from promptlet.own_images.skipping import take as take_images

    with bars(off=quiet) as shown:
        taken = take_images(path, skip_bad, lambda done, total: shown.show("checking", done, total))
    tell_left_out(taken.left_out)
    tell_ignored(path, taken.data, taken.left_out)
    return taken


def tell_ignored(path: Path, data: OwnData, known: Collection[Path] = ()) -> None:
    """Files of a folder that look like photos and are passed over: without a word, they are lost to their
    owner. known: those of which he is told anyway."""
    from promptlet.data.images.formats import INSTALL_HEIC, has_heic_name, reads_heic
    from promptlet.own_images.data import ignored as ignored_files

    ignored = [file for file in ignored_files(path, data) if file not in known]
    photos = [] if reads_heic() else [file for file in ignored if has_heic_name(file.name)]
    if photos:
        warn(
            f"note: HEIC photos are not taken without the extra 'heic' ({INSTALL_HEIC}); or convert them to "
            f"JPEG: {listed(photos)}"
        )
        ignored = [file for file in ignored if not has_heic_name(file.name)]
    if ignored:
        what = "no image file by its name, or not directly in a class folder"
        warn(f"note: not taken ({what}): {listed(ignored)}")


@contextmanager
def naming_unreadable(data: OwnData) -> Iterator[None]:
    """Where an image cannot be read, every one of ``data`` that cannot is named, with the way out."""
    from promptlet.own_images.skipping import all_named

    with all_named(data, HINT):
        yield


def tell_left_out(left_out: Mapping[Path, str], of: str = "") -> None:
    """How many were left out, and which. of: the data set, where there are several."""
    if not left_out:
        return
    where = f"{of}: " if of else ""
    one = len(left_out) == 1
    warn(f"note: {where}{len(left_out):,} image{' was' if one else 's were'} left out, which cannot be read:")
    for reason in list(left_out.values())[:SHOWN]:
        warn(f"  {reason}")
    if len(left_out) > SHOWN:
        warn(f"  ... and {len(left_out) - SHOWN:,} more (all of them with --json)")


def facts_of(left_out: Mapping[Path, str]) -> list[dict[str, Any]]:
    """The same for ``--json``."""
    return [{"path": str(path), "error": reason} for path, reason in left_out.items()]
