"""A trained classifier as class vectors: whoever has image features classifies with them by one product."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

import promptlet
from promptlet.backbones import Backbone
from promptlet.classifier import PromptLearner
from promptlet.classifier.answers.answering import Answers
from promptlet.classifier.inputs import asked_names
from promptlet.classifier.rejection import rows_of
from promptlet.data import check_class_names
from promptlet.errors import ExportError, OptionError
from promptlet.exported import Vectors, write_vectors
from promptlet.exported.files.choosing import check_target
from promptlet.exported.vectors import CHANGED, FROZEN
from promptlet.methods import Method
from promptlet.methods.method import IMAGES, NOTHING, class_matrix
from promptlet.methods.text_prompt import TextPrompt
from promptlet.promptfile import PromptFile, Rejection
from promptlet.promptfile.backbone import without_folders
from promptlet.session import own_arithmetic

FOLDER = "a folder with the image tower holds it: promptlet export FILE --to onnx -o OUT"


def export_vectors(
    prompt: str | Path | PromptLearner,
    path: str | Path,
    *,
    class_names: Iterable[str] | None = None,
    new_names: str | None = None,
    backbone: str | Path | Backbone | None = None,
    device: str | None = None,
    dtype: str | None = None,
    force: bool = False,
) -> Vectors:
    """Write the class vectors of a prompt file, or of a trained classifier; what was written.

    path: NAME.npz, .json, .csv or .parquet (docs/reference/vectors.md). class_names, new_names: as in
    `PromptClassifier.predict_proba`. backbone, device, dtype: as in `PromptClassifier.load`. force: in the
    place of a file that is there. Raises ExportError for a method whose answers are more than a matrix.
    """
    check_target(path, force)
    classifier = (
        prompt
        if isinstance(prompt, PromptLearner)
        else PromptLearner.load(prompt, backbone, device, dtype=dtype)
    )
    vectors = vectors_of(classifier, class_names, new_names)
    write_vectors(path, vectors, force)
    return vectors


@own_arithmetic()
def vectors_of(
    classifier: PromptLearner,
    class_names: Iterable[str] | None = None,
    new_names: str | None = None,
    own_features: bool = False,
) -> Vectors:
    """The class vectors of a trained classifier. own_features: also of a method that makes image features of
    its own, for which they then are; what goes with them must make these. Raises ExportError."""
    file = classifier.prompt_file()
    asked = None if class_names is None else tuple(class_names)
    names = asked_names(asked, classifier.class_names_)
    matrix = _matrix(classifier.method_, names, new_names)
    is_frozen = matrix is not None
    if matrix is None and own_features:
        matrix = _matrix(classifier.method_, names, new_names, own_features=True)
    if matrix is None:
        raise ExportError(why_no_matrix(classifier.method_))
    backbone = classifier.backbone_
    return Vectors(
        names=file.class_names if asked is None else names,
        classes=matrix,
        logit_scale=backbone.logit_scale,
        logit_bias=backbone.logit_bias,
        backbone=without_folders(file.backbone),
        fingerprint=file.fingerprint,
        preprocessing=backbone.images.spec if backbone.has_towers else None,
        method=file.method,
        taught=() if classifier.method_.info.learns == NOTHING else file.class_names,
        rejection=_rejection(file, names) if is_frozen else None,
        version=promptlet.__version__,
        tower=FROZEN if is_frozen else CHANGED,
    )


def why_no_matrix(method: Method) -> str:
    """Why the answers of a method are more than one product of image features, in a sentence; and what
    else can be done."""
    info = method.info
    what = f"the answers of {info.name!r} cannot be given as class vectors"
    if info.reads == IMAGES:
        return f"{what}: it changes the image tower, so its vectors fit no other image features; {FOLDER}"
    if type(method).image_features is not Method.image_features:
        return f"{what}: it changes image features before it compares them; {FOLDER}"
    own = {
        "cocoop": "its class features depend on the image",
        "linear_probe": "its weights are not of length 1, and each class has a bias of its own",
        "tip_adapter": "it compares an image with every training image",
        "tip_adapter_f": "it compares an image with every training image",
        "gda": "it adds a logit of each class's Gaussian, with a bias, to that of the text",
        "lp_pp": "its weights are not of length 1",
    }
    if info.name not in own and isinstance(method, TextPrompt):  # but for `Decoupled`, it has a matrix
        return (
            f"{what} of taught and new names together: it weighs both kinds against each other; give taught "
            "names alone, new ones alone, or new_names='learned'"
        )
    reason = own.get(info.name, "it computes logits of its own")
    return f"{what}: {reason}; answer with the prompt file, or take a method such as rlp or coop"


def _matrix(
    method: Method, names: tuple[str, ...], new_names: str | None, own_features: bool = False
) -> npt.NDArray[np.float32] | None:
    """Normalised class features (C, D) of the names; None where they are not all of the answer."""
    classes = class_matrix(Answers(method).scorer(names, new_names), own_features)
    return None if classes is None else classes.detach().float().cpu().numpy()


def _rejection(file: PromptFile, names: tuple[str, ...]) -> Rejection | None:
    """Of these names, in their order; None where the prompt has none, or not all of them were taught."""
    if file.rejection is None:
        return None
    try:
        rows = rows_of(check_class_names(file.class_names), names)
    except OptionError:
        return None
    return Rejection(file.rejection.centre, file.rejection.signs[rows], file.rejection.thresholds)
