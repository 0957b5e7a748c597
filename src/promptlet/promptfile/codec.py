"""A `PromptFile` as bytes and back. The formats are specified in docs/reference/prompt-file.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from promptlet.errors import PromptFileError
from promptlet.promptfile.container import MAX_FILE_BYTES, metadata_of, pack, split, tensors_of
from promptlet.promptfile.digest import DIGEST, check_digest, digest_of
from promptlet.promptfile.precision import check_precision, from_stored, precision_of, to_stored
from promptlet.promptfile.record import (
    FORMAT_VERSION,
    OF_ANSWERS,
    PLAIN_VERSION,
    PROTECTED_SINCE,
    PromptFile,
    check_shapes,
    factor_shapes,
)
from promptlet.promptfile.rejection import REJECTION, rejection_text, stored_rejection, take_rejection
from promptlet.promptfile.strict_json import read_json, shorten, write_json

KEYS = (  # of format 1, which has all of them
    "promptlet",
    "method",
    "n_ctx",
    "dim",
    "rank",
    "init",
    "backbone",
    "fingerprint",
    "class_names",
    "training",
)
FULL = "full"  # the rank of a prompt without factors
DEFAULTS = {  # since format 2, which leaves out what they say; ``shapes`` has those of one context
    "n_ctx": "4",
    "rank": "1",
    "init": "words:a photo of a",
    "backbone": "",
    "class_names": "[]",
    "training": "{}",
    "options": "{}",
}
KEYS_2 = (*KEYS, "options", "shapes")
KEYS_3 = (*KEYS_2, DIGEST)
KEYS_4 = (*KEYS_2, REJECTION, DIGEST)
_COUNT = re.compile(r"[1-9][0-9]{0,8}")

Shapes = dict[str, tuple[int, ...]]


def dumps(prompt: PromptFile, precision: str = "fp32", compact: bool = False) -> bytes:
    """The bytes of a prompt file: the same content gives the same bytes, whatever the order of its dicts.

    precision: fp32, fp16, int8, int4, kmeans1, kmeans2 or kmeans4. compact: without the backbone's name,
    the class names and how it was trained, which can be given when predicting, and without the rejection.
    """
    check_precision(precision)
    prompt = _compacted(prompt) if compact else replace(prompt)  # checks again: its dicts may have changed
    metadata, stored = _metadata(prompt), to_stored(prompt.tensors, precision)
    if prompt.rejection is not None:
        stored |= stored_rejection(prompt.rejection)
    return pack(metadata | {DIGEST: digest_of(metadata, stored)}, stored)


def loads(data: bytes) -> PromptFile:
    """The prompt in ``data``, its tensors as float32; anything else is a `PromptFileError`."""
    header, payload = split(bytes(data))
    metadata = metadata_of(header)
    version = _version(metadata)
    _check_keys(metadata, version)
    stored = tensors_of(header, payload)
    if version >= PROTECTED_SINCE:
        check_digest(metadata, stored)
    rejection = take_rejection(metadata[REJECTION], stored) if REJECTION in metadata else None
    texts = metadata if version == 1 else DEFAULTS | metadata
    method, rank = texts["method"], None if texts["rank"] == FULL else _count(texts, "rank")
    n_ctx, dim = 0 if version > 1 and texts["n_ctx"] == "0" else _count(texts, "n_ctx"), _count(texts, "dim")
    class_names = read_json(texts["class_names"], "class_names")
    if version > 1 and "shapes" in texts:
        shapes = _read_shapes(texts["shapes"])
    else:
        n_classes = len(class_names) if version == 1 and _is_per_class(stored, class_names) else None
        shapes = factor_shapes(method, n_ctx, dim, rank, n_classes)
    if version > 1:
        check_shapes(shapes)
    return PromptFile(
        method=method,
        n_ctx=n_ctx,
        dim=dim,
        rank=rank,
        init=texts["init"],
        backbone=texts["backbone"],
        fingerprint=texts["fingerprint"],
        class_names=class_names,
        training=read_json(texts["training"], "training"),
        tensors=from_stored(stored, shapes, version),
        precision=precision_of(stored, version),
        options=read_json(texts["options"], "options") if version > 1 else {},
        format_version=version,
        rejection=rejection,
    )


def _compacted(prompt: PromptFile) -> PromptFile:
    """Without what can be given later; names stay where each has its own context, which needs them."""
    names = prompt.class_names if _is_per_class(prompt.tensors, prompt.class_names) else ()
    kept = names if prompt.is_context else ()
    options = {name: value for name, value in prompt.options.items() if name not in OF_ANSWERS}
    rest = options if "new_names" in prompt.options else prompt.options  # of names that are left out
    return replace(prompt, backbone="", class_names=kept, training={}, options=rest, rejection=None)


def _is_per_class(tensors: Mapping[str, Any], class_names: object) -> bool:
    """Whether ``P``, as an array or as format 1's packed bytes, has an axis of classes."""
    p = tensors.get("P")
    return isinstance(class_names, list | tuple) and p is not None and p.ndim + (p.dtype == "u1") == 3


