"""A project's prompt as what answers elsewhere: a file of class vectors, or a folder of graphs in a zip."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from promptlet.backbones import Backbone
from promptlet.errors import check_option
from promptlet.teach.learning.refusals import nothing_learned

VECTORS, ONNX = "vectors", "onnx"
KINDS: Final = (VECTORS, ONNX)


def export(prompt: Path, to: str, backbone: Backbone) -> Path:
    """A file in a folder of its own, which whoever asked removes. Raises ExportError, MissingExtraError and
    others of the library where it cannot be made; then nothing is left."""
    check_option("to", to, KINDS)
    if not prompt.is_file():
        raise nothing_learned()
    folder = Path(tempfile.mkdtemp(prefix="promptlet-export-"))
    try:
        make = _vectors if to == VECTORS else _onnx
        return make(prompt, folder, backbone)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _vectors(prompt: Path, folder: Path, backbone: Backbone) -> Path:
    from promptlet.export.vectors import export_vectors

    target = folder / f"{prompt.stem}.npz"
    export_vectors(prompt, target, backbone=backbone)
    return target


def _onnx(prompt: Path, folder: Path, backbone: Backbone) -> Path:
    """By the backbone that is there where it computes as an export is made; else it is loaded anew."""
    from promptlet.export.folder import export_folder

    is_plain = backbone.device.type == "cpu" and backbone.arithmetic == "float32"
    made = folder / f"{prompt.stem}-onnx"
    export_folder(prompt, made, to=ONNX, backbone=backbone if is_plain else backbone.name)
    target = folder / f"{made.name}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(made.rglob("*")):
            if path.is_file():
                file.write(path, f"{made.name}/{path.relative_to(made).as_posix()}")
    shutil.rmtree(made)
    return target
