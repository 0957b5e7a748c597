"""Which column of a Hugging Face data set holds the images, which the labels; which split is which part."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlet.data.words import LABEL, PARTS, role_of
from promptlet.errors import DataError, OptionError, did_you_mean

Features = Mapping[str, Any]
"""`datasets.Features`: what each column holds."""


@dataclass(frozen=True)
class Columns:
    """``is_array``: pixels, not encoded files. ``class_names``: by label; None where labels are the names."""

    image: str
    label: str
    is_array: bool
    class_names: tuple[str, ...] | None


def choose_columns(features: Features, image: str | None, label: str | None, where: str) -> Columns:
    """The columns asked for; else the only image column, and the only class label, or text by its name.

    Raises `OptionError` for one asked for that cannot be it, `DataError` where there is none, or a choice.
    """
    image = _asked(features, image, "image", _holds_images, where) or _only_image(features, where)
    label = _asked(features, label, "label", _holds_labels, where) or _only_label(features, where)
    kind = features[label]
    names = tuple(map(str, kind.names)) if _is(kind, "ClassLabel") else None
    return Columns(image, label, _is_array(features[image]), names)


def choose_parts(splits: Collection[str], where: str) -> dict[str, str]:
    """The split that is train, val or test, by part; the only split is train, whatever its name.

    Raises `DataError` where none has a name of a part.
    """
    known = {split.casefold(): split for split in splits}
    parts = {
        part: next(known[name] for name in names if name in known)
        for part, names in PARTS.items()
        if known.keys() & set(names)
    }
    if parts:
        return parts
    if len(splits) == 1:
        return {"train": next(iter(splits))}
    raise DataError(
        f"{where}: has the splits {', '.join(splits) or 'none'}; expected train, and perhaps validation and "
        "test: rename them with datasets, and save it again"
    )


def describe(features: Features) -> str:
    """The columns with what they hold, for messages."""
    return ", ".join(f"{name} ({_kind(feature)})" for name, feature in features.items()) or "none"


def _asked(
    features: Features, name: str | None, option: str, fits: Callable[[Any], bool], where: str
) -> str | None:
    if name is None:
        return None
    if name not in features:
        raise OptionError(
            f"{where}: {option}={name!r} is no column; it has {describe(features)}."
            f"{did_you_mean(name, features)}"
        )
    if not fits(features[name]):
        raise OptionError(
            f"{where}: {option}={name!r} holds {_kind(features[name])}; expected {_EXPECTED[option]}; it has "
            f"{describe(features)}"
        )
    return name


def _only_image(features: Features, where: str) -> str:
    pictures = [name for name, feature in features.items() if _is(feature, "Image")]
    found = pictures or [name for name, feature in features.items() if _holds_images(feature)]
    return _only(found, "image", features, where)


def _only_label(features: Features, where: str) -> str:
    found = [name for name, feature in features.items() if _is(feature, "ClassLabel")]
    if not found:
        found = [name for name, feature in features.items() if _is_text(feature) and role_of(name) == LABEL]
    return _only(found, "label", features, where)


def _only(found: Sequence[str], option: str, features: Features, where: str) -> str:
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{where}: has {len(found)} columns that can be the {option}, {' and '.join(found)}; choose with "
            f"?{option}=COLUMN, as in ?{option}={found[0]}; it has {describe(features)}"
        )
    raise DataError(
        f"{where}: has no {option} column; expected {_EXPECTED[option]}; it has {describe(features)}; choose "
        f"one with ?{option}=COLUMN"
    )


_EXPECTED = {
    "image": "an Image, or encoded files (binary), or pixels (Array2D, Array3D)",
    "label": "a ClassLabel, or text in a column called label, class, category, target, ... (numbers have no "
    "names; `datasets` casts them to a ClassLabel)",
}


def _is(feature: Any, kind: str) -> bool:
    """By its name, as `datasets` need not be loaded here, and older versions lack some kinds."""
    return type(feature).__name__ == kind


def _dtype(feature: Any) -> str:
    return str(getattr(feature, "dtype", "")) if _is(feature, "Value") else ""


def _is_text(feature: Any) -> bool:
    return _dtype(feature) in ("string", "large_string", "string_view")


def _is_bytes(feature: Any) -> bool:
    return _dtype(feature) in ("binary", "large_binary", "binary_view")


def _is_array(feature: Any) -> bool:
    return _is(feature, "Array2D") or _is(feature, "Array3D")


def _holds_images(feature: Any) -> bool:
    is_stored_image = isinstance(feature, dict) and _is_bytes(feature.get("bytes"))
    return _is(feature, "Image") or is_stored_image or _is_bytes(feature) or _is_array(feature)


def _holds_labels(feature: Any) -> bool:
    return _is(feature, "ClassLabel") or _is_text(feature)


def _kind(feature: Any) -> str:
    """``Image``, ``ClassLabel of 100``, ``string``, ``int64``."""
    if _is(feature, "ClassLabel"):
        return f"ClassLabel of {len(feature.names)}"
    return _dtype(feature) or ("struct" if isinstance(feature, dict) else type(feature).__name__)