def _metadata(prompt: PromptFile) -> dict[str, str]:
    """Without the digest, and without what a default says."""
    shapes: Shapes = {name: array.shape for name, array in prompt.tensors.items()}
    check_shapes(shapes)
    texts = {
        "promptlet": str(PLAIN_VERSION if prompt.rejection is None else FORMAT_VERSION),
        "method": prompt.method,
        "n_ctx": str(prompt.n_ctx),
        "dim": str(prompt.dim),
        "rank": FULL if prompt.rank is None else str(prompt.rank),
        "init": prompt.init,
        "backbone": prompt.backbone,
        "fingerprint": prompt.fingerprint,
        "class_names": write_json(prompt.class_names),
        "training": write_json(dict(sorted(prompt.training.items()))),
        "options": write_json(dict(sorted(prompt.options.items()))),
        "shapes": write_json(dict(sorted(shapes.items()))),
        **({} if prompt.rejection is None else {REJECTION: rejection_text(prompt.rejection)}),
    }
    usual = factor_shapes(prompt.method, prompt.n_ctx, prompt.dim, prompt.rank, None)
    defaults = DEFAULTS | ({"shapes": texts["shapes"]} if shapes == usual else {})
    return {key: text for key, text in texts.items() if text != defaults.get(key)}


def _version(metadata: Mapping[str, str]) -> int:
    if "promptlet" not in metadata:
        raise PromptFileError("it is a safetensors file but no prompt file: its metadata has no 'promptlet'")
    version = _count(metadata, "promptlet")
    if version > FORMAT_VERSION:
        raise PromptFileError(
            f"made by a newer Promptlet: format {version}; this one reads 1 to {FORMAT_VERSION}; "
            "upgrade with: pip install -U promptlet"
        )
    return version


def _check_keys(metadata: Mapping[str, str], version: int) -> None:
    allowed = set({1: KEYS, 2: KEYS_2, 3: KEYS_3}.get(version, KEYS_4))
    needed = allowed if version == 1 else allowed - {*DEFAULTS, "shapes"}
    missing, unknown = needed - set(metadata), set(metadata) - allowed
    if missing or unknown:
        raise PromptFileError(
            f"its metadata lacks {sorted(missing)} and has unknown {shorten(sorted(unknown))}"
        )


def _read_shapes(text: str) -> Shapes:
    value = read_json(text, "shapes")
    if not isinstance(value, dict):
        raise PromptFileError(f"shapes must be an object of lists of sizes, not {shorten(value)}")
    for name, sizes in value.items():
        if not isinstance(sizes, list) or not all(type(n) is int and n <= MAX_FILE_BYTES for n in sizes):
            raise PromptFileError(f"shapes[{shorten(name)}] must be a list of sizes, not {shorten(sizes)}")
    return {name: tuple(sizes) for name, sizes in value.items()}


def _count(metadata: Mapping[str, str], key: str) -> int:
    if not _COUNT.fullmatch(metadata[key]):
        raise PromptFileError(
            f"metadata {key!r} must be a whole number above 0, not {shorten(metadata[key])}"
        )
    return int(metadata[key])
