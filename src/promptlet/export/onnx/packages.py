"""The optional packages that make and run graphs, and what is said where they are missing."""

from __future__ import annotations

from typing import Any

from promptlet.errors import MissingExtraError

HOW = (
    "exports to ONNX need the optional packages onnx, onnxscript and onnxruntime: pip install "
    "'promptlet[onnx]'"
)


def check_packages() -> None:
    """Raise MissingExtraError where one of them is missing."""
    import_onnx()
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(HOW) from error


def import_onnx() -> Any:
    """Raises MissingExtraError."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(HOW) from error
    return onnx
