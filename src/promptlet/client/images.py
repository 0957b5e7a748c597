"""Images of any kind as bytes of files, and many of them in portions."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

from promptlet.errors import ImageError, OptionError, why

MOST_IMAGES = 64
MOST_BYTES = 32 * 2**20
"""Of images sent together; a larger one goes alone."""
_QUICK = 1
"""How hard PNG is packed, of 9: a step up takes more time than it saves on the way."""


@dataclass(frozen=True)
class Picture:
    """An image to be sent. name: what it is called in answers. file: what the server is told, which is no
    path: where it lies is nobody else's concern. data: the bytes of a file; error: why there are none."""

    name: str
    file: str
    data: bytes = b""
    error: str = ""


def several(images: Any) -> Iterator[Any]:
    """The images one by one; one alone is taken for a list of one."""
    is_one = isinstance(images, str | bytes | bytearray | memoryview | os.PathLike) or hasattr(images, "read")
    if is_one or _is(images, "PIL.Image", "Image") or (_is(images, "numpy", "ndarray") and images.ndim < 4):
        return iter([images])
    if not isinstance(images, Iterable):
        raise OptionError(
            f"{type(images).__name__} is no list of images; give a list of paths, or {_ALLOWED}"
        )
    return iter(images)


_ALLOWED = "bytes, open files, Pillow images or arrays (H, W, 3)"


def picture(image: Any, place: int) -> Picture:
    """The image as bytes of a file: of paths, bytes and open files their own, else PNG.

    place: of it in the whole list, from 0. What is wrong with one image stands in the picture. Raises
    OptionError for what is no image at all, such as a number.
    """
    name = f"image {place + 1}"
    try:
        if isinstance(image, str | os.PathLike):
            path = os.fsdecode(image)
            return Picture(path, _told(path), _file(path))
        if isinstance(image, bytes | bytearray | memoryview):
            return Picture(name, name, _some(bytes(image)))
        if hasattr(image, "read"):
            given = getattr(image, "name", "")
            name = given if isinstance(given, str) and given else name
            return Picture(name, _told(name), _some(_read(image)))
        return Picture(name, name, _png(image))
    except OptionError:  # a slip of the caller, not of an image
        raise
    except (OSError, ValueError) as error:  # ImageError among them; a NUL in a path is a ValueError
        name = os.fsdecode(image) if isinstance(image, str | os.PathLike) else name
        reason = why(error) if isinstance(error, OSError) else str(error)
        return Picture(name, name, error=f"it cannot be read ({reason})")


def portions(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """As many together as `MOST_IMAGES` and `MOST_BYTES` allow, read as they are taken."""
    held: list[Picture] = []
    size = 0
    for one in pictures:
        if held and (len(held) == MOST_IMAGES or size + len(one.data) > MOST_BYTES):
            yield held
            held, size = [], 0
        held.append(one)
        size += len(one.data)
    if held:
        yield held


def _told(path: str) -> str:
    """The last part of a path, in characters that can be sent."""
    return Path(path).name.encode("utf-8", "replace").decode() or "image"


def _file(path: str) -> bytes:
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )  # a pipe is not waited for
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 (of a descriptor)
        if not S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ImageError("it is no regular file")
        return _some(file.read())


def _read(file: Any) -> bytes:
    data = file.read()
    if not isinstance(data, bytes):
        raise ImageError("the file gives text; open it with mode 'rb'")
    return data


def _some(data: bytes) -> bytes:
    if not data:
        raise ImageError("it is empty, 0 bytes")
    return data


def _png(image: Any) -> bytes:
    """As the library reads it: upright, 8 bits a colour."""
    if not (_is(image, "PIL.Image", "Image") or _is(image, "numpy", "ndarray")):
        raise OptionError(f"{type(image).__name__} is no image; give paths, {_ALLOWED}")
    from promptlet.data import open_image

    out = io.BytesIO()
    open_image(image).save(out, "PNG", compress_level=_QUICK)
    return out.getvalue()


def _is(value: Any, module: str, name: str) -> bool:
    """Whether this is one of a library's that is loaded anyway where there is one."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)
