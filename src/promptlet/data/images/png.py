"""PNG files whose texts or colour profile Pillow does not take: read without these.

Pillow refuses a file whose text or profile is above limits of its own, which are global settings, or damaged.
Neither matters for the pixels, so such a file is read from a copy without them. Texts that say how the
picture is turned stay, where they are of ordinary size.
"""

from __future__ import annotations

import io
import struct
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PROFILE = b"iCCP"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
TURNED = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"Raw profile type APP1\0")
"""How texts begin that may tell the orientation."""
MOST_TEXT = 1 << 16
"""Bytes of one that is kept."""
MOST_BYTES = 1 << 29
"""Of a file, that are looked at."""


def open_without_text(file: IO[bytes], name: str) -> Image.Image | None:
    """Open a PNG file without its texts and profile; None for one that has none, or is no PNG.

    Raises what Pillow raises.
    """
    from PIL import Image

    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return None
    kept, is_whole = [SIGNATURE], True
    left = MOST_BYTES
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        left -= length
        if left < 0 or not kind.isalpha():
            break  # what follows is none of a picture's, and need not be held
        rest = file.read(length + 4)  # with its checksum
        if kind == PROFILE or (kind in TEXTS and not _is_short_and_turns(rest)):
            is_whole = False
        else:
            kept += [head, rest]
    return None if is_whole else Image.OPEN["PNG"][0](io.BytesIO(b"".join(kept)), name)


def _is_short_and_turns(text: bytes) -> bool:
    return len(text) <= MOST_TEXT and text.startswith(TURNED)
