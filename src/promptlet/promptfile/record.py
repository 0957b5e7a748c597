"""What a prompt file says, as a checked value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from promptlet.errors import PromptFileError
from promptlet.promptfile.kmeans import KMEANS
from promptlet.promptfile.precision import SCALE, check_precision
from promptlet.promptfile.rejection import CENTRE, SIGNS, Rejection
from promptlet.promptfile.strict_json import LARGEST_INT, check_text, shorten

Scalar = str | int | float | bool | None

FORMAT_VERSION = 4  # the newest, of a file with a rejection
PLAIN_VERSION = 3  # of one without
PROTECTED_SINCE = 3  # the first format with a digest
MAX_N_CTX = 1024
MAX_DIM = 16384
MAX_TENSORS = 4096
MAX_NUMBERS = 2**28  # of all tensors: 1 GiB as float32
NO_INIT = "none"
RESERVED = (SCALE, *KMEANS)  # tensors of the file itself
FACTORS = {"P", "U", "V"}
OF_ANSWERS = {"new_names", "template"}  # options of a context: how names that were not taught are answered
BESIDE_NAME = ("between", "class_token_position")  # where it stands beside the name
OF_CONTEXT = {*OF_ANSWERS, *BESIDE_NAME}
_METHOD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_INIT = re.compile(r"(words|zeros):.*\S.*|seed:(0|[1-9][0-9]{0,15})", re.DOTALL)
ZEROS, ZEROS_SINCE = "zeros:", 3  # a kind of init, and the first format with it
_TENSOR = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,95}")
_FINGERPRINT = re.compile(r"[0-9A-Za-z]{4,40}(-[0-9A-Za-z]{4,40}){2}")


@dataclass(frozen=True, eq=False)
class PromptFile:
    """A learned prompt and where it belongs. An instance is always valid: making a wrong one raises.

    Low rank: ``U`` (n_ctx, rank), ``V`` (rank, dim), ``P = P0 + U @ V``. Full: ``P`` (n_ctx, dim), or one
    per class (C, n_ctx, dim). Zero-shot: no tensors, ``P0`` itself. Any other method: tensors of its own
    names and shapes, with the ``options`` it needs to use them.
    """

    method: str  # 'rlp', 'coop', 'zero_shot', ...
    n_ctx: int  # context tokens; 0 for a method without a context
    dim: int  # token width d
    rank: int | None  # None: a full context, or none
    init: str  # how P0 is made: 'words:a photo of a', 'zeros:a photo', 'seed:7'; 'none' where there is none
    backbone: str  # name as the user gave it, or "" if left out; the fingerprint decides
    fingerprint: str  # text-tokenizer-image
    class_names: tuple[str, ...]  # may be empty: named later
    training: Mapping[str, Scalar]  # shots, seed, schedule, epochs, version, ...
    tensors: Mapping[str, npt.NDArray[np.float32]]  # see factor_shapes, or the method's own
    precision: str = "fp32"  # as stored in the file it was read from
    options: Mapping[str, Scalar] = field(default_factory=dict)  # settings the tensors cannot be used without
    format_version: int = PLAIN_VERSION  # of the file it was read from, or at least of what is written
    rejection: Rejection | None = None  # tells "none of these", where it was learned

    def __post_init__(self) -> None:
        """Check every field; keep own copies of what could be changed from outside."""
        object.__setattr__(self, "options", _checked_scalars("options", self.options))
        object.__setattr__(self, "tensors", _checked_arrays(self.tensors))
        _check_match("method", self.method, _METHOD, "small letters, digits and _, such as 'rlp'")
        _check_count("n_ctx", self.n_ctx, MAX_N_CTX, least=1 if self.is_context else 0)
        _check_count("dim", self.dim, MAX_DIM)
        if self.rank is not None and self.n_ctx == 0:
            raise PromptFileError("rank is that of a context and must be None where n_ctx is 0")
        if self.rank is not None:
            _check_count("rank", self.rank, min(self.n_ctx, self.dim))
        _check_init(self)
        if self.backbone != "":
            check_text(self.backbone, "backbone")
        _check_match("fingerprint", self.fingerprint, _FINGERPRINT, "three parts text-tokenizer-image")
        check_precision(self.precision)
        object.__setattr__(self, "class_names", _checked_class_names(self.class_names))
        object.__setattr__(self, "training", _checked_scalars("training", self.training))
        if self.is_context:
            _check_factors(self)
        else:
            check_shapes({name: array.shape for name, array in self.tensors.items()})
        _check_rejection(self)

    @property
    def is_context(self) -> bool:
        """Whether it is one context alone, as `factor_shapes` says, and not another method's tensors."""
        of_context = self.options.keys() <= OF_CONTEXT
        is_told = "template" not in self.options or "new_names" in self.options
        return of_context and is_told and self.tensors.keys() <= FACTORS

    @property
    def is_protected(self) -> bool:
        """Whether the file it was read from had a digest, so that damage would have been noticed."""
        return self.format_version >= PROTECTED_SINCE


def factor_shapes(
    method: str, n_ctx: int, dim: int, rank: int | None, n_classes: int | None
) -> dict[str, tuple[int, ...]]:
    """The factors a prompt has and their shapes; ``n_classes`` only where each class has its own ``P``."""
    if rank is not None:
        return {"U": (n_ctx, rank), "V": (rank, dim)}
    if method == "zero_shot":
        return {}
    return {"P": (n_ctx, dim) if n_classes is None else (n_classes, n_ctx, dim)}


