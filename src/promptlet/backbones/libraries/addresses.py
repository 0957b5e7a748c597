"""What stands behind ``open_clip:``: a model's name with a tag or a checkpoint, a folder, or a hub id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptlet.errors import BackboneError, did_you_mean

PREFIX = "open_clip:"
CONFIG = "open_clip_config.json"
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".npz")
NUMBERS, WORDS = ("mean", "std"), ("interpolation", "resize_mode")
QUESTIONS = (*NUMBERS, *WORDS, "quick_gelu")


@dataclass(frozen=True)
class Address:
    """``name`` as open_clip takes it, with ``pretrained``, a tag, or with a checkpoint ``file``.

    told: what the person says of the file, by the names of `QUESTIONS`."""

    name: str
    pretrained: str | None = None
    file: Path | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


def address_of(source: str, open_clip: Any) -> Address:
    """Raises BackboneError for what leads to no model, with what to give instead."""
    rest = source[len(PREFIX) :]
    if rest.startswith(("hf-hub:", "local-dir:")):
        return Address(rest)
    place = Path(rest).expanduser()
    if (place / CONFIG).is_file():
        return Address(f"local-dir:{place}")
    name, _, pretrained = rest.partition("/")
    known = open_clip.list_models()
    if name in known:
        return _with_weights(source, name, pretrained, open_clip)
    if place.exists() or rest.startswith((".", "/", "~")):
        raise BackboneError(f"{source!r}: {_what_is_there(place, rest)}")
    raise BackboneError(
        f"open_clip has no model {name!r}.{did_you_mean(name, known)} Give open_clip:NAME/PRETRAINED, "
        "such as open_clip:ViT-B-16/laion2b_s34b_b88k, or open_clip:FOLDER with open_clip_config.json."
    )


def _with_weights(source: str, name: str, pretrained: str, open_clip: Any) -> Address:
    file, told = Path(pretrained), {}
    before, mark, after = pretrained.rpartition("?")
    if mark and not file.is_file():
        file, told = Path(before), _told(after, source)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained in tags:
        return Address(name, pretrained)
    if file.expanduser().is_file():
        return Address(name, None, file.expanduser(), told)
    whole = Path(source[len(PREFIX) :])
    if mark and before in tags:
        raise BackboneError(
            f"{source!r}: open_clip knows how images of the tag {before!r} are read; what stands behind ? "
            f"is for checkpoint files. Give {PREFIX}{name}/{before}."
        )
    if pretrained and file.expanduser().is_dir():
        raise BackboneError(
            f"{source!r}: {str(file)!r} is a folder; give the checkpoint file in it, or {PREFIX}{file} where "
            f"it holds {CONFIG}"
        )
    if whole.exists():
        raise BackboneError(f"{source!r}: {_what_is_there(whole, str(whole))}")
    raise BackboneError(
        f"{source!r}: {str(file) if mark else pretrained!r} is neither a checkpoint file nor known weights "
        f"of {name}; known: {', '.join(tags) or 'none'}.{did_you_mean(pretrained, tags)}"
    )


def _what_is_there(place: Path, rest: str) -> str:
    """What a path leads to that is no folder of open_clip, and what to give."""
    if place.is_file():
        if place.suffix == ".json":
            return f"a configuration is given by its folder: {PREFIX}{place.parent}"
        return (
            "this file exists, and a checkpoint does not say which model it is of; give its name first, "
            f"{PREFIX}NAME/{rest}, such as {PREFIX}ViT-B-16/{rest}"
        )
    if not place.is_dir():
        return (
            "no such folder; give open_clip:FOLDER with open_clip_config.json, or open_clip:NAME/PRETRAINED"
        )
    if (place / "config.json").is_file():
        return (
            f"no {CONFIG} in this folder, which holds a model of transformers: give {rest} without {PREFIX}"
        )
    found = sorted(path.name for path in place.iterdir() if path.suffix in WEIGHTS)
    if found:
        return (
            f"no {CONFIG} in this folder, and a checkpoint does not say which model it is of; give its name "
            f"first, {PREFIX}NAME/{place / found[0]}, such as {PREFIX}ViT-B-16/{place / found[0]}"
        )
    return (
        f"no {CONFIG} in this folder; give open_clip:FOLDER with {CONFIG} and weights, or "
        "open_clip:NAME/PRETRAINED"
    )


def _told(text: str, source: str) -> dict[str, Any]:
    """``mean=0.5,0.5,0.5&quick_gelu=false`` as values."""
    told: dict[str, Any] = {}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if name not in QUESTIONS or name in told:
            raise BackboneError(
                f"{source!r}: {part!r} behind ? is not known; allowed, once each: {', '.join(QUESTIONS)}, "
                "such as ?mean=0.5,0.5,0.5&std=0.5,0.5,0.5&interpolation=bicubic&resize_mode=squash"
            )
        told[name] = _value(name, value)
    return told


def _value(name: str, text: str) -> Any:
    """Numbers (one stands for all channels) and truths; what is none stays text, which is refused later."""
    if name in NUMBERS:
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            return text
        return numbers * 3 if len(numbers) == 1 else numbers
    return {"true": True, "false": False}.get(text.lower(), text) if name == "quick_gelu" else text
