"""Going on from a prompt: what it learned is where another training begins."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptlet.classifier.files import prompt_file_of, usable_file
from promptlet.data import clean_class_name
from promptlet.errors import OptionError, PromptletError, listed
from promptlet.methods import Method
from promptlet.methods.text_prompt import TextPrompt
from promptlet.promptfile import PromptFile
from promptlet.promptfile.record import BESIDE_NAME

Shapes = Mapping[str, tuple[int, ...]]
SHOWN = 3  # tensors in a message


@dataclass(frozen=True)
class Started:
    """numbers: how many were taken over. kept, new, gone: class names that were taught before and are taught
    again, that are taught for the first time, and that were taught before and are no more; all are empty
    where the file names no classes."""

    numbers: int
    kept: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]


def start_from(method: Method, path: str | Path) -> Started:
    """Put what the prompt file at ``path`` holds into an untrained method, which is trained from there.

    Raises OptionError for a prompt of another method or shape, for one that learns nothing, and for one whose
    numbers belong to other class names; WrongBackboneError for one of another backbone; PromptFileError for a
    file that cannot be used.
    """
    file = usable_file(path, names_backbone=False)
    if file.method != method.info.name:
        raise OptionError(
            f"start_from={str(path)!r} was made by the method {file.method!r}, not {method.info.name!r}; go "
            f"on with the same method, or train anew without it"
        )
    if method.info.by_class or not method.trainables():
        raise OptionError(
            f"{method.info.name!r} learns nothing that another training could begin with: it starts at its "
            "own images, or at its class names alone; train anew on the images of all classes"
        )
    backbone = method.backbone
    backbone.check_fingerprint(file.fingerprint, file.backbone, str(path), not file.is_protected)
    _check_names(method, file.class_names, path)
    before, now = (_facts(one) for one in (file, prompt_file_of(method, method.class_names, {})))
    if before != now:
        ours, theirs = (_in_words(one, before, now) for one in (now, before))
        raise OptionError(
            f"start_from={str(path)!r} has {theirs}, and this training {ours}; give the same options, or none"
        )
    try:
        method.load_state(file.tensors)
    except PromptletError as error:
        raise OptionError(f"start_from={str(path)!r} does not fit this training: {error}") from error
    contents = b"".join(array.tobytes() for _, array in sorted(file.tensors.items()))
    method.started_from = hashlib.blake2b(contents, digest_size=8).hexdigest()
    return _compared(method, file.class_names)


def _facts(file: PromptFile) -> dict[str, Any]:
    """What must be the same in a prompt and in the training that begins with it: also the words between a
    context and the name, and where the name stands, without which its numbers mean something else."""
    beside = {name: file.options[name] for name in BESIDE_NAME if name in file.options}
    shapes = {name: array.shape for name, array in file.tensors.items()}
    return {"n_ctx": file.n_ctx, "rank": file.rank, "init": file.init, **beside, "tensors": shapes}


def _in_words(facts: Mapping[str, Any], one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Those of ``facts`` in which the two differ; the tensors where nothing else does."""
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    shown = [name for name in names if name != "tensors"]
    if not shown:
        return _tensors_in_words(facts["tensors"], one["tensors"], other["tensors"])
    return ", ".join(f"{name}={facts[name]!r}" if name in facts else f"no {name}" for name in shown)


def _tensors_in_words(shapes: Shapes, one: Shapes, other: Shapes) -> str:
    differ = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    shown = [f"{name} of {shapes[name]}" if name in shapes else f"no {name}" for name in differ[:SHOWN]]
    more = f" and {len(differ) - SHOWN} more that differ" if len(differ) > SHOWN else ""
    return f"the tensors {', '.join(shown)}{more}"


def _check_names(method: Method, names: Sequence[str], path: str | Path) -> None:
    """A context for each class is of use for the same ones alone, in their order."""
    per_class = isinstance(method, TextPrompt) and method.placement == "per_class"
    if per_class and tuple(map(clean_class_name, names)) != tuple(method.class_names):
        raise OptionError(
            f"what {method.info.name!r} learned in {path} belongs to its classes ({listed(names)}), and "
            "these are others; train anew on the images of all classes"
        )


def _compared(method: Method, before: Sequence[str]) -> Started:
    if not before:
        return Started(method.trainable_count(), (), (), ())
    old = {clean_class_name(name).casefold(): name for name in before}
    now = {name.casefold(): name for name in method.class_names}
    return Started(
        numbers=method.trainable_count(),
        kept=tuple(name for key, name in now.items() if key in old),
        new=tuple(name for key, name in now.items() if key not in old),
        gone=tuple(name for key, name in old.items() if key not in now),
    )
