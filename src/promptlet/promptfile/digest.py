"""The digest of a prompt file: a bit that changed after writing is noticed.

It is no signature: who can write a file can write its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from promptlet.errors import PromptFileError
from promptlet.promptfile.container import DTYPES, Array
from promptlet.promptfile.strict_json import shorten

DIGEST = "digest"  # its key in the metadata
DIGITS = 12
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def digest_of(metadata: Mapping[str, str], stored: Mapping[str, Array]) -> str:
    """The first 12 hexadecimal digits of SHA-256 over what the file means, whatever the order of its keys.

    metadata: its texts (the digest itself does not count); stored: its tensors as they lie in the file.
    """
    texts = {key: text for key, text in metadata.items() if key != DIGEST}
    state = hashlib.sha256()

    def add(*parts: bytes) -> None:
        for part in parts:
            state.update(len(part).to_bytes(8, "little"))
            state.update(part)

    add(str(len(texts)).encode())
    for key, text in sorted(texts.items()):
        add(key.encode(), text.encode())
    for name, array in sorted(stored.items()):
        shape = ",".join(map(str, array.shape))
        add(name.encode(), _NAMES[array.dtype].encode(), shape.encode(), array.tobytes())
    return state.hexdigest()[:DIGITS]


def check_digest(metadata: Mapping[str, str], stored: Mapping[str, Array]) -> None:
    """Raise PromptFileError where the content is not what was written."""
    told, found = metadata[DIGEST], digest_of(metadata, stored)
    if told != found:
        raise PromptFileError(
            f"its content does not match its digest ({shorten(told)}, found {found}): it was changed after "
            "it was written; copy it again"
        )
