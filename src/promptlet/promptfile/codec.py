"""A `PromptFile` as bytes and back. The format is specified in docs/prompt-file.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from promptlet.errors import PromptFileError
from promptlet.promptfile.container import metadata_of, pack, split, tensors_of
from promptlet.promptfile.precision import from_stored, precision_of, to_stored
from promptlet.promptfile.record import PromptFile, factor_shapes
from promptlet.promptfile.strict_json import read_json, shorten, write_json

FORMAT_VERSION = 1
KEYS = (
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
_COUNT = re.compile(r"[1-9][0-9]{0,8}")


def dumps(prompt: PromptFile, precision: str = "fp32") -> bytes:
    """The bytes of a prompt file: the same content gives the same bytes, whatever the order of its dicts."""
    prompt = replace(prompt)  # checks again: its dicts and arrays may have been changed since
    metadata = {
        "promptlet": str(FORMAT_VERSION),
        "method": prompt.method,
        "n_ctx": str(prompt.n_ctx),
        "dim": str(prompt.dim),
        "rank": FULL if prompt.rank is None else str(prompt.rank),
        "init": prompt.init,
        "backbone": prompt.backbone,
        "fingerprint": prompt.fingerprint,
        "class_names": write_json(prompt.class_names),
        "training": write_json(dict(sorted(prompt.training.items()))),
    }
    return pack(metadata, to_stored(prompt.tensors, precision))


def loads(data: bytes) -> PromptFile:
    """The prompt in ``data``, its tensors as float32; anything else is a `PromptFileError`."""
    header, payload = split(bytes(data))
    metadata = metadata_of(header)
    _check_version(metadata)
    if set(metadata) != set(KEYS):
        missing, unknown = set(KEYS) - set(metadata), set(metadata) - set(KEYS)
        raise PromptFileError(
            f"its metadata lacks {sorted(missing)} and has unknown {shorten(sorted(unknown))}"
        )
    stored = tensors_of(header, payload)
    rank = None if metadata["rank"] == FULL else _count(metadata, "rank")
    class_names = read_json(metadata["class_names"], "class_names")
    p = stored.get("P")
    is_per_class = p is not None and p.ndim + (p.dtype == "u1") == 3
    n_classes = len(class_names) if is_per_class and isinstance(class_names, list) else None
    n_ctx, dim = _count(metadata, "n_ctx"), _count(metadata, "dim")
    return PromptFile(
        method=metadata["method"],
        n_ctx=n_ctx,
        dim=dim,
        rank=rank,
        init=metadata["init"],
        backbone=metadata["backbone"],
        fingerprint=metadata["fingerprint"],
        class_names=class_names,
        training=read_json(metadata["training"], "training"),
        tensors=from_stored(stored, factor_shapes(metadata["method"], n_ctx, dim, rank, n_classes)),
        precision=precision_of(stored),
    )


def _check_version(metadata: Mapping[str, str]) -> None:
    if "promptlet" not in metadata:
        raise PromptFileError("it is a safetensors file but no prompt file: its metadata has no 'promptlet'")
    version = _count(metadata, "promptlet")
    if version > FORMAT_VERSION:
        raise PromptFileError(
            f"made by a newer Promptlet: format {version}; this one reads {FORMAT_VERSION}; "
            "upgrade with: pip install -U promptlet"
        )


def _count(metadata: Mapping[str, str], key: str) -> int:
    if not _COUNT.fullmatch(metadata[key]):
        raise PromptFileError(
            f"metadata {key!r} must be a whole number above 0, not {shorten(metadata[key])}"
        )
    return int(metadata[key])
