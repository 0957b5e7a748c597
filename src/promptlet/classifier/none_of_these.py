"""The part of `PromptLearner` that tells images of none of its classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from promptlet.backbones import Backbone
from promptlet.classifier.features_in import check_columns
from promptlet.classifier.fitted import check_fitted
from promptlet.classifier.given.parts import ALL
from promptlet.classifier.given.take import take
from promptlet.classifier.inputs import Images
from promptlet.classifier.rejection import checked, rows_of, scores, threshold_of
from promptlet.classifier.watching import OnEncode, watched
from promptlet.methods import Method
from promptlet.methods.method import FEATURES
from promptlet.promptfile import Rejection
from promptlet.session import own_arithmetic

if TYPE_CHECKING:
    from promptlet.classifier.given.parts import Asked
    from promptlet.classifier.reading import Reader
    from promptlet.classifier.watching import Watch


class TellsNone:
    """What was learned of where the taught images lie, and what it says of others.

    rejection_: a `promptlet.promptfile.Rejection`, or None where there is none.
    """

    rejection_: Rejection | None = None
    backbone_: Backbone
    method_: Method
    class_names_: tuple[str, ...]
    verbose: bool | None
    on_encode: OnEncode | None

    def accepts(
        self, images: Images, class_names: Iterable[str] | None = None, accepted: bool | float = True
    ) -> np.ndarray:
        """Whether each image is like those of the taught classes, or of ``class_names``, bool (N,): False for
        "none of these".

        accepted: the percentage of own images that may pass, 50 to 99; True for 95, or less where the images
        were too few. A higher one lets in more of what is none of the classes. Raises OptionError where this
        prompt does not know "none of these", for a name that was not taught, and for another percentage.
        """
        return self._seen(images, class_names, accepted)[1]

    def answer(
        self,
        images: Images,
        class_names: Iterable[str] | None = None,
        new_names: str | None = None,
        accepted: bool | float = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `predict_proba` (N, C) and `accepts` (N,) say of the same images; each is read once where the
        method reads features."""
        names = None if class_names is None else tuple(class_names)
        sources, found = self._seen(images, names, accepted)
        return self.predict_proba(sources, names, new_names), found

    @own_arithmetic()
    def _seen(
        self, images: Images, class_names: Iterable[str] | None, accepted: bool | float
    ) -> tuple[list[Any], np.ndarray]:
        """The images, or their features where the method reads no more of them; and which are accepted."""
        check_fitted(self)
        rejection = checked(self.rejection_)  # this and the next two before any image is read
        threshold = threshold_of(rejection, accepted)
        rows = rows_of(self.class_names_, self._checked_names(class_names))
        given = take(images, ALL, self._asked(False))
        if not given.images:
            return [], np.zeros(0, bool)
        check_columns(given, self)
        with watched(self.verbose, self.on_encode, None) as watch:
            features = self._reader(self.method_, watch).frozen(given.images)
        sources = list(features) if self.method_.info.reads == FEATURES else given.images
        return sources, scores(rejection, features, rows) >= threshold

    if TYPE_CHECKING:  # of `PromptLearner`

        def predict_proba(
            self, images: Images, class_names: Iterable[str] | None, new_names: str | None
        ) -> np.ndarray:
            """Probabilities (N, C)."""

        def _checked_names(self, class_names: Iterable[str] | None) -> tuple[str, ...]:
            """Those asked for."""

        def _asked(self, needs_labels: bool) -> Asked:
            """The columns of tables."""

        def _reader(self, method: Method, watch: Watch) -> Reader:
            """What reads images."""
