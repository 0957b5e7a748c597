"""`Classifier`: what `PromptClassifier` answers, from what was exported of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from promptlet.classifier.answers.deciding import Answer, Rule, decide
from promptlet.classifier.rejection import checked, scores_of_directions, threshold_of, with_none
from promptlet.data.images.opening import ImageSource, name_of
from promptlet.data.items import check_class_names, clean_class_name
from promptlet.errors import AnswerError, DataError, ImageError, OptionError, did_you_mean
from promptlet.exported import Exported, Vectors, open_exported, read_vectors
from promptlet.numbers import check_number
from promptlet.runtime.arithmetic import Numbers, probabilities, unit
from promptlet.runtime.encoding import encoded
from promptlet.runtime.graphs import ImageTower

BATCH = 32
Images = Sequence[ImageSource] | np.ndarray
"""Paths, bytes of files, Pillow images and arrays of pixels; or features (N, D), of any length."""


class Classifier:
    """Answers from a folder that ``promptlet export --to onnx`` made; `from_vectors`: from features alone.

    precision: "fp32", "fp16" or "int8", of the graphs that the folder has; None takes its first. threads: of
    onnxruntime; None takes the cores that this process may use. batch_size: images that are computed at
    once. providers: of onnxruntime, such as ["CUDAExecutionProvider"]; None takes the processor.

    Attributes: ``vectors`` (`promptlet.exported.Vectors`), ``names``, the classes in order.

    Raises ExportError for a folder that is damaged, or that this onnxruntime cannot run; OptionError;
    MissingExtraError.
    """

    vectors: Vectors

    def __init__(
        self,
        folder: str | Path | Exported,
        *,
        precision: str | None = None,
        threads: int | None = None,
        batch_size: int = BATCH,
        providers: Sequence[str] | None = None,
    ) -> None:
        check_number("threads", threads, "workers")
        self._batch_size: int = check_number("batch_size", batch_size)
        exported = folder if isinstance(folder, Exported) else open_exported(folder)
        self.vectors = exported.vectors
        self._tower: ImageTower | None = ImageTower(exported, precision, threads, providers)

    @classmethod
    def from_vectors(cls, vectors: Vectors | str | Path) -> Classifier:
        """One that is asked with features, of class vectors or of their file. Raises ExportError."""
        classifier = cls.__new__(cls)
        classifier.vectors = vectors if isinstance(vectors, Vectors) else read_vectors(vectors)
        classifier._tower, classifier._batch_size = None, BATCH
        return classifier

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order of probabilities."""
        return self.vectors.names

    def features(self, images: Images) -> Numbers:
        """Image features (N, D), float32, of length 1.

        Raises ImageError naming every image that cannot be read, DataError for what are no images.
        """
        if _are_features(images):
            return self._given(np.asarray(images))
        sources = _sources(images)
        spec = self.vectors.preprocessing
        if self._tower is None or spec is None:
            raise OptionError(
                "class vectors alone make no features of images; give features (N, D) of "
                f"{self.vectors.backbone or 'the backbone'} ({self.vectors.fingerprint}), or a folder that "
                "promptlet export --to onnx made"
            )
        return encoded(sources, spec, self._tower, self._tower.most or self._batch_size)

    def predict_proba(self, images: Images, class_names: Iterable[str] | None = None) -> Numbers:
        """Probabilities (N, C) in the order of ``names``, or of ``class_names``, some of these.

        Raises AnswerError where no answer is a number, ImageError where that of one image is none.
        """
        rows = self._rows(class_names)
        sources = images if _are_features(images) else _sources(images)
        return self._probabilities(self.features(sources), rows, sources)

    def predict(
        self,
        images: Images,
        class_names: Iterable[str] | None = None,
        reject: bool | float = False,
    ) -> np.ndarray:
        """The likeliest class of each image (N,). reject: give None for an image that is none of these; True,
        or the percentage of own images that may pass, as `accepts` says."""
        names = np.array(self._asked(class_names))
        if reject is False:
            return np.asarray(names[self.predict_proba(images, class_names).argmax(axis=1)])
        told, accepted = self.answer(images, class_names, reject)
        return with_none(names[told.argmax(axis=1)], accepted)

    def accepts(
        self, images: Images, class_names: Iterable[str] | None = None, accepted: bool | float = True
    ) -> np.ndarray:
        """Whether each image (N,) is like those of the taught classes; as in `PromptClassifier.accepts`."""
        rows = self._rows(class_names)
        self._check_rejection(accepted)
        return self._accepted(self.features(images), rows, accepted)

    def answer(
        self, images: Images, class_names: Iterable[str] | None = None, accepted: bool | float = True
    ) -> tuple[Numbers, np.ndarray]:
        """What `predict_proba` (N, C) and `accepts` (N,) say of the same images, each read once."""
        rows = self._rows(class_names)
        self._check_rejection(accepted)
        sources = images if _are_features(images) else _sources(images)
        features = self.features(sources)
        return self._probabilities(features, rows, sources), self._accepted(features, rows, accepted)

    def answers(
        self,
        images: Images,
        class_names: Iterable[str] | None = None,
        top: int = 1,
        threshold: float | None = None,
        reject: bool | float = False,
    ) -> list[Answer]:
        """Of each image the ``top`` likeliest classes with their probabilities, and its class: None where its
        probability is below the threshold, or the image is none of these."""
        rule = Rule(check_number("top", top), check_number("threshold", threshold), reject or None)
        names = self._asked(class_names)
        sources = images if _are_features(images) else _sources(images)
        if reject is False:
            told = self.predict_proba(sources, class_names)
            like = np.ones(len(told), bool)
        else:
            told, like = self.answer(sources, class_names, reject)
        return [
            decide(name_of(source), row, names, rule, bool(one))
            for source, row, one in zip(sources, told, like, strict=True)
        ]

    def _given(self, features: np.ndarray) -> Numbers:
        if features.shape[1] != self.vectors.dim:
            raise DataError(
                f"features of {features.shape[1]} numbers do not fit these class vectors, which have "
                f"{self.vectors.dim}"
            )
        return unit(features)

    def _probabilities(self, features: Numbers, rows: list[int] | None, sources: Images) -> Numbers:
        vectors = self.vectors
        classes = vectors.classes if rows is None else vectors.classes[rows]
        try:
            return probabilities(features, classes, vectors.logit_scale, vectors.logit_bias)
        except AnswerError as error:
            if len(error.rows) == len(sources) > 1:
                raise
            source = sources[error.rows[0]]
            name = source if isinstance(source, str | Path) else f"image {error.rows[0]}"
            raise ImageError(f"{name}: {error}") from error

    def _check_rejection(self, accepted: bool | float) -> None:
        threshold_of(checked(self.vectors.rejection), accepted)

    def _accepted(self, features: Numbers, rows: list[int] | None, accepted: bool | float) -> np.ndarray:
        rejection = checked(self.vectors.rejection)
        found: np.ndarray = scores_of_directions(rejection, features, rows) >= threshold_of(
            rejection, accepted
        )
        return found

    def _asked(self, class_names: Iterable[str] | None) -> tuple[str, ...]:
        if isinstance(class_names, str):
            raise DataError(f"class_names is the text {class_names!r}; give a list of names")
        return self.names if class_names is None else check_class_names(class_names)

    def _rows(self, class_names: Iterable[str] | None) -> list[int] | None:
        """Places of the names that are asked for; None for all in their order."""
        if class_names is None:
            return None
        places = {clean_class_name(name).casefold(): row for row, name in enumerate(self.names)}
        rows = []
        for name in self._asked(class_names):
            row = places.get(name.casefold())
            if row is None:
                raise OptionError(
                    f"{name!r} is none of the {len(self.names)} classes that were exported, and other names "
                    "need the text tower: ask the prompt file, or export it with these names."
                    f"{did_you_mean(name, self.names)}"
                )
            rows.append(row)
        return None if rows == list(range(len(self.names))) else rows


def _are_features(images: Any) -> bool:
    """An array (N, D) of floats; a list of arrays are images."""
    return isinstance(images, np.ndarray) and images.ndim == 2 and images.dtype.kind == "f"


def _sources(images: Any) -> list[Any]:
    if isinstance(images, str | Path | bytes) or not hasattr(images, "__iter__"):
        raise DataError(
            f"images is one {type(images).__name__}; give a list of images, such as "
            "promptlet.data.list_images(folder), or an array of features (N, D)"
        )
    return list(images)
