"""A reader of prompt files written from docs/reference/prompt-file.md alone: struct, json, numpy."""

from __future__ import annotations

import hashlib
import json
import math
import struct

import numpy as np

DEFAULTS = {
    "n_ctx": "4",
    "rank": "1",
    "init": "words:a photo of a",
    "backbone": "",
    "class_names": "[]",
    "training": "{}",
    "options": "{}",
}


def read(data: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """The metadata and the float32 factors. Trusts its input: the strict reader is the library's."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    version = metadata["promptlet"]
    assert version in ("1", "2", "3", "4")
    if version in ("3", "4"):
        assert metadata.pop("digest") == digest(metadata, header, data[8 + length :])
    if version != "1":
        metadata = {**DEFAULTS, **metadata}
    raw = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        kind = {"F32": "<f4", "F16": "<f2", "I8": "<i1", "U8": "<u1"}[entry["dtype"]]
        raw[name] = np.array(np.frombuffer(data[8 + length :][begin:end], kind).reshape(entry["shape"]))

    if version == "4":
        metadata["rejection"] = rejection(metadata, raw)
    shapes = shapes_of(metadata)
    for bits in (1, 2, 4):
        if f"kmeans{bits}" in raw:
            return metadata, kmeans(raw[f"kmeans{bits}"], bits, shapes)
    factors = {}
    for position, name in enumerate(sorted(set(raw) - {"scale"})):
        x = raw[name]
        if x.dtype == np.uint8 and version == "1":
            x = int4(x, math.prod(shapes[name][-2:])).reshape(*x.shape[:-1], *shapes[name][-2:])
        elif x.dtype == np.uint8:
            x = int4(x, math.prod(shapes[name])).reshape(shapes[name])
        x = x.astype(np.float32)
        factors[name] = x * np.float32(raw["scale"][position]) if "scale" in raw else x
    if version != "1":
        assert {name: list(x.shape) for name, x in factors.items()} == shapes
    return metadata, factors


def rejection(metadata: dict, raw: dict[str, np.ndarray]) -> dict:
    """Thresholds by percentage, the centre, the sign of each class and feature; its tensors leave ``raw``."""
    centre, packed = raw.pop("rejection.centre"), raw.pop("rejection.signs")
    assert centre.dtype == np.float16 and packed.dtype == np.uint8
    signs = [
        [1 if row[i // 8] // 2 ** (i % 8) % 2 else -1 for i in range(len(centre))] for row in packed.tolist()
    ]
    thresholds = {float(share): value for share, value in json.loads(metadata["rejection"]).items()}
    return {"thresholds": thresholds, "centre": centre.astype(np.float32), "signs": np.array(signs)}


def digest(metadata: dict[str, str], header: dict[str, dict], payload: bytes) -> str:
    """SHA-256 of the texts, then of the tensors, each part with its length before it; 12 digits of it."""
    parts: list[bytes] = [b"%d" % len(metadata)]
    for key in sorted(metadata, key=str.encode):
        parts += key.encode(), metadata[key].encode()
    for name in sorted(header, key=str.encode):
        begin, end = header[name]["data_offsets"]
        shape = ",".join(str(size) for size in header[name]["shape"])
        parts += name.encode(), header[name]["dtype"].encode(), shape.encode(), payload[begin:end]
    return hashlib.sha256(b"".join(struct.pack("<Q", len(part)) + part for part in parts)).hexdigest()[:12]


def shapes_of(metadata: dict) -> dict[str, list[int]]:
    """As `shapes` says, else the factors of a context."""
    if "shapes" in metadata:
        return json.loads(metadata["shapes"])
    n_ctx, dim = int(metadata["n_ctx"]), int(metadata["dim"])
    if metadata["rank"] != "full":
        rank = int(metadata["rank"])
        return {"U": [n_ctx, rank], "V": [rank, dim]}
    return {} if metadata["method"] == "zero_shot" else {"P": [n_ctx, dim]}


def int4(packed: np.ndarray, count: int) -> np.ndarray:
    """Number 2 i in the low half of byte i, number 2 i + 1 in the high half, two's complement."""
    halves = np.empty((*packed.shape[:-1], 2 * packed.shape[-1]), np.int64)
    halves[..., 0::2] = packed % 16
    halves[..., 1::2] = packed // 16
    return np.where(halves > 7, halves - 16, halves)[..., :count]


def kmeans(stored: np.ndarray, bits: int, shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """Codebooks as fp16, then the codes of all tensors as one stream of bits, lowest first."""
    data = stored.tobytes()
    tensors, i = {}, 0
    for t, name in enumerate(sorted(shapes)):
        book = struct.unpack_from(f"<{2**bits}e", data, 2 * 2**bits * t)
        values = []
        for _ in range(math.prod(shapes[name])):
            byte = data[2 * 2**bits * len(shapes) + i * bits // 8]
            values.append(book[byte // 2 ** (i * bits % 8) % 2**bits])
            i += 1
        tensors[name] = np.array(values, np.float32).reshape(shapes[name])
    return tensors
