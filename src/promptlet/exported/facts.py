"""All of `Vectors` but the numbers of the classes, as one object of JSON: the same in every form of file."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from promptlet.errors import ExportError, PromptFileError
from promptlet.exported.described import described, spec_of
from promptlet.exported.fields import Fields, check_format, is_number
from promptlet.exported.vectors import MOST_BIAS, MOST_DIM, MOST_NUMBERS, MOST_SCALE, TOWERS, Vectors
from promptlet.promptfile import Rejection
from promptlet.promptfile.rejection import MOST_SIGNS, SHARES
from promptlet.promptfile.strict_json import shorten

FORMAT, VERSION = "promptlet-vectors", 1
PLUS, MINUS = b"+"[0], b"-"[0]


def facts_of(vectors: Vectors) -> dict[str, Any]:
    """The object, its keys in the order of the specification."""
    rejection, spec = vectors.rejection, vectors.preprocessing
    return {
        "format": FORMAT,
        "version": VERSION,
        "promptlet": vectors.version,
        "method": vectors.method,
        "names": list(vectors.names),
        "taught": list(vectors.taught),
        "dim": vectors.dim,
        "logit_scale": vectors.logit_scale,
        "logit_bias": vectors.logit_bias,
        "backbone": vectors.backbone,
        "fingerprint": vectors.fingerprint,
        "tower": vectors.tower,
        "preprocessing": None if spec is None else described(spec),
        "rejection": None if rejection is None else _told(rejection),
        "sha256": digest_of(vectors.classes),
    }


def digest_of(classes: npt.NDArray[np.float32]) -> str:
    """SHA-256 of class vectors (C, D) as little-endian float32, row after row, in 64 hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(classes, "<f4").data).hexdigest()


def shape_of(facts: dict[str, Any]) -> tuple[int, int]:
    """(C, D) that these facts tell, before any number is read. Raises ExportError, also for another format
    or version."""
    check_format(facts, FORMAT, VERSION, "file of class vectors")
    fields = Fields(facts)
    count, dim = len(fields.texts("names")), fields.whole("dim", MOST_DIM)
    if count * dim > MOST_NUMBERS:
        raise ExportError(f"it tells of {count:,} classes of {dim:,} features, which are too many")
    return count, dim


def vectors_of(facts: dict[str, Any], classes: npt.NDArray[np.float32]) -> Vectors:
    """The vectors of these facts and numbers (C, D). Raises ExportError naming what is wrong."""
    shape = shape_of(facts)
    fields = Fields({key: value for key, value in facts.items() if key not in ("format", "version")})
    if classes.shape != shape:
        raise ExportError(
            f"its class vectors are of shape {list(classes.shape)}, and its facts tell {list(shape)}"
        )
    has_spec, has_rejection = fields.optional("preprocessing"), fields.optional("rejection")
    vectors = Vectors(
        names=fields.texts("names"),
        classes=classes,
        logit_scale=fields.number("logit_scale", 0.0, MOST_SCALE),
        logit_bias=fields.number("logit_bias", -MOST_BIAS, MOST_BIAS),
        backbone=fields.take("backbone"),
        fingerprint=fields.text("fingerprint"),
        preprocessing=spec_of(fields.inner("preprocessing")) if has_spec else None,
        method=fields.text("method"),
        taught=fields.texts("taught"),
        rejection=_rejection(fields.inner("rejection"), shape) if has_rejection else None,
        version=fields.take("promptlet"),
        tower=fields.choice("tower", TOWERS),
    )
    fields.take("dim")
    if fields.optional("sha256"):
        _check_digest(fields.text("sha256"), vectors.classes)
    fields.end()
    return vectors


def _check_digest(told: str, classes: npt.NDArray[np.float32]) -> None:
    found = digest_of(classes)
    if told != found:
        raise ExportError(
            f"its class vectors are not those that were written (sha256 {shorten(told[:12])}, found "
            f"{found[:12]!r}): they were changed, or damaged; take a sound copy, or export anew"
        )


def _told(rejection: Rejection) -> dict[str, Any]:
    signs = np.where(rejection.signs > 0, np.uint8(PLUS), np.uint8(MINUS))
    return {
        "centre": rejection.centre.astype(np.float64).tolist(),
        "signs": [row.tobytes().decode("ascii") for row in signs],
        "thresholds": {f"{share:g}": threshold for share, threshold in rejection.thresholds.items()},
    }


def _rejection(fields: Fields, shape: tuple[int, int]) -> Rejection:
    centre, signs = fields.items("centre", shape[1]), fields.items("signs", shape[0])
    thresholds = fields.inner("thresholds")
    known = {float(key): thresholds.number(key, -2.0, 2.0) for key in _shares(fields, thresholds)}
    fields.end()
    if len(centre) != shape[1] or not all(map(is_number, centre)):
        fields.wrong("centre", f"a list of {shape[1]} numbers", centre)
    if len(signs) != shape[0] or shape[0] * shape[1] > MOST_SIGNS:
        fields.wrong("signs", f"a list of {shape[0]} texts, up to {MOST_SIGNS:,} signs together", signs)
    if not all(isinstance(row, str) and len(row) == shape[1] and not row.strip("+-") for row in signs):
        fields.wrong("signs", f"texts of {shape[1]} signs, + or -", signs)
    ones = np.frombuffer("".join(signs).encode("ascii"), np.uint8).reshape(shape) == PLUS
    try:
        with np.errstate(over="ignore"):
            return Rejection(np.array(centre, np.float32), np.where(ones, 1, -1).astype(np.int8), known)
    except PromptFileError as error:
        raise ExportError(str(error)) from None


def _shares(fields: Fields, thresholds: Fields) -> list[str]:
    texts = {f"{share:g}" for share in SHARES}
    told = thresholds.names()
    if not told or not texts.issuperset(told):
        fields.wrong("thresholds", f"an object with keys of {', '.join(sorted(texts, key=float))}", told)
    return told
