"""A trained classifier as a matrix: class vectors, and all that is needed to answer with them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptlet.errors import ExportError
from promptlet.exported.described import described, spec_of
from promptlet.exported.fields import Fields, checked_texts, is_number
from promptlet.preprocessing.spec import ImageSpec
from promptlet.promptfile import Rejection
from promptlet.promptfile.strict_json import shorten

MOST_DIM = 16384
MOST_NUMBERS = 1 << 28
"""Of all class vectors together: 1 GiB as float32."""
MOST_SCALE, MOST_BIAS = 1e4, 1e4
LENGTHS = (1 - 1e-3, 1 + 1e-3)
"""Of a class vector, which is normalised in float32."""
FROZEN, CHANGED = "frozen", "changed"
TOWERS = (FROZEN, CHANGED)
_METHOD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FINGERPRINT = re.compile(r"[0-9A-Za-z]{4,40}(-[0-9A-Za-z]{4,40}){2}")


@dataclass(frozen=True, eq=False)
class Vectors:
    """An instance is always valid: making a wrong one raises ExportError.

    names: of the C classes, as labels call them. classes (C, D): their features, of length 1, in that order:
    of an image feature x of length 1 the logits are ``logit_scale * classes @ x + logit_bias``, and their
    softmax the probabilities. backbone, fingerprint: whose image features these are. tower: "frozen", or
    "changed" where the method changes the image tower, so that only its own export makes such features.
    preprocessing: None where images come as features. method, taught: how the classes were learned, and
    which names were; none where that is not known. rejection: what tells "none of these", its classes in the
    order of ``names``; of features of the frozen tower alone. version: Promptlet's.
    """

    names: tuple[str, ...]
    classes: npt.NDArray[np.float32]
    logit_scale: float
    logit_bias: float
    backbone: str
    fingerprint: str
    preprocessing: ImageSpec | None
    method: str
    taught: tuple[str, ...] = ()
    rejection: Rejection | None = None
    version: str = ""
    tower: str = FROZEN

    def __post_init__(self) -> None:
        """Check, and keep an own copy."""
        object.__setattr__(self, "names", checked_texts(self.names, "names"))
        object.__setattr__(self, "classes", checked_classes(self.classes, self.names))
        object.__setattr__(self, "taught", checked_texts(self.taught, "taught"))
        for field, least, most in (
            ("logit_scale", 0.0, MOST_SCALE),
            ("logit_bias", -MOST_BIAS, MOST_BIAS),
        ):
            value = getattr(self, field)
            if not is_number(value) or not least <= value <= most:
                raise ExportError(
                    f"{field} must be a number from {least:g} to {most:g}, not {shorten(value)}"
                )
            object.__setattr__(self, field, float(value))
        _check_text("backbone", self.backbone, None, "a text of up to 1024 characters")
        _check_text("fingerprint", self.fingerprint, _FINGERPRINT, "three parts text-tokenizer-image")
        _check_text("method", self.method, _METHOD, "small letters, digits and _, such as 'rlp'")
        _check_text("version", self.version, None, "a text of up to 1024 characters")
        if self.tower not in TOWERS:
            raise ExportError(f"tower must be 'frozen' or 'changed', not {shorten(self.tower)}")
        if self.preprocessing is not None:
            if not isinstance(self.preprocessing, ImageSpec):
                raise ExportError(
                    f"preprocessing must be an ImageSpec or None, not {shorten(self.preprocessing)}"
                )
            spec_of(Fields(described(self.preprocessing), "preprocessing"))
        self._check_rejection()

    @property
    def dim(self) -> int:
        """Number of features D."""
        return int(self.classes.shape[1])

    def _check_rejection(self) -> None:
        rejection = self.rejection
        if rejection is None:
            return
        if not isinstance(rejection, Rejection):
            raise ExportError(f"rejection must be a Rejection or None, not {shorten(rejection)}")
        if self.tower == CHANGED:
            raise ExportError("a rejection is of features of the frozen tower, and this tower is changed")
        if rejection.signs.shape != self.classes.shape:
            raise ExportError(
                f"the rejection has signs of shape {list(rejection.signs.shape)}, and the classes are of "
                f"shape {list(self.classes.shape)}"
            )


def checked_classes(given: object, names: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Class vectors (C, D) as float32 of their own. Raises ExportError naming what is wrong."""
    if not isinstance(given, np.ndarray) or given.dtype.kind != "f" or given.ndim != 2:
        raise ExportError(f"classes must be an array (C, D) of floats, not {shorten(given)}")
    if len(given) != len(names) or not len(names):
        raise ExportError(f"there are {len(given):,} class vectors and {len(names):,} names")
    if not 1 <= given.shape[1] <= MOST_DIM or given.size > MOST_NUMBERS:
        raise ExportError(
            f"class vectors of shape {list(given.shape)} are too large: up to {MOST_DIM:,} features, and "
            f"{MOST_NUMBERS:,} numbers together"
        )
    with np.errstate(all="ignore"):
        classes = np.array(given, np.float32, order="C")
        lengths = np.linalg.norm(classes, axis=1)
    odd = ~((lengths >= LENGTHS[0]) & (lengths <= LENGTHS[1]))  # NaN is between nothing
    if odd.any():
        row = int(odd.argmax())
        raise ExportError(f"the vector of class {shorten(names[row])} has length {lengths[row]:.4g}, not 1")
    return classes


def _check_text(field: str, value: object, pattern: re.Pattern[str] | None, allowed: str) -> None:
    is_text = isinstance(value, str) and len(value) <= 1024 and (pattern is None or pattern.fullmatch(value))
    if not is_text:
        raise ExportError(f"{field} must be {allowed}, not {shorten(value)}")
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise ExportError(f"{field} holds half a character: {shorten(value)}") from None
