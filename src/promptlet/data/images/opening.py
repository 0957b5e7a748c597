"""Open an image from wherever it comes, as upright 8-bit RGB; list and identify images.

Pillow's global settings are neither read nor changed: files are opened with the format plugins directly,
so that the size is checked from the header, before any pixel is decoded, and no bomb warning escapes.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from promptlet.data.files import is_passed_over
from promptlet.data.images.formats import has_image_name, open_plugin
from promptlet.data.images.pixels import array_to_rgb, as_rgb, pillow_to_8_bits
from promptlet.data.images.png import open_without_text
from promptlet.data.images.reading import named, opened
from promptlet.data.images.reduced import Factor, Reduced, reduce_jpeg, whole
from promptlet.data.images.room import Room
from promptlet.errors import DataError, ImageError, why

if TYPE_CHECKING:
    from PIL import Image

ImageSource: TypeAlias = "str | Path | bytes | Image.Image | npt.NDArray[Any]"

BeforeDecoding: TypeAlias = "Callable[[Image.Image], object]"
"""Given a file's image of which the header is read and no pixel is decoded."""

MAX_PIXELS = 100_000_000
"""Width times height above which an image is refused: decoded, as RGB it takes 400 MB."""

MAX_SIDE = 1_000_000
"""Width or height above which an image is refused: Pillow keeps 8 bytes for every line, however short."""

PIXEL_BYTES = 4
"""Of a decoded pixel in Pillow, whatever its mode."""
COEFFICIENT_BYTES = 6
"""Of a pixel of a progressive JPEG, of which all coefficients are held until the last of them is read."""
_ROOM = Room()
_TURNS = tuple(threading.Lock() for _ in range(64))
"""For Pillow images, by their id: one that is not decoded yet reads its file when it is first looked at, and
the same image may be given to several threads."""

KEPT_BYTES = 1 << 20
"""Of a file, kept from when it is hashed until it is decoded. Larger ones are read again."""

SHOWN_ERRORS = 20

_hashes: ContextVar[dict[str, str] | None] = ContextVar("promptlet_hashes", default=None)
"""Of files, by path, in `hashed_once`."""


def open_image(source: ImageSource) -> Image.Image:
    """The image as upright RGB.

    ``source`` is a path, a file's bytes, a Pillow image, or an array (H, W), (H, W, 1) or (H, W, 3) of uint8
    or floats in [0, 1]. EXIF rotation is applied. Of an animated file the first frame is taken, of a Pillow
    image the current one. 16-bit grey is scaled to 8 bits; CMYK and palettes are converted; alpha is dropped,
    as CLIP does.
    Raises `ImageError` naming the file, what is wrong with it and what to do.
    """
    with ExitStack() as turn:
        return as_rgb(_open(source, turn))


