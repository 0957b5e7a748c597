"""How images and activations of a bare open_clip checkpoint are to be read.

A checkpoint holds weights alone. What is not in it is taken from the first of: what the person says behind
``?``, an ``open_clip_config.json`` beside the file, and what all known weights of the model's name have in
common. Where those differ, it is asked for: a wrong guess gives wrong features without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.backbones.libraries.addresses import CONFIG, NUMBERS, PREFIX, QUESTIONS, WORDS, Address
from promptlet.backbones.libraries.asked import read_asked
from promptlet.errors import BackboneError
from promptlet.preprocessing.libraries import spec_from_open_clip

GELU = "quick_gelu"


@dataclass(frozen=True)
class ReadAs:
    """``name`` of the model to build, fields of its preprocessing, whether QuickGELU is to be put in, and
    sentences that say what was taken from where."""

    name: str
    preprocessing: dict[str, Any]
    quick_gelu: bool
    remarks: tuple[str, ...]


def read_as(address: Address, source: str, open_clip: Any) -> ReadAs:
    """Raises BackboneError where it cannot be known, with what to give."""
    assert address.file is not None
    name, file = address.name, address.file
    own = bool(open_clip.get_model_config(name).get(GELU, False))
    known = {tag: _of_tag(name, tag, open_clip) for tag in open_clip.list_pretrained_tags_by_model(name)}
    shared = {field: values[0] for field in QUESTIONS if len(values := _values(known, field)) == 1}
    if shared.get(GELU, own) != own:  # all were trained with the other one than this name builds
        del shared[GELU]
        known |= {name: {GELU: own}}
    beside = _beside(file, name, source, open_clip)
    taken = {**shared, **beside, **address.told}
    missing = [field for field in QUESTIONS if known and field not in taken]
    if missing:
        raise _question(missing, known, address, source, open_clip)
    remarks = _remarks(address, shared, beside)
    if not known and not set(NUMBERS) <= set(taken):
        example = _asked(address, source, "mean=0.5,0.5,0.5&std=0.5,0.5,0.5")
        remarks += (
            f"open_clip knows no weights of {name}, so images are read as OpenAI's CLIP reads them; if "
            f"{file.name} was trained otherwise, say so: {example}",
        )
    quick = taken.pop(GELU, own)
    if not isinstance(quick, bool):
        raise BackboneError(f"{source!r}: {GELU}={quick}; allowed: true or false")
    spec_from_open_clip({"size": 1, "mean": [0.0] * 3, "std": [1.0] * 3, **taken}, source)  # fails early
    return ReadAs(_named(name, quick, own, source, open_clip), taken, quick and not own, remarks)


def _remarks(address: Address, shared: Mapping[str, Any], beside: Mapping[str, Any]) -> tuple[str, ...]:
    assert address.file is not None
    beside = {field: value for field, value in beside.items() if field not in address.told}
    rest = {field: value for field, value in shared.items() if field not in {**beside, **address.told}}
    origins = {
        "as given": address.told,
        f"from {address.file.parent / CONFIG}": beside,
        f"as in all weights of {address.name} that open_clip knows": rest,
    }
    said = [
        f"{', '.join(f'{field}={_text(value)}' for field, value in fields.items())} {origin}"
        for origin, fields in origins.items()
        if fields
    ]
    return (f"{address.file.name} is read with {'; '.join(said)}",) if said else ()


def _of_tag(name: str, tag: str, open_clip: Any) -> dict[str, Any]:
    config = open_clip.get_pretrained_cfg(name, tag)
    fields = {field: config[field] for field in (*NUMBERS, *WORDS) if config.get(field) is not None}
    return {**fields, GELU: bool(config.get(GELU, False))}


def _values(known: Mapping[str, Mapping[str, Any]], field: str) -> list[Any]:
    found: list[Any] = []
    for fields in known.values():
        if field in fields and fields[field] not in found:
            found.append(fields[field])
    return found


def _beside(file: Path, name: str, source: str, open_clip: Any) -> dict[str, Any]:
    """What the configuration in the checkpoint's folder says, as open_clip writes it beside weights."""
    path = file.parent / CONFIG
    if not path.is_file():
        return {}
    config = read_asked(path, source)
    model, fields = config.get("model_cfg", {}), config.get("preprocess_cfg", {})
    own = open_clip.get_model_config(name)
    if not isinstance(model, dict) or not isinstance(fields, dict):
        raise BackboneError(f"{source!r}: model_cfg and preprocess_cfg in {path} must be objects")
    if any(model.get(part, own[part]) != own[part] for part in ("embed_dim", "vision_cfg")):
        raise BackboneError(
            f"{source!r}: the {CONFIG} beside the file is of another model than {name}; give "
            f"{PREFIX}{file.parent} where they belong together, else keep them in folders of their own"
        )
    found = {field: fields[field] for field in (*NUMBERS, *WORDS) if field in fields}
    return {**found, **({GELU: model[GELU]} if GELU in model else {})}


def _question(
    missing: list[str], known: Mapping[str, Mapping[str, Any]], address: Address, source: str, open_clip: Any
) -> BackboneError:
    differ = "; ".join(
        f"{field}: {' or '.join(_text(value) for value in _values(known, field))}" for field in missing
    )
    some = next(fields for fields in known.values() if all(field in fields for field in missing))
    example = _asked(address, source, "&".join(f"{field}={_text(some[field])}" for field in missing))
    twin = f"{address.name}-quickgelu"
    other = f", or give {PREFIX}{twin}/FILE" if GELU in missing and twin in open_clip.list_models() else ""
    return BackboneError(
        f"{source!r}: weights of {address.name} were trained in different ways ({differ}), and this file "
        f"does not say in which. Say how it was trained, such as {example}{other}; or put an {CONFIG} with "
        "preprocess_cfg beside it."
    )


def _named(name: str, quick: bool, own: bool, source: str, open_clip: Any) -> str:
    """The name whose activation this is: open_clip can put QuickGELU in, and not out."""
    if not own or quick:
        return name
    twin = name.removesuffix("-quickgelu")
    if twin == name or twin not in open_clip.list_models():
        raise BackboneError(f"{source!r}: {GELU}=false, and open_clip has {name} with QuickGELU alone")
    return twin


def _asked(address: Address, source: str, more: str) -> str:
    """What to give, quoted for a shell."""
    return f"'{source}{'&' if address.told else '?'}{more}'"


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(str(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
