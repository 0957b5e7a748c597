"""Where the vectors of `promptlet search --export` go, checked before a model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from promptlet.cli.outputs import check_folder
from promptlet.errors import OptionError

if TYPE_CHECKING:
    from promptlet.search.stores.choose import Store


def store_of(
    kind: str | None, out: str | None, name: str | None, force: bool, is_asked: bool
) -> Store | None:
    """The store that is asked for, which can be written; None where none is. Raises OptionError,
    MissingExtraError. is_asked: whether something is looked for."""
    if kind is None:
        if out is not None or name is not None or force:
            raise OptionError("--out, --name and --force are about vectors; give --export KIND with them")
        return None
    if is_asked:
        raise OptionError(
            "--export writes the vectors of all images and looks for nothing; leave it out, or leave out "
            "what is looked for"
        )
    if out is None:
        raise OptionError(f"--export {kind} needs --out: where the vectors go")
    from promptlet.search.stores.choose import NAME, Store

    store = Store(kind, out, NAME if name is None else name, force)
    store.check()
    if "://" not in out:
        check_folder(Path(out).parent)
    return store
