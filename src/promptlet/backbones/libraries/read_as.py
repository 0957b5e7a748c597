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
    weights = {
        tag: open_clip.get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)
    }
    known = {tag: _of_tag(config) for tag, config in weights.items()}
    own = bool(open_clip.get_model_config(name).get(GELU, False))
    beside = _beside(file, name, source, open_clip)
    shared = {field: values[0] for field in QUESTIONS if len(values := _values(known, field)) == 1}
    if shared.get(GELU, own) != own and GELU not in {**beside, **address.told}:
        shared.pop(GELU)
        known |= {f"the name {name}": {GELU: own}}
    taken = {**shared, **beside, **address.told}
    missing = [field for field in QUESTIONS if known and field not in taken]
    if missing:
        raise _question(missing, known, source, name)
    quick = taken.pop(GELU, own)
    if not isinstance(quick, bool):
        raise BackboneError(f"{source!r}: {GELU}={quick}; allowed: true or false")
    origins = {"as given": address.told, f"from {file.parent / CONFIG}": beside}
    rest = {field: taken[field] for field in taken if field not in {**beside, **address.told}}
    origins[f"as in all weights of {name} that open_clip knows"] = rest
    said = [f"{_shown(fields)} {origin}" for origin, fields in origins.items() if fields]
    remarks: tuple[str, ...] = (f"{file.name} is read with {'; '.join(said)}",) if said else ()
    if not known and not {*NUMBERS} <= set(taken):
        remarks += (
            f"open_clip knows no weights of {name}, so images are read as OpenAI's CLIP reads them; if "
            f"{file.name} was trained otherwise, say so: {_example(source)}",
        )
    return ReadAs(_named(name, quick, own, source, open_clip), taken, quick and not own, remarks)


def _of_tag(config: Mapping[str, Any]) -> dict[str, Any]:
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
    missing: list[str], known: Mapping[str, Mapping[str, Any]], source: str, name: str
) -> BackboneError:
    differ = "; ".join(
        f"{field}: " + ", ".join(_text(value) for value in _values(known, field)) for field in missing
    )
    some = next(fields for fields in known.values() if all(field in fields for field in missing))
    query = "&".join(f"{field}={_text(some[field])}" for field in missing)
    twin = f", or {PREFIX}{name}-quickgelu/FILE" if missing == [GELU] else ""
    return BackboneError(
        f"{source!r}: weights of {name} were trained in different ways ({differ}), and this file does not "
        f"say in which. Say how it was trained, such as '{_asked(source)}{query}'{twin}; or put an "
        f" {CONFIG} with preprocess_cfg beside it."
    )


def _named(name: str, quick: bool, own: bool, source: str, open_clip: Any) -> str:
    """The name whose activation this is: open_clip can put QuickGELU in, and not out."""
    if not own or quick:
        return name
    twin = name.removesuffix("-quickgelu")
    if twin == name or twin not in open_clip.list_models():
        raise BackboneError(f"{source!r}: {GELU}=false, and open_clip has {name} with QuickGELU alone")
    return twin


def _example(source: str) -> str:
    return f"'{_asked(source)}mean=0.5,0.5,0.5&std=0.5,0.5,0.5'"


def _asked(source: str) -> str:
    return source + ("&" if "?" in source else "?")


def _shown(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{field}={_text(value)}" for field, value in fields.items())


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
