"""Going on from a prompt: what it learned is where another training begins."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptlet.classifier.files import prompt_file_of, usable_file
from promptlet.data import clean_class_name
from promptlet.errors import OptionError, PromptletError, listed
from promptlet.methods import Method
from promptlet.methods.text_prompt import TextPrompt


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
    now = prompt_file_of(method, method.class_names, {})
    shapes = [{name: array.shape for name, array in one.tensors.items()} for one in (file, now)]
    if shapes[0] != shapes[1] or (file.init, file.n_ctx, file.rank) != (now.init, now.n_ctx, now.rank):
        raise OptionError(
            f"start_from={str(path)!r} has n_ctx={file.n_ctx}, rank={file.rank}, init={file.init!r}, and "
            f"this training n_ctx={now.n_ctx}, rank={now.rank}, init={now.init!r}; give the same options, or "
            "none"
        )
    try:
        method.load_state(file.tensors)
    except PromptletError as error:
        raise OptionError(f"start_from={str(path)!r} does not fit this training: {error}") from error
    contents = b"".join(array.tobytes() for _, array in sorted(file.tensors.items()))
    method.started_from = hashlib.blake2b(contents, digest_size=8).hexdigest()
    return _compared(method, file.class_names)


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
