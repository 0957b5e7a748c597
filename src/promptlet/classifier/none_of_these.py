"""The part of `PromptClassifier` that tells images of none of its classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from promptlet.backbones import Backbone
from promptlet.classifier.inputs import Images, as_list
from promptlet.classifier.rejection import checked, rows_of, scores, threshold_of
from promptlet.errors import DataError
from promptlet.methods.method import FEATURES
from promptlet.promptfile import PromptFile, Rejection
from promptlet.session import own_arithmetic

if TYPE_CHECKING:
    from promptlet.classifier.reading import Reader
    from promptlet.methods import Method


class TellsNone:
    """What was learned of where the taught images lie, and what it says of others.

    rejection_: a `promptlet.promptfile.Rejection`, or None where there is none.
    """

    rejection_: Rejection | None = None
    backbone_: Backbone
    method_: Method
    class_names_: tuple[str, ...]

    @own_arithmetic()
    def accepts(
        self, images: Images, class_names: Iterable[str] | None = None, accepted: bool | float = True
    ) -> np.ndarray:
        """Whether each image is like those of the taught classes, or of ``class_names``, bool (N,): False for
        "none of these".

        accepted: the percentage of own images that may pass, 50 to 99; True for 95, or less where the images
        were too few. A higher one lets in more of what is none of the classes. Raises OptionError where this
        prompt does not know "none of these", for a name that was not taught, and for another percentage.
        """
        check_is_fitted(self, "method_")
        rejection, threshold, rows = self._rule(class_names, accepted)
        sources = as_list(images)
        if not sources:
            return np.zeros(0, bool)
        return scores(rejection, self._reader(self.method_).frozen(sources), rows) >= threshold

    def answer(
        self,
        images: Images,
        class_names: Iterable[str] | None = None,
        new_names: str | None = None,
        accepted: bool | float = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `predict_proba` (N, C) and `accepts` (N,) say of the same images; each is read once where the
        method reads features."""
        check_is_fitted(self, "method_")
        names = self._checked_names(class_names)
        self._rule(names, accepted)  # before any image is read
        sources = as_list(images)
        if sources and self.method_.info.reads == FEATURES:
            sources = list(self._reader(self.method_).frozen(sources))
        return self.predict_proba(sources, names, new_names), self.accepts(sources, names, accepted)

    def _rule(
        self, class_names: Iterable[str] | None, accepted: bool | float
    ) -> tuple[Rejection, float, list[int]]:
        """What is compared, with which threshold, and the rows of the asked classes. Raises OptionError."""
        rejection = checked(self.rejection_)
        threshold = threshold_of(rejection, accepted)
        return rejection, threshold, rows_of(self.class_names_, self._checked_names(class_names))

    def _take_rejection(self, file: PromptFile) -> None:
        """That of a prompt file. Raises DataError where it is none of this backbone."""
        if file.rejection is not None and len(file.rejection.centre) != self.backbone_.feature_dim:
            raise DataError(
                f"its rejection is of {len(file.rejection.centre)} features, and the backbone has "
                f"{self.backbone_.feature_dim}"
            )
        self.rejection_ = file.rejection

    if TYPE_CHECKING:

        def predict_proba(
            self, images: Images, class_names: Iterable[str] | None, new_names: str | None
        ) -> np.ndarray:
            """Of `PromptClassifier`."""

        def _checked_names(self, class_names: Iterable[str] | None) -> tuple[str, ...]:
            """Of `PromptClassifier`."""

        def _reader(self, method: Method) -> Reader:
            """Of `PromptClassifier`."""
