"""A trained classifier as a folder that answers without this library: by ONNX, torch.export or OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import promptlet
from promptlet.backbones import Backbone
from promptlet.classifier import PromptLearner
from promptlet.disk import room_problem
from promptlet.errors import ExportError, OptionError, check_option
from promptlet.export.agreement import BATCHES
from promptlet.export.drawn import drawn_picture, drawn_pixels, sizes_of
from promptlet.export.gate import LEAST_AGREEMENT, Verdict, own_images
from promptlet.export.kinds import KINDS, Kind
from promptlet.export.towers import checked_backbone, torch_features, tower_of
from promptlet.export.vectors import vectors_of
from promptlet.export.wanted import Built, Wanted
from promptlet.exported import Golden, Graph, Manifest, new_folder, write_manifest, write_vectors
from promptlet.numbers import check_number
from promptlet.session import own_arithmetic

VECTORS, GOLDEN, FEATURES = "vectors.npz", "golden.png", "golden.npy"
Images = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Made:
    """What was exported. files: bytes by name; largest: difference of a feature from torch's, on drawn
    pictures in batches of 1, 3, 8 and 33; left_out: why no graph takes whole pictures, where that is so;
    verdict: of the images that were given."""

    folder: Path
    kind: str
    precision: str
    names: tuple[str, ...]
    graphs: tuple[Graph, ...]
    files: dict[str, int]
    largest: float
    left_out: str = ""
    verdict: Verdict | None = None


@own_arithmetic()
def export_folder(
    prompt: str | Path | PromptLearner,
    folder: str | Path,
    *,
    to: str = "onnx",
    precision: str = "fp32",
    images: Images | None = None,
    least_agreement: float = LEAST_AGREEMENT,
    class_names: Iterable[str] | None = None,
    new_names: str | None = None,
    backbone: str | Path | Backbone | None = None,
    force: bool = False,
    on_step: Callable[[str], None] | None = None,
) -> Made:
    """Write a folder that answers as a prompt file, or a trained classifier, does (docs/how-to/export.md).

    to: "onnx", "torch" or "openvino". precision: "fp32"; "fp16", weights of 16 bits that are widened to
    compute; "int8", for onnx, where it keeps ``least_agreement`` percent of the answers about ``images``: a
    folder or paths of your own, 50 or more. class_names, new_names: as in `PromptClassifier.predict_proba`.
    backbone: as in `PromptClassifier.load`; it is loaded on the processor, in float32. force: in the place of
    an exported folder that is there. on_step: called with what is done next.

    Raises ExportError, OptionError, DataError, WrongBackboneError, MissingExtraError; then nothing is left.
    """
    kind = _checked(to, precision, images)
    share = float(check_number("least_agreement", least_agreement))
    say = on_step or (lambda _text: None)
    with new_folder(folder, force) as place:
        kind.check_packages()
        say("loading the model")
        classifier = _loaded(prompt, backbone)
        spec = checked_backbone(classifier.backbone_).images.spec
        vectors = vectors_of(classifier, class_names, new_names, own_features=True)
        own = None if images is None else own_images(images, vectors)
        tower = tower_of(classifier.method_)
        _check_room(place, Path(folder), tower)
        pixels = drawn_pixels(spec, max(BATCHES))
        expected = torch_features(tower, pixels)
        built = kind.build(place, Wanted(tower, vectors, spec, precision, pixels, expected, own, share, say))
        write_vectors(place / VECTORS, vectors)
        drawn_picture(0, sizes_of(spec)[0]).save(place / GOLDEN)
        np.save(place / FEATURES, expected[:1])
        manifest = write_manifest(place, _manifest(to, built))
    sizes = {name: facts.bytes for name, facts in manifest.files.items()}
    return Made(
        Path(folder),
        to,
        precision,
        vectors.names,
        built.graphs,
        sizes,
        built.largest,
        built.left_out,
        built.verdict,
    )


def _checked(to: str, precision: str, images: Any) -> Kind:
    kind = KINDS[check_option("to", to, KINDS)]
    check_option("precision", precision, ("fp32", "fp16", "int8"))
    if precision not in kind.precisions:
        raise OptionError(
            f"precision={precision!r} is not possible with {to!r}; it has: {', '.join(kind.precisions)}"
        )
    if precision == "int8" and images is None:
        raise OptionError(
            "int8 changes answers, by how many depends on the images: give 50 or more of your own, "
            "--images FOLDER, on which it is measured"
        )
    if images is not None and (to != "onnx" or precision == "fp32"):
        raise OptionError(
            "images are for fp16 and int8 of onnx, whose answers are compared on them; leave them out"
        )
    return kind


def _loaded(prompt: str | Path | PromptLearner, backbone: str | Path | Backbone | None) -> PromptLearner:
    if isinstance(prompt, PromptLearner):
        return prompt
    return PromptLearner.load(prompt, backbone, "cpu", dtype="float32")


def _check_room(place: Path, folder: Path, tower: nn.Module) -> None:
    """Raise ExportError where the numbers of a tower do not fit, before the work begins."""
    problem = room_problem(place, sum(4 * one.numel() for one in tower.parameters()))
    if problem:
        raise ExportError(f"cannot write {folder}: {problem}; free some space, or write elsewhere")


def _manifest(to: str, built: Built) -> Manifest:
    made_with = dict(built.made_with)
    if built.left_out:
        made_with["no graph of whole pictures"] = built.left_out
    if built.verdict is not None:
        made_with["compared on own images"] = f"{built.verdict} ({built.verdict.kind})"
    return Manifest(
        to, VECTORS, built.graphs, Golden(GOLDEN, FEATURES), made_with, version=promptlet.__version__
    )
