"""Answers of an exported folder on this machine, by onnxruntime. Loads no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptlet.cli.predict.asking import Question
from promptlet.cli.predict.checks import check_rejection
from promptlet.errors import DataError, OptionError, did_you_mean

if TYPE_CHECKING:
    from promptlet.data import FeatureCache
    from promptlet.exported import Vectors
    from promptlet.own_images.answering import Answered
    from promptlet.web.loading import Loader

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
"""Of onnxruntime, by what ``--device`` calls them."""
NEEDS = {
    "--backbone": "holds its own image tower",
    "--new-names": "holds the vectors of its classes, and no text tower to make others",
    "--dtype": "computes in the precision that it was exported in",
    "--no-cache": "caches no features",
}
"""What an exported folder does in the place of what an option is about."""


def is_export(path: Path) -> bool:
    """Whether this is to be asked as an exported folder. Raises OptionError for a file of class vectors,
    which answers of no images."""
    if path.is_dir():
        return True
    from promptlet.exported.files.choosing import is_vectors_name

    if is_vectors_name(path) and path.is_file():
        raise OptionError(
            f"{path} is no prompt file by its name. Class vectors alone make no features of images: give the "
            "folder that promptlet export --to onnx makes, or features to promptlet.runtime in Python"
        )
    return False


def check_only_models(folder: Path, **given: Any) -> None:
    """Options about the library's models are not given with a folder. Raises OptionError."""
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value:
            raise OptionError(
                f"{option} is for prompt files; the exported folder {folder} {NEEDS[option]}: leave it out, "
                "or give the prompt file"
            )


class ByExport:
    """An exported folder, checked before its graph is loaded. Raises ExportError, OptionError, DataError."""

    cache: FeatureCache | None = None

    def __init__(self, folder: Path, question: Question, device: str | None) -> None:
        from promptlet.data.items import check_class_names
        from promptlet.exported import open_exported

        self.exported = open_exported(folder)
        vectors = self.exported.vectors
        own = check_class_names(vectors.names, f"{folder}: its class names")
        self.names = own if question.names is None else _checked(question.names, own, folder)
        _check_tells_none(vectors, folder, question)
        self.accepted = check_rejection(
            vectors.rejection, own, folder, self.names, question.reject, question.accept
        )
        self.question, self.providers = question, _providers(device)

    def made_with(self) -> dict[str, Any]:
        """The folder and the options."""
        content = (self.exported.folder / "export.json").read_bytes()
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        found: dict[str, Any] = {"exported folder": digest, "classes": list(self.names)}
        found |= {"--threshold": self.question.threshold}
        return found | ({} if self.accepted is None else {"--accept": self.accepted})

    def answers(self, paths: Sequence[str], loader: Loader | None) -> Iterator[Answered]:
        """Of these images. The graph is loaded at once."""
        from promptlet.classifier.answers.deciding import Rule
        from promptlet.own_images.answering import answer_all
        from promptlet.runtime import Classifier

        classifier = Classifier(self.exported, providers=self.providers)
        rule = Rule(self.question.top, self.question.threshold, self.accepted)
        return answer_all(classifier, paths, self.names, rule, loader)


def _checked(names: tuple[str, ...], own: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Some of the classes, as they are asked for."""
    known = {name.casefold() for name in own}
    for name in names:
        if name.casefold() not in known:
            raise DataError(
                f"--classes: {name!r} is none of the {len(own)} classes of {folder}, which holds no text "
                "tower to make others; ask the prompt file, or export it with --classes."
                f"{did_you_mean(name, own)}"
            )
    return names


def _check_tells_none(vectors: Vectors, folder: Path, question: Question) -> None:
    """That it could be told before the export does not make it so after."""
    asked = question.reject or question.accept is not None
    if asked and vectors.rejection is None:
        why = (
            "its method changes the image tower, and 'none of these' is told by features of the frozen one"
            if vectors.tower == "changed"
            else "the prompt does not know it, or not all of its classes were taught"
        )
        raise OptionError(f"{folder} cannot tell 'none of these': {why}; leave out --reject and --accept")


def _providers(device: str | None) -> list[str] | None:
    """Of onnxruntime. Raises OptionError for a device that it does not have here."""
    if device is None:
        return None
    from promptlet.runtime.graphs import import_onnxruntime

    runtime = import_onnxruntime()
    there = runtime.get_available_providers()
    provider = PROVIDERS.get(device)
    if provider is None or provider not in there:
        wanted = (
            "which onnxruntime is not told of here" if provider is None else f"which needs its {provider}"
        )
        raise OptionError(
            f"--device {device}, {wanted}; this onnxruntime ({runtime.__version__}) has: {', '.join(there)}. "
            "Leave it out, or install an onnxruntime for that device"
        )
    return [provider]