def check_shapes(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse tensors that no format but the first holds."""
    if len(shapes) > MAX_TENSORS:
        raise PromptFileError(f"{len(shapes):,} tensors are too many: up to {MAX_TENSORS:,} go")
    for name, shape in shapes.items():
        if not _TENSOR.fullmatch(name) or name in RESERVED:
            raise PromptFileError(
                f"a tensor cannot be called {shorten(name)}: give a letter and up to 95 letters, digits, "
                f"_ and dots, but none of {', '.join(RESERVED)}"
            )
        if not 1 <= len(shape) <= 3 or min(shape) < 1:
            raise PromptFileError(
                f"tensor {name!r} has the shape {shorten(list(shape))}; 1 to 3 positive sizes go"
            )
    count = sum(math.prod(shape) for shape in shapes.values())
    if count > MAX_NUMBERS:
        raise PromptFileError(f"its tensors have {count:,} numbers; up to {MAX_NUMBERS:,} go")


def _check_init(prompt: PromptFile) -> None:
    check_text(prompt.init, "init")
    if prompt.n_ctx == 0 and prompt.init != NO_INIT:
        raise PromptFileError(f"init must be 'none' where n_ctx is 0, not {shorten(prompt.init)}")
    if prompt.is_context or prompt.init != NO_INIT:
        _check_match("init", prompt.init, _INIT, "'words:a photo of a', 'zeros:a photo of a' or 'seed:7'")
    if prompt.init.startswith(ZEROS) and prompt.format_version < ZEROS_SINCE:
        raise PromptFileError(f"init must be words or a seed in format {prompt.format_version}, not zeros")


def _check_rejection(prompt: PromptFile) -> None:
    rejection = prompt.rejection
    if rejection is None:
        return
    if not isinstance(rejection, Rejection):
        raise PromptFileError(f"rejection must be a Rejection or None, not {shorten(rejection)}")
    object.__setattr__(prompt, "format_version", max(FORMAT_VERSION, prompt.format_version))
    if len(rejection.signs) != len(prompt.class_names):
        raise PromptFileError(
            f"its rejection knows {len(rejection.signs)} classes, but it has {len(prompt.class_names)} "
            "class names"
        )
    taken = {CENTRE, SIGNS} & prompt.tensors.keys()
    if taken:
        raise PromptFileError(f"the tensor {min(taken)!r} is that of the rejection, and cannot be learned")


def _check_match(what: str, value: object, pattern: re.Pattern[str], allowed: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise PromptFileError(f"{what} must be {allowed}, not {shorten(value)}")


def _check_count(what: str, value: object, most: int, least: int = 1) -> None:
    if type(value) is not int or not least <= value <= most:
        raise PromptFileError(f"{what} must be a whole number from {least} to {most}, not {shorten(value)}")


def _checked_class_names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list | tuple):
        raise PromptFileError(f"class_names must be a list of texts, not {shorten(names)}")
    seen: set[str] = set()
    for name in names:
        if check_text(name, "a class name") in seen:
            raise PromptFileError(f"the class name {shorten(name)} occurs twice")
        seen.add(name)
    return tuple(names)


def _checked_scalars(field_name: str, values: object) -> dict[str, Scalar]:
    if not isinstance(values, Mapping):
        raise PromptFileError(f"{field_name} must be an object of single values, not {shorten(values)}")
    for key, value in values.items():
        check_text(key, f"a key of {field_name}")
        what = f"{field_name}[{shorten(key)}]"
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
    return dict(values)


def _checked_arrays(tensors: object) -> dict[str, npt.NDArray[np.float32]]:
    if not isinstance(tensors, Mapping):
        raise PromptFileError(f"tensors must map names to arrays, not {shorten(tensors)}")
    for name in tensors:
        check_text(name, "a tensor's name")
    return {name: _checked_tensor(name, tensors[name]) for name in sorted(tensors)}


def _check_factors(prompt: PromptFile) -> None:
    tensors = prompt.tensors
    n_classes = len(prompt.class_names) if "P" in tensors and tensors["P"].ndim == 3 else None
    wanted = factor_shapes(prompt.method, prompt.n_ctx, prompt.dim, prompt.rank, n_classes)
    found = {name: array.shape for name, array in tensors.items()}
    if found != wanted or n_classes == 0:
        raise PromptFileError(
            f"method {prompt.method!r}, n_ctx={prompt.n_ctx}, dim={prompt.dim}, rank={prompt.rank}, "
            f"{len(prompt.class_names)} classes need tensors of shapes {wanted}, not {found}"
        )


def _checked_tensor(name: str, array: object) -> npt.NDArray[np.float32]:
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise PromptFileError(
            f"tensor {name!r} must be a NumPy array of floats, not {type(array).__name__}; "
            "for a torch tensor: tensor.detach().cpu().numpy()"
        )
    with np.errstate(over="ignore", under="ignore"):
        copy = np.array(array, np.float32, order="C")
    if not np.isfinite(copy).all():
        raise PromptFileError(f"tensor {name!r} holds numbers that are not finite")
    return copy
