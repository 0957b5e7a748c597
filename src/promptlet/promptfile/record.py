"""What a prompt file says, as a checked value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptlet.errors import PromptFileError
from promptlet.promptfile.precision import check_precision
from promptlet.promptfile.strict_json import LARGEST_INT, check_text, shorten

Scalar = str | int | float | bool | None

MAX_N_CTX = 1024
MAX_DIM = 16384
_METHOD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_INIT = re.compile(r"words:.*\S.*|seed:(0|[1-9][0-9]{0,15})", re.DOTALL)
_FINGERPRINT = re.compile(r"[0-9A-Za-z]{4,40}(-[0-9A-Za-z]{4,40}){2}")


@dataclass(frozen=True, eq=False)
class PromptFile:
    """A learned prompt and where it belongs. An instance is always valid: making a wrong one raises.

    Low rank: ``U`` (n_ctx, rank), ``V`` (rank, dim), ``P = P0 + U @ V``. Full: ``P`` (n_ctx, dim), or one
    per class (C, n_ctx, dim). Zero-shot: no tensors, ``P0`` itself.
    """

    method: str  # 'rlp', 'coop', 'zero_shot', ...
    n_ctx: int  # context tokens
    dim: int  # token width d
    rank: int | None  # None: a full context, or none
    init: str  # how P0 is made: 'words:a photo of a' or 'seed:7'
    backbone: str  # name as the user gave it; the fingerprint decides
    fingerprint: str  # text-tokenizer-image
    class_names: tuple[str, ...]  # may be empty: named later
    training: Mapping[str, Scalar]  # shots, seed, schedule, epochs, version, ...
    tensors: Mapping[str, npt.NDArray[np.float32]]  # see factor_shapes
    precision: str = "fp32"  # as stored in the file it was read from

    def __post_init__(self) -> None:
        """Check every field; keep own copies of what could be changed from outside."""
        _check_match("method", self.method, _METHOD, "small letters, digits and _, such as 'rlp'")
        _check_count("n_ctx", self.n_ctx, MAX_N_CTX)
        _check_count("dim", self.dim, MAX_DIM)
        if self.rank is not None:
            _check_count("rank", self.rank, min(self.n_ctx, self.dim))
        check_text(self.init, "init")
        _check_match("init", self.init, _INIT, "'words:a photo of a' or 'seed:7'")
        check_text(self.backbone, "backbone")
        _check_match("fingerprint", self.fingerprint, _FINGERPRINT, "three parts text-tokenizer-image")
        check_precision(self.precision)
        object.__setattr__(self, "class_names", _checked_class_names(self.class_names))
        object.__setattr__(self, "training", _checked_training(self.training))
        object.__setattr__(self, "tensors", _checked_tensors(self))


def factor_shapes(
    method: str, n_ctx: int, dim: int, rank: int | None, n_classes: int | None
) -> dict[str, tuple[int, ...]]:
    """The factors a prompt has and their shapes; ``n_classes`` only where each class has its own ``P``."""
    if rank is not None:
        return {"U": (n_ctx, rank), "V": (rank, dim)}
    if method == "zero_shot":
        return {}
    return {"P": (n_ctx, dim) if n_classes is None else (n_classes, n_ctx, dim)}


def _check_match(what: str, value: object, pattern: re.Pattern[str], allowed: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise PromptFileError(f"{what} must be {allowed}, not {shorten(value)}")


def _check_count(what: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise PromptFileError(f"{what} must be a whole number from 1 to {most}, not {shorten(value)}")


def _checked_class_names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list | tuple):
        raise PromptFileError(f"class_names must be a list of texts, not {shorten(names)}")
    seen: set[str] = set()
    for name in names:
        if check_text(name, "a class name") in seen:
            raise PromptFileError(f"the class name {shorten(name)} occurs twice")
        seen.add(name)
    return tuple(names)


def _checked_training(training: object) -> dict[str, Scalar]:
    if not isinstance(training, Mapping):
        raise PromptFileError(f"training must be an object of single values, not {shorten(training)}")
    for key, value in training.items():
        check_text(key, "a key of training")
        what = f"training[{shorten(key)}]"
        if isinstance(value, str):
            check_text(value or " ", what)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise PromptFileError(f"{what} is {value}; JSON has only finite numbers")
        elif value is not None and not isinstance(value, int):
            raise PromptFileError(
                f"{what} must be a text, a number, true, false or null, not {shorten(value)}"
            )
        elif value is not None and abs(value) > LARGEST_INT:
            raise PromptFileError(f"{what} is beyond 2**53 - 1")
    return dict(training)


def _checked_tensors(prompt: PromptFile) -> dict[str, npt.NDArray[np.float32]]:
    if not isinstance(prompt.tensors, Mapping):
        raise PromptFileError(f"tensors must map names to arrays, not {shorten(prompt.tensors)}")
    tensors = {name: _checked_tensor(name, array) for name, array in prompt.tensors.items()}
    n_classes = len(prompt.class_names) if "P" in tensors and tensors["P"].ndim == 3 else None
    wanted = factor_shapes(prompt.method, prompt.n_ctx, prompt.dim, prompt.rank, n_classes)
    found = {name: array.shape for name, array in tensors.items()}
    if found != wanted or n_classes == 0:
        raise PromptFileError(
            f"method {prompt.method!r}, n_ctx={prompt.n_ctx}, dim={prompt.dim}, rank={prompt.rank}, "
            f"{len(prompt.class_names)} classes need tensors of shapes {wanted}, not {found}"
        )
    return {name: tensors[name] for name in sorted(tensors)}


def _checked_tensor(name: str, array: object) -> npt.NDArray[np.float32]:
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise PromptFileError(
            f"tensor {name!r} must be a NumPy array of floats, not {type(array).__name__}; "
            "for a torch tensor: tensor.detach().cpu().numpy()"
        )
    with np.errstate(over="ignore"):
        copy = np.array(array, np.float32, order="C")
    if not np.isfinite(copy).all():
        raise PromptFileError(f"tensor {name!r} holds numbers that are not finite")
    return copy
