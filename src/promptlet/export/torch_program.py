"""A folder with a program of torch.export: the classifier in one .pt2 file, which holds no pickle."""

from __future__ import annotations

import json
import zipfile
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn

from promptlet.errors import ExportError
from promptlet.export.agreement import TOLERANCES, compared
from promptlet.export.program import captured
from promptlet.export.running.torch_program import features_by
from promptlet.export.told import first_line
from promptlet.export.wanted import Built, Wanted
from promptlet.exported import Graph, Vectors

CLASSIFIER = "classifier.pt2"
CONFIG = "_weights_config.json"
SAMPLES = "/data/sample_inputs/"
"""Where torch puts the inputs that a program was captured with: a pickle, and nobody needs them."""


class TowerAndClasses(nn.Module):
    """Pixel values (B, 3, H, W) to features (B, D) and probabilities (B, C)."""

    classes: Tensor

    def __init__(self, tower: nn.Module, vectors: Vectors) -> None:
        super().__init__()
        self.tower = tower
        self.register_buffer("classes", torch.from_numpy(vectors.classes.copy()))
        self.scale, self.bias = vectors.logit_scale, vectors.logit_bias

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Both, of pixel values."""
        features = self.tower(pixels)
        return features, (self.scale * features @ self.classes.t() + self.bias).softmax(-1)


def build(folder: Path, wanted: Wanted) -> Built:
    """Make the program in ``folder``, compared with torch as it was before. Raises ExportError."""
    wanted.say("capturing the program")
    program = captured(TowerAndClasses(wanted.tower, wanted.vectors), wanted.spec.output_size)
    path = folder / CLASSIFIER
    _without_samples(_saved(program), path)
    wanted.say("comparing it with torch")
    tolerance = TOLERANCES["fp32"]
    run = features_by(path)
    largest = compared(run, wanted.pixels, wanted.expected, tolerance, "the program of torch.export")
    pixels, *outputs = wanted.ports()
    graph = Graph(CLASSIFIER, "fp32", (pixels,), tuple(outputs), (), tolerance)
    return Built((graph,), largest, made_with={"torch": version("torch")})


def _saved(program: torch.export.ExportedProgram) -> BytesIO:
    """In memory: where a disk is full, torch's own writer ends the whole process."""
    whole = BytesIO()
    try:
        torch.export.save(program, whole)
    except RuntimeError as error:
        raise ExportError(
            f"torch {torch.__version__} cannot write the program ({first_line(error)}); export --to onnx"
        ) from error
    return whole


def _without_samples(whole: BytesIO, path: Path) -> None:
    """Copy an archive, the sample inputs empty, which torch takes for none. Raises ExportError where weights
    are pickled."""
    with zipfile.ZipFile(whole) as archive:
        told = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(CONFIG)]
    if not told or any(one["use_pickle"] for config in told for one in config["config"].values()):
        raise ExportError(
            f"torch {torch.__version__} writes the weights of a program as pickles, which may hold code; "
            "upgrade torch, or export --to onnx"
        )
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            is_sample = SAMPLES in entry.filename
            name = f"{path.stem}/{entry.filename.partition('/')[2]}"  # as torch names it after a file
            with old.open(entry) as source, new.open(name, "w", force_zip64=True) as target:
                while not is_sample and (part := source.read(1 << 20)):
                    target.write(part)
