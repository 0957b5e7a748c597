"""An image file opened, and whatever goes wrong with one image told as an `ImageError` about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from promptlet.data.files import here, is_folder, is_there, open_regular
from promptlet.errors import DataError, ImageError, why

EMPTY: Final = "image-empty"


@contextmanager
def opened(source: Path | bytes, name: str = "") -> Iterator[IO[bytes]]:
    """The file, or bytes as one; missing, a folder, not regular, empty, forbidden and broken files get their
    own message. name: what messages call it, where that is not its path."""
    name = name or ("an image" if isinstance(source, bytes) else str(source))
    try:
        file = BytesIO(source) if isinstance(source, bytes) else open_regular(source)
    except OSError as error:
        raise ImageError(_why_not(Path(name), error)) from error
    with file:
        with named(name):
            is_empty = not file.read(1)
            file.seek(0)
        if is_empty:
            raise ImageError(f"{name}: the file is empty (0 bytes); download or copy it again").keyed(EMPTY)
        yield file


@contextmanager
def named(name: str) -> Iterator[None]:
    """Turn whatever is raised while one image is read into an `ImageError` about ``name``.

    Decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError, KeyError and more on
    damaged bytes, so every `Exception` is meant here. An OSError with a number is the disk's, no decoder's.
    """
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        words = f"{name}: there is not enough memory to decode it; make it smaller first"
        raise ImageError(words).keyed("image-memory") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise ImageError(
                f"{name}: cannot be read ({why(error)}); check the disk or the network that it lies on"
            ) from error
        raise ImageError(
            f"{name}: cannot be decoded: damaged or cut off ({type(error).__name__}: {error}); "
            "download or copy it again, or leave it out"
        ).keyed("image-damaged") from error


def _why_not(path: Path, error: OSError) -> str:
    try:
        if is_folder(path):
            return (
                f"{path}: this is a folder, not an image file; promptlet.data.list_images gives those in a "
                "folder"
            )
        if is_there(path):
            forbidden = isinstance(error, PermissionError)
            advice = "check its permissions" if forbidden else "copy the image to a file first"
            return f"{path}: cannot be read ({why(error)}); {advice}"
        if path.is_symlink():
            return f"{path}: this link points to nothing; restore the file it points to, or remove the link"
    except DataError as reason:
        return str(reason)
    except (OSError, ValueError):
        pass
    return f"{path}: there is no such file; check the path, relative paths start at {here()}"