@contextmanager
def image_in_turn(
    source: ImageSource, name: str = "", most_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """The image for as long as it is needed: upright, of 8 bits, for `as_rgb` to make RGB of it or of parts.

    Threads that hold files' images hold no more than `room.MOST_BYTES` together. name: what messages call a
    file's bytes. most_pixels: width times height above which a file is refused by its header. Raises as
    `open_image`.
    """
    with ExitStack() as turn:
        yield _open(source, turn, name, most_pixels=most_pixels)


@contextmanager
def reduced_in_turn(
    source: ImageSource, factor: Factor, name: str = "", most_pixels: int = MAX_PIXELS
) -> Iterator[Reduced]:
    """The same, where a JPEG file may be decoded at a half, a quarter or an eighth of its sides."""
    with ExitStack() as turn:
        taken: list[Reduced] = []

        def reduce(image: Image.Image) -> None:
            taken.append(reduce_jpeg(image, factor))

        image = _open(source, turn, name, reduce, most_pixels)
        yield taken[-1].with_image(image) if taken else whole(image)


def check_image(path: str | Path) -> None:
    """Raise ImageError where `open_image` would. JPEG is decoded small, which reads all of it in a third of
    the time."""
    with ExitStack() as turn:
        _open_file(Path(path), turn, "", lambda image: image.draft(None, (1, 1)))


def _open(
    source: ImageSource,
    turn: ExitStack,
    name: str = "",
    before: BeforeDecoding | None = None,
    most_pixels: int = MAX_PIXELS,
) -> Image.Image:
    from PIL import Image

    if isinstance(source, np.ndarray):
        return array_to_rgb(source)
    if isinstance(source, Image.Image):
        name = f"a Pillow image ({source.mode}, {source.width} x {source.height})"
        with _TURNS[id(source) // 16 % len(_TURNS)], named(name):
            _check_size(source, name)
            found = pillow_to_8_bits(source, name)
            return source.copy() if found is source else found
    if isinstance(source, str | Path | bytes):
        file = source if isinstance(source, bytes) else Path(source)
        return _open_file(file, turn, name, before, most_pixels)
    raise ImageError(
        f"{type(source).__name__} is no image; allowed: a path, a Pillow image, a NumPy array (H, W, 3), or "
        "the bytes of an image file"
    )


def name_of(source: ImageSource) -> str:
    """What messages call an image."""
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, bytes):
        return f"an image of {len(source):,} bytes"
    shape = f" of shape {source.shape}" if isinstance(source, np.ndarray) else ""
    return f"a {type(source).__name__}{shape}"


def content_hash(source: ImageSource) -> str:
    """32 hexadecimal digits that identify an image: of a file's bytes, else of size and RGB pixels as opened.

    Raises `ImageError` when the image cannot be read.
    """
    if isinstance(source, str | Path | bytes):
        return _file_hash(source if isinstance(source, bytes) else Path(source))
    image = open_image(source)
    digest = hashlib.blake2b(digest_size=16, person=b"promptlet-pixels")
    digest.update(f"{image.mode} {image.width}x{image.height}\n".encode("ascii"))
    digest.update(image.tobytes())
    return digest.hexdigest()


def content_hashes(sources: Sequence[ImageSource]) -> list[str]:
    """The content hash of each picture. Raises ImageError for all that cannot be read together."""
    known = _hashes.get()
    hashes, errors = [], []
    for source in sources:
        try:
            hashes.append(content_hash(source) if known is None else _known_hash(source, known))
        except ImageError as error:
            errors.append(error)
    raise_together(errors)
    return hashes


@contextmanager
def hashed_once() -> Iterator[None]:
    """In here `content_hashes` reads each file once: for one piece of work, which takes images as they were
    when it first saw them."""
    before = _hashes.set({} if (known := _hashes.get()) is None else known)
    try:
        yield
    finally:
        _hashes.reset(before)


def hashes_of_work() -> dict[str, str] | None:
    """What `hashed_once` knows of files, by path; None outside of it."""
    return _hashes.get()


def check_openable(source: ImageSource) -> int:
    """The bytes of a file, 0 for what is none. Raises ImageError where it cannot be opened, or is empty."""
    if not isinstance(source, str | Path | bytes):
        return 0
    with opened(source if isinstance(source, bytes) else Path(source), name_of(source)) as file:
        return file.seek(0, os.SEEK_END)


def read_and_hash(source: ImageSource, known: dict[str, str] | None = None) -> tuple[str, ImageSource]:
    """The content hash, and what to decode: of a file of up to `KEPT_BYTES` its bytes, which are then those
    that were hashed; else ``source``. known: as `hashes_of_work`, read and added to."""
    if not isinstance(source, str | Path):
        return content_hash(source), source
    path = str(source)
    if known is not None and path in known:
        return known[path], source
    with opened(Path(source)) as file, named(path):
        data = file.read(KEPT_BYTES + 1)
    is_kept = len(data) <= KEPT_BYTES
    found = content_hash(data if is_kept else source)
    if known is not None:
        known[path] = found
    return found, data if is_kept else source


def _known_hash(source: ImageSource, known: dict[str, str]) -> str:
    if not isinstance(source, str | Path):
        return content_hash(source)
    path = str(source)
    if path not in known:
        known[path] = content_hash(source)
    return known[path]


def raise_together(errors: Sequence[ImageError]) -> None:
    """Raise what is wrong with one picture, or with several in one message."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    if len(texts) == 1:
        raise errors[0]
    if texts:
        more = [f"... and {len(texts) - SHOWN_ERRORS} more"] if len(texts) > SHOWN_ERRORS else []
        raise ImageError(
            f"{len(texts)} images cannot be read; replace or remove them:", [*texts[:SHOWN_ERRORS], *more]
        )


def list_images(folder: str | Path) -> list[Path]:
    """The image files directly in ``folder``, sorted by name; hidden and other files are passed over.

    Raises `DataError` when the folder cannot be listed.
    """
    folder = Path(folder)
    try:
        with os.scandir(folder) as entries:  # which knows what is a file without asking for each
            names = [entry.name for entry in entries if _is_listed(entry.name) and is_file(entry)]
        return [folder / name for name in sorted(names)]
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be listed ({why(error)}); give an existing folder that you may read"
        ) from error


def _is_listed(name: str) -> bool:
    return has_image_name(name) and not is_passed_over(name)


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether this is a file, or a link to one."""
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _file_hash(path: Path | bytes) -> str:
    digest = hashlib.blake2b(digest_size=16, person=b"promptlet-file")
    with opened(path, name_of(path)) as file, named(name_of(path)):
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _open_file(
    source: Path | bytes,
    turn: ExitStack,
    name: str = "",
    before: BeforeDecoding | None = None,
    most_pixels: int = MAX_PIXELS,
) -> Image.Image:
    name = name or name_of(source)
    with named(name):
        try:
            with opened(source, name) as file:
                return _decoded(open_plugin(file, Path(name)), name, turn, before, most_pixels)
        except (ImageError, MemoryError):
            raise
        except Exception:
            with opened(source, name) as file:
                image = open_without_text(file, name)
            if image is None:
                raise
            return _decoded(image, name, turn, None, most_pixels)


def _decoded(
    image: Image.Image, name: str, turn: ExitStack, before: BeforeDecoding | None, most_pixels: int
) -> Image.Image:
    found = None
    try:
        _check_size(image, name, most_pixels)
        held = COEFFICIENT_BYTES * image.width * image.height if "progressive" in image.info else 0
        if before is not None:
            before(image)
        turn.enter_context(_ROOM.taken(held + PIXEL_BYTES * image.width * image.height))
        found = pillow_to_8_bits(image, name)
        return found
    finally:
        if found is not image:
            image.close()


def _check_size(image: Image.Image, name: str, most_pixels: int = MAX_PIXELS) -> None:
    pixels = image.width * image.height
    if max(image.size) > MAX_SIDE:
        raise ImageError(
            f"{name}: of {image.width} x {image.height} pixels, one side is above the {MAX_SIDE:,} that are "
            "decoded; cut it first"
        ).keyed("image-large", width=image.width, height=image.height)
    if pixels == 0:
        raise ImageError(f"{name}: it has no pixels ({image.width} x {image.height}); leave it out")
    if pixels > min(most_pixels, MAX_PIXELS):
        raise ImageError(
            f"{name}: {image.width} x {image.height} is {pixels:,} pixels, more than the "
            f"{min(most_pixels, MAX_PIXELS):,} "
            "that are decoded; make it smaller first"
        ).keyed("image-large", width=image.width, height=image.height)
