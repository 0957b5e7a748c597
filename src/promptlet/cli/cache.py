"""`promptlet cache`: the image features, indexes and unpacked images kept on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from promptlet.cli.ending import Suggesting
from promptlet.cli.shell import Json, emit_json, examples, say, tell_notes

app = typer.Typer(
    cls=Suggesting,
    help="The image features kept on this machine, so that no view of an image is encoded twice, indexes of "
    "folders that were searched, and images unpacked from Hugging Face data sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
CLEAR = examples(
    "cache clear",
    "cache clear --fingerprint 1a2b3c4d5e6f",
    "cache clear --datasets",
    "cache clear --indexes",
)


@app.callback(epilog=examples("cache show", "cache clear"))
def _root() -> None:
    pass


@app.command(epilog=examples("cache show", "cache show --json"))
def show(json: Json = False) -> None:
    """Show where the cache is, how large it is, and how many features of which backbones it holds."""
    from promptlet.data import FeatureCache
    from promptlet.data.hugging_face.unpacked import list_unpacked
    from promptlet.search.places import list_kept

    cache, unpacked, indexes = FeatureCache(), list_unpacked(), list_kept()
    stats = cache.stats()
    tell_notes(cache)
    if json:
        emit_json(
            {
                "path": str(stats.path),
                "entries": stats.entries,
                "bytes": stats.bytes,
                "by_fingerprint": stats.by_fingerprint,
                "datasets": [{**asdict(one), "path": str(one.path)} for one in unpacked],
                "indexes": [{**asdict(one), "path": str(one.path)} for one in indexes],
            }
        )
        return
    say(f"{stats.path}: {stats.entries:,} features, {stats.bytes:,} bytes")
    for fingerprint, entries in stats.by_fingerprint.items():
        say(f"  image tower {fingerprint}: {entries:,}")
    for index in indexes:
        say(
            f"{index.path}: {index.images:,} images of {index.folder} by {index.backbone}, "
            f"{index.bytes:,} bytes"
        )
    for one in unpacked:
        say(f"{one.path}: {one.images:,} images of {one.source}, {one.bytes:,} bytes")
    say("PROMPTLET_CACHE=FOLDER puts it elsewhere.")


@app.command(epilog=CLEAR)
def clear(
    fingerprint: Annotated[
        str | None,
        typer.Option(help="Only those of this image tower, as `cache show` lists it.", show_default=False),
    ] = None,
    datasets: Annotated[
        bool, typer.Option("--datasets", help="Instead, the images unpacked from Hugging Face data sets.")
    ] = False,
    indexes: Annotated[
        bool, typer.Option("--indexes", help="Instead, the indexes of folders that were searched.")
    ] = False,
    json: Json = False,
) -> None:
    """Remove all features and what was found out of models and this machine, or the features of one backbone.
    All is computed again when it is needed."""
    from promptlet.data import FeatureCache
    from promptlet.data.cache.agreed import forget
    from promptlet.errors import OptionError, check_option

    if datasets or indexes:
        if fingerprint is not None:
            other = "--datasets" if datasets else "--indexes"
            raise OptionError(f"--fingerprint is of features; leave it out, or leave out {other}")
        if datasets and indexes:
            raise OptionError("--datasets and --indexes are two things to remove; give one at a time")
        (_clear_unpacked if datasets else _clear_indexes)(json)
        return

    cache = FeatureCache()
    if fingerprint is not None:
        # A backbone's whole fingerprint ends in that of its image tower.
        fingerprint = check_option(
            "fingerprint", fingerprint.rpartition("-")[2], cache.stats().by_fingerprint
        )
    before = cache.stats().bytes
    removed = cache.clear(fingerprint)
    forgotten = forget() if fingerprint is None else 0
    tell_notes(cache)
    freed = max(0, before - cache.stats().bytes)
    if json:
        emit_json({"removed": removed, "freed_bytes": freed, "forgotten": forgotten, "path": str(cache.path)})
    else:
        say(f"removed {removed:,} features from {cache.path}, which gave back {freed:,} bytes")
        if forgotten:
            say(f"removed {forgotten:,} answers about models and this machine")


def _clear_unpacked(json: bool) -> None:
    from promptlet.data.hugging_face.unpacked import clear_unpacked, datasets_folder

    removed = sum(one.images for one in clear_unpacked())
    if json:
        emit_json({"removed": removed, "path": str(datasets_folder())})
    else:
        say(f"removed {removed:,} unpacked images from {datasets_folder()}")


def _clear_indexes(json: bool) -> None:
    from promptlet.search.places import clear_kept, indexes_folder

    removed = clear_kept()
    if json:
        emit_json({"removed": removed, "path": str(indexes_folder())})
    else:
        say(f"removed {removed:,} indexes from {indexes_folder()}")
