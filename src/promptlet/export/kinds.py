"""The kinds of folders that there are: what each needs, in which precisions it can be, and what builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from promptlet.export.onnx.folder import build as build_onnx
from promptlet.export.onnx.packages import check_packages
from promptlet.export.openvino import build as build_openvino
from promptlet.export.running.openvino import import_openvino
from promptlet.export.torch_program import build as build_torch
from promptlet.export.wanted import Built, Wanted


@dataclass(frozen=True)
class Kind:
    """check_packages: raises MissingExtraError where something is not installed."""

    build: Callable[[Path, Wanted], Built]
    precisions: tuple[str, ...]
    check_packages: Callable[[], None]


def _check_both() -> None:
    check_packages()
    import_openvino()


KINDS = {
    "onnx": Kind(build_onnx, ("fp32", "fp16", "int8"), check_packages),
    "torch": Kind(build_torch, ("fp32",), lambda: None),
    "openvino": Kind(build_openvino, ("fp32", "fp16"), _check_both),
}
