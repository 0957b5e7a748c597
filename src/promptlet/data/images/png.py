"""PNG files with more text, or a larger colour profile, than Pillow takes: read without these.

Pillow refuses a file whose text or profile is above limits of its own, which are global settings. Neither
matters for the pixels, so such a file is read from a copy without them. Texts that say how the picture is
turned stay, where they are of ordinary size.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PROFILE = b"iCCP"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
TURNED = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"Raw profile type APP1\0")
"""How texts begin that may tell the orientation."""
MOST_TEXT = 1 << 16
"""Bytes, packed, of one that is kept: at most 1,032 times as many unpacked, which Pillow refuses again."""
REFUSALS = ("MAX_TEXT_CHUNK", "MAX_TEXT_MEMORY", "Too much memory used in text chunks")


def is_about_text(error: Exception) -> bool:
    """Whether Pillow refused a file for the size of its texts or profile."""
    return any(words in str(error) for words in REFUSALS)


def open_without_text(file: IO[bytes], name: str) -> Image.Image:
    """Open a PNG file without its texts and profile. Raises what Pillow raises."""
    from PIL import Image

    file.seek(0)
    return Image.OPEN["PNG"][0](io.BytesIO(b"".join(_pixels_alone(file))), name)


def _pixels_alone(file: IO[bytes]) -> Iterator[bytes]:
    """The file in parts, as it is but for texts and profile."""
    yield file.read(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        rest = file.read(length + 4)  # with its checksum
        if kind != PROFILE and (kind not in TEXTS or (length <= MOST_TEXT and rest.startswith(TURNED))):
            yield head + rest
