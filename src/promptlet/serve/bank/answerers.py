"""What answers for one prompt among some names: image features in, logits out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from promptlet.backbones import Backbone
from promptlet.classifier.answers.answering import Answers
from promptlet.classifier.rejection import checked, rows_of
from promptlet.errors import OptionError, ServiceError
from promptlet.methods import Method
from promptlet.methods.method import class_matrix
from promptlet.promptfile import Rejection
from promptlet.session import own_arithmetic

Matrix = npt.NDArray[np.float32]


class FailedError(ServiceError):
    """What nobody expected of one prompt, and the log tells; it costs that prompt alone."""

    def __init__(self) -> None:
        super().__init__(
            "this prompt failed, or there was no memory left for it; the server's log says why; leave it out",
            status=500,
        )


@dataclass(frozen=True, eq=False)
class Answerer:
    """One version of a prompt, ready to answer among ``names`` (C).

    score: normalised image features (B, D), on the CPU, to logits (B, C), float32 there. matrix: normalised
    class features (C, D) where the logits are scale * x matrix^T + bias, else None. taught: the names of the
    prompt itself. rejection, rows: what tells "none of these", and which of its classes count, None for all;
    no_rejection: why that cannot be told, where it cannot. nbytes: what is held for it in memory.
    """

    prompt: str
    digest: str
    names: tuple[str, ...]
    score: Callable[[Tensor], Tensor]
    matrix: Matrix | None
    scale: float
    bias: float
    rejection: Rejection | None
    rows: tuple[int, ...] | None
    no_rejection: str
    taught: tuple[str, ...]
    nbytes: int


@own_arithmetic()
def score_of(
    method: Method, names: tuple[str, ...], new_names: str | None, alone: AbstractContextManager[Any]
) -> Callable[[Tensor], Tensor] | Matrix:
    """How the method answers among ``names``: a function, or its matrix where that is all of it.

    alone: what is held while the text tower is used. Raises what the library raises: OptionError, DataError,
    AnswerError.
    """
    with alone:
        score = Answers(method).scorer(names, new_names)
    classes = class_matrix(score)
    if classes is not None:
        return np.array(classes.detach().float().cpu().numpy(), order="C")
    return partial(_scored, score, method.backbone.device, alone)


def answerer_of(
    prompt: str,
    digest: str,
    names: tuple[str, ...],
    found: Callable[[Tensor], Tensor] | Matrix,
    backbone: Backbone,
    rejection: Rejection | None,
    taught: tuple[str, ...],
) -> Answerer:
    """Of what `score_of` has found, or what was kept of it."""
    matrix = found if isinstance(found, np.ndarray) else None
    score: Callable[[Tensor], Tensor] = (
        partial(_against, backbone.logit_scale, backbone.logit_bias, torch.from_numpy(found))
        if isinstance(found, np.ndarray)
        else found
    )
    rows, why = _rejecting(rejection, taught, names)
    return Answerer(
        prompt=prompt,
        digest=digest,
        names=names,
        score=score,
        matrix=matrix,
        scale=backbone.logit_scale,
        bias=backbone.logit_bias,
        rejection=rejection,
        rows=rows,
        no_rejection=why,
        taught=taught,
        nbytes=held_bytes([score, matrix, rejection, names, taught, rows]),
    )


def _rejecting(
    rejection: Rejection | None, taught: tuple[str, ...], names: tuple[str, ...]
) -> tuple[tuple[int, ...] | None, str]:
    """Which classes count, None for all in their order, and why nothing can be told."""
    try:
        rows = tuple(rows_of(taught, names)) if checked(rejection) else ()
    except OptionError as error:
        return None, str(error)
    return (None if rows == tuple(range(len(taught))) else rows), ""


@torch.no_grad()
def _against(scale: float, bias: float, classes: Tensor, inputs: Tensor) -> Tensor:
    """As `Backbone.logits`, on the CPU whatever device the backbone is on."""
    return scale * inputs @ classes.t() + bias


@torch.no_grad()
def _scored(
    score: Callable[[Tensor], Tensor],
    device: torch.device,
    alone: AbstractContextManager[Any],
    inputs: Tensor,
) -> Tensor:
    with alone:
        return score(inputs.to(device)).float().cpu()


def held_bytes(things: Iterable[Any]) -> int:
    """Bytes of all tensors, arrays and texts that can be reached from ``things``; of a backbone none."""
    stack, seen, total = list(things), set(), 0
    while stack:
        one = stack.pop()
        if id(one) in seen or isinstance(one, Backbone | type):
            continue
        seen.add(id(one))
        if isinstance(one, Tensor):
            storage = one.untyped_storage()
            if storage.data_ptr() not in seen:
                seen.add(storage.data_ptr())
                total += storage.nbytes()
        elif isinstance(one, np.ndarray):
            if one.ctypes.data not in seen:
                seen.add(one.ctypes.data)
                total += one.nbytes
        elif isinstance(one, str | bytes):
            total += sys.getsizeof(one)
        else:
            stack += _inside(one)
    return total


def _inside(one: Any) -> list[Any]:
    """What a value holds on to."""
    if isinstance(one, dict):
        return [*one, *one.values()]
    if isinstance(one, list | tuple | set | frozenset):
        return list(one)
    if isinstance(one, partial):
        return [one.func, one.args, one.keywords]
    if isinstance(one, MethodType):
        return [one.__self__, one.__func__]
    if isinstance(one, FunctionType):
        return [*map(_in_cell, one.__closure__ or ()), one.__defaults__]
    return [vars(one)] if isinstance(one, nn.Module) or hasattr(one, "__dict__") else []


def _in_cell(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None
