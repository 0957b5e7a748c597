"""The container: safetensors, written and read byte by byte.

8-byte little-endian header length, a JSON header padded with spaces to a multiple of 8, the payload.
Writing it here (one page) keeps the bytes the same over versions of the safetensors package, and
reading it here gives every defect its own message; the tests hold both against that package.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from promptlet.errors import PromptFileError
from promptlet.promptfile.strict_json import check_text, read_json, shorten, write_json

Array = npt.NDArray[Any]

DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
}
MAX_HEADER_BYTES = 2**20
MAX_FILE_BYTES = 2**30
METADATA = "__metadata__"


def pack(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> bytes:
    """The file's bytes; wider numbers first, then by name, so that every tensor lies aligned."""
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict[str, object] = {METADATA: dict(metadata)}
    payload = b""
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        data = array.tobytes()
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [len(payload), len(payload) + len(data)],
        }
        payload += data
    text = write_json(header).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER_BYTES:
        raise PromptFileError(
            f"the header would take {len(text):,} bytes and may take {MAX_HEADER_BYTES:,}: "
            "save fewer or shorter class names, which can also be given when predicting, or fewer tensors"
        )
    if 8 + len(text) + len(payload) > MAX_FILE_BYTES:
        raise PromptFileError(
            f"a prompt file may take {MAX_FILE_BYTES:,} bytes; this one has {len(payload):,}"
        )
    return len(text).to_bytes(8, "little") + text + payload


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header as an object and the payload, after the checks that need neither metadata nor tensors."""
    if len(data) < 8:
        raise PromptFileError(
            f"it has {len(data)} bytes, too few for a prompt file: empty or cut off; copy it again"
        )
    if len(data) > MAX_FILE_BYTES:
        raise PromptFileError(f"it is larger than {MAX_FILE_BYTES:,} bytes, which no prompt file is")
    length = int.from_bytes(data[:8], "little")
    starts_as_json = data[8:9] in (b"{", b"")
    if not starts_as_json or length > MAX_HEADER_BYTES:
        raise PromptFileError(_what_it_is_instead(data))
    if length > len(data) - 8:
        raise PromptFileError(
            f"its header should have {length} bytes but {len(data) - 8} follow: cut off; copy it again"
        )
    try:
        text = data[8 : 8 + length].decode()
    except UnicodeDecodeError as error:
        raise PromptFileError(f"its header is not UTF-8: {error.reason} at byte {8 + error.start}") from None
    header = read_json(text, "its header")
    if not isinstance(header, dict):
        raise PromptFileError("its header is not a JSON object")
    return header, data[8 + length :]


def metadata_of(header: Mapping[str, Any]) -> dict[str, str]:
    """The text-to-text metadata of a header."""
    metadata = header.get(METADATA, {})
    if not isinstance(metadata, dict):
        raise PromptFileError(f"{METADATA} must be an object of texts, not {shorten(metadata)}")
    for key, value in metadata.items():
        check_text(value, f"metadata {shorten(key)}", MAX_HEADER_BYTES)
    return metadata


def tensors_of(header: Mapping[str, Any], payload: bytes) -> dict[str, Array]:
    """The tensors of a header; together they must cover the payload exactly once."""
    entries = [(name, *_entry(name, value)) for name, value in header.items() if name != METADATA]
    tensors: dict[str, Array] = {}
    position = 0
    for name, dtype, shape, begin, end in sorted(entries, key=lambda entry: entry[3:]):
        if begin != position:
            raise PromptFileError(
                f"tensor {shorten(name)} begins at byte {begin}, not {position}: overlap or hole"
            )
        if end - begin != math.prod(shape) * dtype.itemsize:
            raise PromptFileError(
                f"tensor {shorten(name)} has {end - begin} bytes, which do not fit {list(shape)}"
            )
        if end > len(payload):
            raise PromptFileError(
                f"tensor {shorten(name)} ends at byte {end} of the payload, which has {len(payload)}: "
                "cut off; copy it again"
            )
        tensors[name] = np.frombuffer(payload[begin:end], dtype).reshape(shape)
        position = end
    if position != len(payload):
        raise PromptFileError(f"{len(payload) - position} bytes follow the last tensor")
    return tensors


def _entry(name: str, entry: object) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    check_text(name, "a tensor's name")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise PromptFileError(f"tensor {shorten(name)} needs dtype, shape and data_offsets, nothing else")
    dtype = DTYPES.get(str(entry["dtype"]))
    shape, offsets = entry["shape"], entry["data_offsets"]
    if dtype is None:
        raise PromptFileError(
            f"tensor {shorten(name)} has dtype {shorten(entry['dtype'])}; allowed: {', '.join(DTYPES)}"
        )
    if not _are_counts(shape, 1) or len(shape) > 3:
        raise PromptFileError(
            f"tensor {shorten(name)} has the shape {shorten(shape)}; up to 3 positive sizes go"
        )
    if not _are_counts(offsets, 0) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise PromptFileError(
            f"tensor {shorten(name)} has the data_offsets {shorten(offsets)}, not [begin, end]"
        )
    return dtype, tuple(shape), offsets[0], offsets[1]


def _are_counts(values: object, least: int) -> bool:
    return isinstance(values, list) and all(type(v) is int and least <= v <= MAX_FILE_BYTES for v in values)


def _what_it_is_instead(data: bytes) -> str:
    is_pickle = data[0] == 0x80 and data[1] <= 5
    if is_pickle or data.startswith(b"PK\x03\x04"):
        return (
            "this looks like a pickle / torch checkpoint; Promptlet never loads pickles. "
            "Train the prompt again with `promptlet fit`, or convert the file on a machine you can lose"
        )
    return f"it is no safetensors file, so no prompt file: it begins with {shorten(data[:12])}"
