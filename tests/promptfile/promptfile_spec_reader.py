"""A reader of prompt files written from docs/prompt-file.md alone: struct, json, numpy."""

from __future__ import annotations

import json
import struct

import numpy as np


def read(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """The metadata and the float32 factors. Trusts its input: the strict reader is the library's."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    assert metadata["promptlet"] == "1"
    raw = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        kind = {"F32": "<f4", "F16": "<f2", "I8": "<i1", "U8": "<u1"}[entry["dtype"]]
        raw[name] = np.array(np.frombuffer(data[8 + length :][begin:end], kind).reshape(entry["shape"]))

    n_ctx, dim = int(metadata["n_ctx"]), int(metadata["dim"])
    factors = {}
    for position, name in enumerate(sorted(set(raw) - {"scale"})):
        x = raw[name]
        if x.dtype == np.uint8:
            rows, columns = {"P": (n_ctx, dim), "U": (n_ctx, None), "V": (None, dim)}[name]
            rows = rows or int(metadata["rank"])
            columns = columns or int(metadata["rank"])
            x = int4(x, rows * columns).reshape(*x.shape[:-1], rows, columns)
        x = x.astype(np.float32)
        factors[name] = x * np.float32(raw["scale"][position]) if "scale" in raw else x
    return metadata, factors


def int4(packed: np.ndarray, count: int) -> np.ndarray:
    """Number 2 i in the low half of byte i, number 2 i + 1 in the high half, two's complement."""
    halves = np.empty((*packed.shape[:-1], 2 * packed.shape[-1]), np.int64)
    halves[..., 0::2] = packed % 16
    halves[..., 1::2] = packed // 16
    return np.where(halves > 7, halves - 16, halves)[..., :count]
